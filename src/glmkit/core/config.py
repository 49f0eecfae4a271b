"""Frozen dataclasses from plain mappings and back, strictly: an unknown key is an error that names the nearest one."""

import dataclasses
import os
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, FLAG, TEXT, WHOLE_64, Kind, check, list_of, number, one_of, table_of
from glmkit.core.renamed import current_fields

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def from_mapping(cls: type[T], values: Table, where: str) -> T:
    """Builds the dataclass `cls` from `values`, nested dataclasses included.

    Raises UserError naming `where` and the key for unknown or missing keys and for values that `cls` refuses.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    values = current_fields(values, fields, where)
    for key in values:
        if key not in fields:
            raise UserError(f"{where}: unknown key {short(key)}{nearest(str(key)[:64], fields)}")
    missing = [
        name
        for name, f in fields.items()
        if name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"{where}: missing {', '.join(map(repr, missing))}")
    built = {key: _value(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return cls(**built)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from None


def overridden(config: T, settings: Table, where: str) -> T:
    """The dataclass `config` with `settings` in place of its fields; those of a nested dataclass are a mapping, or have
    dotted names ("schedule.peak").

    Raises UserError naming `where` and the key for unknown keys and for values that the dataclass refuses.
    """
    check(settings, table_of(ANY), where)
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    nested: dict[str, JsonObject] = {}
    for key, value in settings.items():
        name, dot, inner = key.partition(".")
        if name not in values:
            raise UserError(f"{where}: unknown key {short(name)}{nearest(name[:64], values)}")
        if dot and not dataclasses.is_dataclass(values[name]):
            raise UserError(f"{where}: unknown key {short(key)}: {name} has no keys of its own")
        if dot:
            nested.setdefault(name, {})[inner] = value
        elif isinstance(value, Mapping) and dataclasses.is_dataclass(values[name]):
            nested.setdefault(name, {}).update(value)
        else:
            values[name] = os.fspath(value) if isinstance(value, os.PathLike) else value
    for name, inner_settings in nested.items():
        values[name] = overridden(values[name], inner_settings, f"{where}: {name}")
    return from_mapping(type(config), values, where)


def check_settings(config: "DataclassInstance", kinds: Mapping[str, Kind], prefix: str = "") -> None:
    """Checks the fields of a dataclass, each by its type and those in `kinds` more narrowly: what came from a file has
    been, what was written in Python has not. Raises UserError naming the field, with `prefix` before it."""
    for name, hint in typing.get_type_hints(type(config)).items():
        value, where = getattr(config, name), f"{prefix}{name}"
        if name in kinds:
            check(value, kinds[name], where)
        _value(hint, value, where)


def to_mapping(config: "DataclassInstance") -> JsonObject:
    """The dataclass as plain values that JSON can hold."""
    return dataclasses.asdict(config)


def _value(hint: object, value: Any, where: str) -> Any:
    """`value` for a field of type `hint`. Raises UserError naming `where` for one of another kind."""
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_mapping(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        inner = [a for a in arguments if a is not type(None)]
        if all(typing.get_origin(item) is typing.Literal for item in inner):
            names = [name for item in inner for name in typing.get_args(item)]
            known = one_of(*names).find(value) is None
            return value if known else check(value, one_of(*filter(None, names)), where)
        several = [item for item in inner if typing.get_origin(item) is tuple]
        if len(inner) > 1 and several:  # of one value or several
            hint = several[0] if isinstance(value, list | tuple) else next(e for e in inner if e not in several)
            return _value(hint, value, where)
        return _value(inner[0], value, where) if len(inner) == 1 else value
    if origin is Mapping:
        check(value, table_of(ANY), where)
        return {key: _value(arguments[1], part, f"{where}[{short(key)}]") for key, part in value.items()}
    if origin is tuple:
        check(value, list_of(ANY), where)
        return tuple(_value(arguments[0], part, f"{where}[{place}]") for place, part in enumerate(value))
    if hint in _KINDS:
        check(value, _KINDS[hint], where)
        return float(value) if hint is float else value
    if origin is typing.Literal:
        return check(value, one_of(*arguments), where)
    if isinstance(hint, type) and not isinstance(value, hint):
        raise UserError(f"{where} must be {_called(hint)}, got {short(value)}")
    return value


_KINDS = {int: WHOLE_64, float: number(), str: TEXT, bool: FLAG}


def _called(hint: type) -> str:
    return "a table" if dataclasses.is_dataclass(hint) else hint.__name__
