"""Rows of the user's and the benchmarks' files: .jsonl, .json (one object a line, or a list), .csv, .tsv.

Every row knows where it stands: `row["_where"]` is "file:line".
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glmkit.core.errors import CorruptFile, UserError
from glmkit.data.sources import json_of

FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".txt")


def read_rows(path: Path, *, header: bool = True) -> list[dict[str, Any]]:
    """The rows of a file; without a `header`, columns of .csv and .tsv are called 0, 1, 2, ...

    Raises UserError or CorruptFile naming file and line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown format {path.suffix!r}; use {', '.join(FORMATS)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CorruptFile(f"{path}:{line}: not UTF-8; convert it, e.g. iconv -f GB18030 -t UTF-8") from None
    rows = list(_columns(path, text, header) if path.suffix.lower() in (".csv", ".tsv") else _objects(path, text))
    if not rows:
        raise UserError(f"{path} holds no rows")
    return rows


def _objects(path: Path, text: str) -> Iterator[dict[str, Any]]:
    if text.lstrip().startswith("["):
        yield from _list(path, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            row = json_of(line, f"{path}:{number}")
            if not isinstance(row, dict):
                raise CorruptFile(f"{path}:{number}: {type(row).__name__} where an object is needed")
            yield {**row, "_where": f"{path}:{number}"}


def _list(path: Path, text: str) -> Iterator[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise CorruptFile(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise CorruptFile(f"{path}: item {number}: {type(row).__name__} where an object is needed")
        yield {**row, "_where": f"{path}: item {number}"}


def _columns(path: Path, text: str, header: bool) -> Iterator[dict[str, Any]]:
    """Cells by the names in the first line. A .tsv has no quoting, as GLUE's have none: a quote is a quote."""
    if path.suffix.lower() == ".tsv":
        lines = text.split("\n")
        cells = ((number, line.rstrip("\r").split("\t")) for number, line in enumerate(lines, start=1) if line.strip())
    else:
        reader = csv.reader(text.splitlines(keepends=True))
        cells = ((reader.line_num, row) for row in reader if row)
    names: list[str] | None = None
    for number, row in cells:
        if names is None:
            names = row if header else [str(place) for place in range(len(row))]
            if header:
                continue
        if len(row) != len(names):
            raise CorruptFile(f"{path}:{number}: {len(row)} columns where the first line has {len(names)}")
        yield {**dict(zip(names, row, strict=True)), "_where": f"{path}:{number}"}
