"""JSON as it must be, read once and strictly: what other readers let pass without a word is an error here.

| in the file | other readers | here |
|---|---|---|
| a key twice in one object | the last one counts | an error naming the key |
| NaN, Infinity, 1e999 | numbers | an error |
| 10^5 brackets | the interpreter's own error, or a crash | an error |
| no UTF-8, or UTF-8 with a mark before it | an error; an error | an error naming the line; the mark is passed over |
| a file of gigabytes where settings are wanted | memory until there is none | an error before it is read |
| a pipe, a socket, a directory | waits for ever | an error |
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.files import check_regular
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import Kind, check_fields

LARGEST = 8 << 20  # bytes of a file that holds settings: two seconds and 300 MB at worst
_DEEPEST = 64  # brackets inside brackets


def read_json(
    path: Path,
    remedy: str = "",
    schema: Mapping[str, Kind] | None = None,
    largest: int = LARGEST,
    required: Iterable[str] = (),
) -> JsonObject:
    """The JSON object in a file of at most `largest` bytes, its fields of the kinds that `schema` names; those that
    are `required` are there.

    Raises CorruptFile, whose line names the file and what is wrong in it and ends with `remedy`; UserError for a path
    that is no file.
    """
    if not os.path.lexists(path):
        raise CorruptFile(f"{path} is missing{remedy}")
    check_regular(path)
    if (size := path.stat().st_size) > largest:
        raise CorruptFile(f"{path} is damaged: {size:,} bytes, where at most {largest:,} are read{remedy}")
    try:
        table = parse(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CorruptFile(f"{path} is damaged (not UTF-8 in line {line}){remedy}") from None
    except ValueError as error:
        raise CorruptFile(f"{path} is damaged ({error}){remedy}") from None
    if not isinstance(table, dict):
        raise CorruptFile(f"{path} is damaged ({short(table)} where an object is needed){remedy}")
    check_table(table, schema or {}, str(path), remedy, required)
    return table


def check_table(
    table: Table, schema: Mapping[str, Kind], where: str, remedy: str = "", required: Iterable[str] = ()
) -> None:
    """Raises CorruptFile for the first field of the object in the file `where` that is absent though `required`, or
    not of its kind."""
    if absent := [name for name in required if name not in table]:
        raise CorruptFile(f"{where} lacks {', '.join(absent)}{remedy}")
    try:
        check_fields(table, schema, where)
    except UserError as error:
        raise CorruptFile(f"{error}{remedy}") from None


def read_lines(path: Path, schema: Mapping[str, Kind], remedy: str = "") -> Iterator[JsonObject]:
    """The JSON objects in a file of one a line, all with the fields of `schema`. A last line that was cut off by a kill
    is left out; for all others CorruptFile names file and line."""
    check_regular(path)
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(LARGEST + 1):
            number += 1
            where = f"{path}:{number}"
            if len(line) > LARGEST:
                raise CorruptFile(f"{where} is damaged: more than {LARGEST:,} bytes in one line{remedy}")
            try:
                table = parse(line.decode("utf-8"))
            except ValueError as error:  # UnicodeDecodeError is one
                if not line.endswith(b"\n"):
                    return
                reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
                raise CorruptFile(f"{where} is damaged ({reason}){remedy}") from None
            if not isinstance(table, dict):
                raise CorruptFile(f"{where} is damaged ({short(table)} where an object is needed){remedy}")
            check_table(table, schema, where, remedy, schema)
            yield table


def parse(text: str) -> Any:
    """The value that a JSON text means. Raises ValueError saying what is wrong."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(value)
    return value


def finite(value: object) -> Any:
    """The value as JSON can hold it: None in place of NaN and infinity."""
    if isinstance(value, Mapping):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(value: object, indent: int | None = None) -> str:
    """The value as JSON that every reader takes: its text as it is, null in place of NaN and infinity."""
    return json.dumps(finite(value), ensure_ascii=False, indent=indent, allow_nan=False)


_TOO_DEEP = f"more than {_DEEPEST} brackets inside each other"


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [
            part
            for outer in level
            if isinstance(outer, dict | list)
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, dict | list)
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(names) if key in names[:place])
        raise ValueError(f"the key {short(twice)} stands twice in one object")
    return table


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{short(text)} is too large for a number")
    return value


def _int(text: str) -> int:
    if len(text) > 40:
        raise ValueError(f"a number of {len(text)} digits is too large")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant, strict=True
)
