"""Rows of the user's and the benchmarks' files, by one reader.

| file | rows |
|---|---|
| .jsonl, .json, .txt | one object a line; a list of objects; one object; {"data": [...]}, SQuAD's form |
| .csv | cells between commas, quoted as RFC 4180 says |
| .tsv, other .txt | cells between tabs; quotes are text, or a program's (tasks/tabs.py) |

A line ends with \\n, \\r\\n or, in a .csv that has neither, \\r, and nowhere else. The first line of .csv and .tsv
names the columns; of files without one, and of columns without a name, the names are 0, 1, 2, ... A mark before the
text (BOM) is passed over.
"""

import codecs
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from glmkit.core.errors import CorruptFile, UserError, counted, short
from glmkit.core.files import check_regular
from glmkit.core.kinds import NOT_UNICODE, has_surrogates
from glmkit.core.strict_json import parse
from glmkit.data.sources import json_of
from glmkit.tasks.cells import Row
from glmkit.tasks.tabs import numbered, tabbed

FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".txt")
_SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers", ".et")
_UTF8, _NO_ACCIDENT = ("utf-8", "utf-8-sig"), 20
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_rows(path: Path, *, header: bool = True, encoding: str = "utf-8", published: bool = False) -> list[Row]:
    """The rows of a file; without a `header`, the first line of .csv and .tsv is a row like the others. `published`: a
    benchmark's own file, in which every quote of a .tsv is one.

    Raises UserError or CorruptFile naming file and line.
    """
    check_regular(path)
    kind = path.suffix.lower()
    if kind in _SHEETS:
        raise UserError(f"{path} is a spreadsheet: save it as CSV (in Excel: CSV UTF-8) and give that file")
    if kind == ".parquet":
        raise UserError(
            f"{path}: rows in Parquet are not read; make .jsonl of them: pandas.read_parquet({path.name!r})"
            f".to_json({path.with_suffix('.jsonl').name!r}, orient='records', lines=True)"
        )
    if kind not in FORMATS:
        raise UserError(f"{path}: unknown format {path.suffix!r}; use {', '.join(FORMATS)}")
    text = _decoded(path, encoding)
    if (zero := text.find("\0")) >= 0:
        raise CorruptFile(f"{path}:{_line(text, zero)}: a zero byte: this is a binary file, not text")
    if kind in (".jsonl", ".json") or (kind == ".txt" and text.lstrip()[:1] in ("{", "[")):
        rows = list(_objects(path, text))
    else:
        cells = _quoted(path, text) if kind == ".csv" else tabbed(path, text, published=published)
        rows = list(_columns(path, cells, header))
    if not rows:
        raise UserError(f"{path} holds no rows")
    return rows


def check_encoding(name: str, setting: str) -> str:
    """The codec of an encoding by any of its names; of GBK and GB 2312 the one that holds both, GB 18030.

    Raises UserError naming the setting.
    """
    try:
        "a".encode(name)
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise UserError(f"{setting}: unknown encoding {short(name)}; such are utf-8, gb18030, big5, utf-16") from None
    return {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030"}.get(codec, codec)


def _decoded(path: Path, encoding: str) -> str:
    codec, data = check_encoding(encoding, str(path)), path.read_bytes()
    if codec not in _UTF8 and _is_utf8(data):
        raise CorruptFile(f"{path} is UTF-8, not {encoding}: leave the encoding out, or give the file's own")
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        likely = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "gb18030")
        if codec not in _UTF8:
            raise CorruptFile(
                f"{path}:{line}: not {encoding}; name the encoding it has (data.encoding, --encoding)"
            ) from None
        raise CorruptFile(
            f"{path}:{line}: not UTF-8; name its encoding (data.encoding={likely}, or --encoding {likely}), or convert "
            f"it, e.g. iconv -f {likely.upper()} -t UTF-8"
        ) from None


def _is_utf8(data: bytes) -> bool:
    """Whether bytes can be nothing but UTF-8: they hold enough characters of several bytes to be no accident."""
    try:
        return len(data) - len(data.decode("utf-8")) >= _NO_ACCIDENT
    except UnicodeDecodeError:
        return False


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _objects(path: Path, text: str) -> Iterator[Row]:
    whole, escapes = _whole(path, text), "\\u" in text
    lines, items = f"{path}:", f"{path}: item "
    if isinstance(whole, list):
        for number, value in enumerate(whole, start=1):
            yield _row(value, items, number, path.stem, escapes)
    elif whole is not None:
        yield _row(whole, lines, 1, path.stem, escapes)
    else:
        for number, line in numbered(text):
            if line.strip():
                yield _row(json_of(line, f"{lines}{number}"), lines, number, path.stem, escapes)


def _row(value: object, place: str, number: int, file: str, escapes: bool) -> Row:
    """`escapes`: whether there may be halves of characters, which only escapes can write."""
    if not isinstance(value, dict):
        raise CorruptFile(f"{place}{number}: {short(value)} where an object is needed")
    for column, cell in value.items() if escapes else ():
        if _is_torn(column) or _is_torn(cell):
            raise CorruptFile(f"{place}{number}: column {short(column)} is {NOT_UNICODE}")
    return Row({sys.intern(column): cell for column, cell in value.items()}, place, number, file)


def _is_torn(value: object) -> bool:
    """Whether half a character stands anywhere in a value."""
    if isinstance(value, str):
        return has_surrogates(value)
    if isinstance(value, dict):
        return any(_is_torn(key) or _is_torn(part) for key, part in value.items())
    return isinstance(value, list) and any(map(_is_torn, value))


def _whole(path: Path, text: str) -> object:
    """The list or the object that a file holds as a whole, or its "data" (SQuAD's form); None of one with an object a
    line."""
    first = text.lstrip()[:1]
    if first == "{" and (path.suffix.lower() == ".jsonl" or _begins_with_a_row(text)):
        return None
    if first not in ("{", "["):
        return None
    try:
        value = parse(text)
    except ValueError as error:
        place = re.search(r" in line (\d+), column", str(error))
        raise CorruptFile(f"{path}{f':{place[1]}' if place else ''}: {error}") from None
    if isinstance(value, dict) and isinstance(data := value.get("data"), list):
        return data
    return value


def _begins_with_a_row(text: str) -> bool:
    """Whether the first line that is not empty is one of several objects, each on a line of its own."""
    lines = (line for _, line in numbered(text) if line.strip())
    next(lines)
    second = next(lines, "").lstrip()
    return second.startswith("{") and not text.lstrip().split("\n", 1)[0].rstrip().endswith(("{", "[", ","))


def _quoted(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of .csv, with the line that a row begins in."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    end = "\n" if "\n" in text else "\r"
    reader = csv.reader((line + end for _, line in numbered(text, end)), strict=True)
    while True:
        first_line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"the quotes do not balance ({error}); write a quote inside a quoted cell twice"
            if "new-line" in str(error):
                reason = "a carriage return outside quotes; put the cell that holds it into quotes"
            raise CorruptFile(f"{path}:{first_line}: {reason}") from None
        if row:
            yield first_line, row


def _columns(path: Path, cells: Iterator[tuple[int, list[str]]], header: bool) -> Iterator[Row]:
    names: list[str] | None = None
    place, file = f"{path}:", path.stem
    for number, row in cells:
        if names is None:
            names = _names(row, f"{path}:{number}") if header else [str(place) for place in range(len(row))]
            if header:
                continue
        if len(row) != len(names):
            columns = counted(len(row), "column")
            raise CorruptFile(f"{path}:{number}: {columns} where the first line has {len(names)}")
        yield Row(dict(zip(names, row, strict=True)), place, number, file)


def _names(cells: Sequence[str], where: str) -> list[str]:
    names = [cell.strip() or str(place) for place, cell in enumerate(cells)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CorruptFile(f"{where}: two columns are called {short(twice[0])}; give each a name of its own")
    return names
