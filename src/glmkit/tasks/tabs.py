"""Tables with tabs: are their quotes text, or put around cells by the program that wrote the file?

| the file | its quotes are |
|---|---|
| a benchmark's own, GLUE's for example | text |
| quoted cells are those with a comma, a quote, a tab or a line break, and no other cell holds one | Excel's |
| every quoted cell holds a quote, a tab or a line break | of Python's csv module, pandas and others |
| a column is quoted in every line, the first too | of a program that quotes all text |
| any other: a quote in a cell that does not begin with one, a cell quoted without need | text |

Quotes that a program put there are left out, and two inside a cell are one: "a ""b"" c" is a "b" c. Where quotes are
text such a cell is an error, as one or the other is wrong.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from glmkit.core.errors import CorruptFile

Row = tuple[int, list[str]]  # the number of the line that it begins in, and its cells

_QUOTED = r'"[^"]*+(?:""[^"]*+)*+"'
_CELL = re.compile(rf'({_QUOTED})\r*(?=[\t\n]|\Z)|([^"\t\n]*)(?=[\t\n]|\Z)')
_DOUBLED = re.compile(r'"[^"]*+(?:""[^"]*+)++"')
_REMEDY = "; write the file as .csv or .jsonl"


def numbered(text: str, end: str = "\n") -> Iterator[tuple[int, str]]:
    """The lines, numbered from 1, one at a time."""
    number, start = 1, 0
    while (stop := text.find(end, start)) >= 0:
        yield number, text[start:stop]
        number, start = number + 1, stop + 1
    yield number, text[start:]


def tabbed(path: Path, text: str, *, published: bool = False) -> Iterator[Row]:
    """The rows of a table with tabs; `published`: it is a benchmark's own. Raises CorruptFile naming file and line."""
    plain = ((number, line.rstrip("\r").split("\t")) for number, line in numbered(text) if line.strip())
    if published or '"' not in text:
        return plain
    rows, quoted = list(plain), _quoted(text)
    if quoted is None or not _by_a_program(quoted):
        return _as_text(path, rows)
    wide = next((number for number, row in quoted if any("\t" in cell or "\n" in cell for cell in row)), None)
    if wide is not None and _even(rows):
        if not _even(quoted):
            return _as_text(path, rows)
        raise CorruptFile(
            f"{path}:{wide}: a quote may be text, or begin a cell of several lines: both readings fit{_REMEDY}"
        )
    return ((number, [_bare(cell) for cell in row]) for number, row in quoted)


def _as_text(path: Path, rows: list[Row]) -> Iterator[Row]:
    for number, row in rows:
        if any(_DOUBLED.fullmatch(cell) for cell in row):
            raise CorruptFile(
                f'{path}:{number}: a cell is quoted as Excel does ("a ""b"" c"), and others hold quotes that are text'
                f"{_REMEDY}"
            )
        yield number, row


def _quoted(text: str) -> list[Row] | None:
    """The rows where every cell that holds a quote is a quoted one; they keep their quotes. None of other texts."""
    rows: list[Row] = []
    row: list[str] = []
    line, first_line, place = 1, 1, 0
    while cell := _CELL.match(text, place):
        row.append(cell[1] or cell[2])
        line += row[-1].count("\n")
        stop, place = text[cell.end() : cell.end() + 1], cell.end() + 1
        if stop == "\t":
            continue
        row[-1] = row[-1].rstrip("\r")
        if any(map(str.strip, row)):
            rows.append((first_line, row))
        row, line, first_line = [], line + 1, line + 1
        if not stop:
            return rows
    return None


def _by_a_program(rows: list[Row]) -> bool:
    """Whether the quoted cells are those that one of the programs known puts into quotes."""
    cells = [cell for _, row in rows for cell in row]
    inside = [cell[1:-1] for cell in cells if cell.startswith('"')]
    if all(re.search('["\t\n]', item) for item in inside):
        return True
    if all(re.search('[",\t\n]', item) for item in inside):
        return not any("," in cell for cell in cells if not cell.startswith('"'))
    columns = zip(*(row for _, row in rows), strict=False)
    return len(rows) > 1 and any(all(cell.startswith('"') for cell in column) for column in columns)


def _even(rows: list[Row]) -> bool:
    return len({len(row) for _, row in rows}) == 1


def _bare(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
