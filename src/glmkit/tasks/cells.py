"""What a cell of a row means: one decision for every file and every task.

| in the cell | as a text | as a label |
|---|---|---|
| text | itself | itself, white space around it left out |
| a number | as JSON writes it: 21, 4.5 | the same |
| true, false | an error | true, false |
| null, or nothing | an empty text | no label |
| a list, an object | an error | an error |

An error names file, line and column. A text with half a character (a lone surrogate) is an error too.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import NOT_UNICODE, has_surrogates

_SHOWN, _LONGEST = 20, 40  # names that a message lists, and the characters of one


class Row(JsonObject):
    """Cells by the names of their columns; `where` they stand ("file:line"): a place that many rows share, and the
    number of this one, if any. `file`: the name of the file without its ending."""

    __slots__ = ("_number", "_place", "file")

    def __init__(self, cells: Table, place: str, number: int | None = None, file: str = "") -> None:
        super().__init__(cells)
        self._place, self._number, self.file = place, number, file

    @property
    def where(self) -> str:
        return self._place if self._number is None else f"{self._place}{self._number}"


def where_of(row: Table) -> str:
    """Where a row stands, for people."""
    return str(getattr(row, "where", "row"))


def known(column: str, row: Iterable[str]) -> str:
    """The nearest of a row's columns, or all of them, as `nearest` says it; of many or long names the beginning."""
    names = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in row]
    return nearest(column, names if len(names) <= _SHOWN else [*names[:_SHOWN], f"and {len(names) - _SHOWN} more"])


def get(row: Table, column: str) -> Any:
    """A cell as it is. Raises UserError naming row and column where there is none."""
    if column not in row:
        raise UserError(f"{where_of(row)}: no {column!r}{known(column, row)}")
    return row[column]


def as_text(value: object, what: str) -> str:
    """A cell as a text; `what` names it in errors."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UserError(f"{what} holds {short(value)}; it must be text")
    if has_surrogates(value):
        raise UserError(f"{what} is {NOT_UNICODE}: {short(value)}")
    return value


def text(row: Table, column: str) -> str:
    """A cell as a text. Raises UserError naming row and column where it is none."""
    return as_text(get(row, column), f"{where_of(row)}: column {column!r}")


def texts(row: Table, column: str) -> tuple[str, ...]:
    """A cell that holds a list of texts. Raises UserError naming row and column where it does not."""
    return as_texts(get(row, column), f"{where_of(row)}: column {column!r}")


def as_texts(value: object, what: str) -> tuple[str, ...]:
    """A list of texts; `what` names it in errors."""
    if not isinstance(value, list):
        raise UserError(f"{what} holds {short(value)}; it must be a list of texts")
    return tuple(as_text(part, f"{what}, item {place}") for place, part in enumerate(value, start=1))


def inner(row: Table, column: str) -> Row:
    """A cell that holds an object. Raises UserError naming row and column where it does not."""
    return _inner(get(row, column), f"{where_of(row)}: {column}")


def inners(row: Table, column: str) -> list[Row]:
    """A cell that holds a list of objects. Raises UserError naming row and column where it does not."""
    value, where = get(row, column), f"{where_of(row)}: {column}"
    if not isinstance(value, list):
        raise UserError(f"{where} holds {short(value)}; it must be a list of objects")
    return [_inner(part, f"{where}, item {number}") for number, part in enumerate(value, start=1)]


def _inner(value: object, where: str) -> Row:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} holds {short(value)}; it must be an object")
    return Row(value, where)


def label_name(row: Table, column: str, labels: Container[str] = ()) -> str | None:
    """The row's label; None where there is none. `labels` may call true and false True and False, as version 0.1.0
    did. Raises UserError for a list or an object."""
    value = row.get(column)
    if isinstance(value, bool):
        return str(value) if str(value) in labels else str(value).lower()
    return as_text(value, f"{where_of(row)}: column {column!r}").strip() or None


def label(row: Table, labels: Sequence[str], column: str = "label") -> int | None:
    """The number of the row's label; None where there is none. Raises UserError for an unknown one."""
    name = label_name(row, column, labels)
    if name is None:
        return None
    if name in labels:
        return list(labels).index(name)
    hint = f"; it must be one of {', '.join(labels)}" if len(labels) <= _SHOWN else known(name, labels)
    raise UserError(f"{where_of(row)}: unknown label {short(name)}{hint}")


def uid(row: Table, number: int) -> str:
    """What a row is called in logs: its `idx` or `id`, else its number."""
    name = row.get("idx", row.get("id"))
    return str(number if name is None else name)


def columns_of(setting: str, known: Table | Sequence[str]) -> list[str]:
    """The columns that a setting names: itself where that is one's name, else what stands between its commas."""
    if setting in known:
        return [setting]
    return [name if name in known else name.strip() for name in setting.split(",")]


def number(row: Table, column: str, below: int | None = None) -> int:
    """A cell that holds a whole number of at least 0, as a number or in digits. Raises UserError naming row and column
    where it does not."""
    value = get(row, column)
    digits = value if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdecimal()):
        raise UserError(f"{where_of(row)}: column {column!r} holds {short(value)}; it must be a whole number")
    if below is not None and int(digits) >= below:
        raise UserError(f"{where_of(row)}: column {column!r} holds {short(value)}; it must be less than {below}")
    return int(digits)
