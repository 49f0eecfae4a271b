"""Names of earlier releases: keys of configs that are still read, and attributes that still answer.

What a file holds is read in silence; what a person writes is answered by one DeprecationWarning, or one line of the
command line.
"""

import functools
import warnings
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject, Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

# Key of a config as glmkit 0.1.0 wrote it -> what it is called now: of a model, and of a pretraining run.
MODEL_KEYS: Mapping[str, str] = {
    "num_groups": "num_kv_heads",  # alias
    "inner_size": "intermediate_size",  # alias
    "long_context": "rope_scaling",  # alias
}
RUN_KEYS: Mapping[str, str] = {
    "heldout": "validation",  # alias
    "heldout_data": "validation_data",  # alias
    "heldout_every": "validation_every",  # alias
    "heldout_examples": "validation_examples",  # alias
}
KEYS: Mapping[str, str] = {**MODEL_KEYS, **RUN_KEYS}


def current_key(key: str, known: Collection[str]) -> str:
    """What `key` is called now where that is one of the keys `known`; a dotted one by its last part. Else `key`."""
    if key in known:
        return key
    group, dot, last = key.rpartition(".")
    now = group + dot + KEYS.get(last, last)
    return now if now in known else key


def current_keys(values: Table) -> JsonObject:
    """A table of settings, nested ones included, with the present names of its keys."""
    return {
        KEYS.get(key, key): current_keys(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def current_fields(values: Table, known: Collection[str], where: str) -> JsonObject:
    """`values` for a dataclass with the fields `known`. Raises UserError for a setting that is given by both names."""
    named: JsonObject = {}
    for key, value in values.items():
        now = current_key(key, known) if isinstance(key, str) else key
        if now in named:
            raise UserError(f"{where}: {now} is given twice, once by the name it had before; leave out one")
        named[now] = value
    return named


def warn_renamed(old: str, new: str) -> None:
    """Says once for each place of the caller's code that a name has changed."""
    warnings.warn(f"{old} is called {new} now", DeprecationWarning, stacklevel=3)


class Renamed:
    """An attribute under the name it had before: `old = Renamed("new")` in the body of a class."""

    def __init__(self, new: str) -> None:
        self._new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self._old = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        warn_renamed(f"{type(instance).__name__}.{self._old}", self._new)
        return getattr(instance, self._new)


def accepts_old_keys(cls: type[T]) -> type[T]:
    """A decorator of a config's dataclass: its fields may be given, and read, by the names they had before."""
    build = cls.__init__

    @functools.wraps(build)
    def with_old_keys(self: T, *args: object, **values: object) -> None:
        for key in KEYS.keys() & values.keys():
            if KEYS[key] in fields:
                warn_renamed(f"{cls.__name__}({key}=...)", KEYS[key])
                values[KEYS[key]] = values.pop(key)
        build(self, *args, **values)

    fields = cls.__dataclass_fields__
    for old, new in KEYS.items():
        if new in fields:
            alias = Renamed(new)
            alias.__set_name__(cls, old)
            setattr(cls, old, alias)
    cls.__init__ = with_old_keys  # type: ignore[assignment, method-assign]
    return cls
