"""What a value must be, said once: for fields of a file, settings of a run and arguments of a call.

A `Kind` is a value: `whole(low=1)`, `number(above=0)`, `TEXT`, `FLAG`, `one_of("a", "b")`, and around those
`list_of(kind)`, `table_of(kind)`, `record({name: kind})`, `optional(kind)`. `check(value, kind, name)` raises a
UserError of one line that says which value it is, what it must be and what it is. NaN and infinity are no numbers, True
is no whole number, a text is no list of texts, and a text with half a character (a lone surrogate) is no text.

    check(3.5, whole(low=1), "top")                     top must be a whole number of at least 1, got 3.5
    check(["a", 2], list_of(TEXT), "texts")             texts[1] must be text, got 2
    check_fields(table, {"r": whole(low=1)}, "FILE")    FILE: r must be a whole number of at least 1, got 'many'
"""

import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeGuard, TypeVar

from glmkit.core.errors import UserError, short
from glmkit.core.json_types import JsonObject, Table

T = TypeVar("T")
NOT_UNICODE = "no Unicode text (it holds half a character, a lone surrogate); decode it as UTF-8"


class Fault(NamedTuple):
    """Where inside a value something is wrong ("", "[1]", ".bias"), what is there and what must be."""

    path: str
    value: object
    wanted: str


@dataclass(frozen=True)
class Kind:
    """What a value must be. `wanted` stands behind "must be" in messages; `schema` says it as a JSON schema, as far as
    one can: every value that `find` takes is one of it."""

    wanted: str
    find: Callable[[object], Fault | None]
    schema: Table = field(default_factory=dict, compare=False)


def check(value: T, kind: Kind, name: str) -> T:
    """`value`, if it is of the kind. Raises UserError naming it by `name`, with what it must be and what it is."""
    if (fault := kind.find(value)) is not None:
        if isinstance(fault.value, str) and has_surrogates(fault.value):
            raise UserError(f"{name}{fault.path} is {NOT_UNICODE}: {short(fault.value)}")
        raise UserError(f"{name}{fault.path} must be {fault.wanted}, got {short(fault.value)}")
    return value


def check_fields(table: Mapping[str, object], schema: Mapping[str, Kind], where: str) -> None:
    """Raises UserError naming `where` and the first field of `table` that is not of its kind; fields that the schema
    does not name are not looked at, and those that are absent are not missed."""
    for name, kind in schema.items():
        if name in table:
            check(table[name], kind, f"{where}: {name}")


def has_surrogates(text: str) -> bool:
    """Whether a text holds halves of characters, which no encoding can write."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def whole(low: int | None = None, high: int | None = None) -> Kind:
    """A whole number, numpy's among them; True and 1.0 are none."""

    def admits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            return False
        size = int(value)
        return (low is None or size >= low) and (high is None or size <= high)

    schema = {"type": "integer"} | _given(minimum=low, maximum=high)
    return _simple(f"a whole number{_range(low, high)}", admits, schema)


def number(
    low: float | None = None, high: float | None = None, above: float | None = None, below: float | None = None
) -> Kind:
    """A finite number: at least `low`, greater than `above`, at most `high`, less than `below`."""

    def admits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        try:
            size = float(value)
        except OverflowError:  # a whole number of more than 308 digits
            return False
        return (
            math.isfinite(size)
            and (low is None or size >= low)
            and (high is None or size <= high)
            and (above is None or size > above)
            and (below is None or size < below)
        )

    bounds = f" greater than {above:g}" if above is not None else _range(low, None)
    at_most = "" if high is None else f"at most {high:g}"
    if below is not None:
        at_most = f"less than {below:g}"
    link = "" if not at_most else " and " if bounds else " " if below is not None else " of "
    limits = _given(minimum=low, maximum=high, exclusiveMinimum=above, exclusiveMaximum=below)
    return _simple(f"a finite number{bounds}{link}{at_most}", admits, {"type": "number"} | limits)


def one_of(*names: object) -> Kind:
    """One of some values."""
    return _simple(
        f"one of {', '.join(map(str, names))}",
        lambda value: any(type(value) is type(name) and value == name for name in names),
        {"enum": [*names]},
    )


def instance_of(*classes: type) -> Kind:
    """An object of one of some classes."""
    wanted = " or ".join(item.__name__ for item in classes)
    return _simple(f"a {wanted}", lambda value: isinstance(value, classes))


def optional(kind: Kind) -> Kind:
    """A value of the kind, or None."""
    schema = {"anyOf": [kind.schema, {"type": "null"}]} if kind.schema else {}
    return Kind(f"{kind.wanted} or nothing", lambda value: None if value is None else kind.find(value), schema)


def either(*kinds: Kind, wanted: str = "") -> Kind:
    """A value of one of some kinds; `wanted` says them together. Where a value is nearly of one, what is wrong inside
    it is named, what is there before what is missing."""
    wanted = wanted or " or ".join(kind.wanted for kind in kinds)

    def find(value: object) -> Fault | None:
        faults = [fault for kind in kinds if (fault := kind.find(value)) is not None]
        if len(faults) < len(kinds):
            return None
        inside = (fault for fault in faults if fault.path)
        return min(inside, key=lambda fault: fault.value is None, default=Fault("", value, wanted))

    return Kind(wanted, find, {"anyOf": [kind.schema for kind in kinds]})


def list_of(kind: Kind, least: int = 0) -> Kind:
    """A list or tuple (no text, no table) of at least `least` values of the kind."""
    wanted = f"a list{f' of at least {least}' if least else ''}, each {kind.wanted}"

    def find(value: object) -> Fault | None:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence) or len(value) < least:
            return Fault("", value, wanted)
        for place, part in enumerate(value):
            if (fault := kind.find(part)) is not None:
                return Fault(f"[{place}]{fault.path}", fault.value, fault.wanted)
        return None

    return Kind(wanted, find, {"type": "array", "items": kind.schema} | ({"minItems": least} if least else {}))


def table_of(kind: Kind) -> Kind:
    """A table with text for keys and values of the kind."""
    wanted = f"a table, each value {kind.wanted}"

    def find(value: object) -> Fault | None:
        if not isinstance(value, Mapping):
            return Fault("", value, wanted)
        for key, part in value.items():
            if (fault := TEXT.find(key)) is not None:
                return Fault("", key, "a table whose keys are text")
            if (fault := kind.find(part)) is not None:
                return Fault(f"[{short(key)}]{fault.path}", fault.value, fault.wanted)
        return None

    return Kind(wanted, find, {"type": "object", "additionalProperties": kind.schema})


def record(schema: Mapping[str, Kind]) -> Kind:
    """A table with these fields, each of its kind; one may be absent where its kind admits None. Others are let be."""
    wanted = f"a table of {', '.join(schema)}"

    def find(value: object) -> Fault | None:
        if not isinstance(value, Mapping):
            return Fault("", value, wanted)
        for name, kind in schema.items():
            if (fault := kind.find(value.get(name))) is not None:
                return Fault(f".{name}{fault.path}", fault.value, fault.wanted)
        return None

    needed = [name for name, kind in schema.items() if kind.find(None) is not None]
    properties = {name: kind.schema for name, kind in schema.items()}
    return Kind(wanted, find, {"type": "object", "properties": properties} | ({"required": needed} if needed else {}))


def _simple(wanted: str, admits: Callable[[object], bool], schema: Table | None = None) -> Kind:
    return Kind(wanted, lambda value: None if admits(value) else Fault("", value, wanted), schema or {})


def _given(**limits: float | None) -> JsonObject:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    if low is not None:
        return f" of at least {low:,}"
    return "" if high is None else f" of at most {high:,}"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and not has_surrogates(value)


TEXT = _simple("text", _is_text, {"type": "string"})
FLAG = _simple("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
ANY = _simple("anything", lambda value: True)
WHOLE_64 = _simple("a whole number of 64 bits", lambda value: whole(-(2**63), 2**63 - 1).find(value) is None)
TEXTS = list_of(TEXT)
CHECKSUM = _simple(
    "a SHA-256 in 64 hexadecimal digits",
    lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
)
FILE_NAME = _simple(
    "the name of a file in the same directory",
    lambda value: _is_text(value) and value not in ("", ".", "..") and not any(sign in value for sign in "/\\\0"),
)
