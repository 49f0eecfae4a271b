"""Documents from the user's files, one at a time: .txt, .jsonl, .parquet, each also as .gz or .zst.

| file | a document is |
|---|---|
| .txt | what stands between blank lines, or a line, or the whole file (`split`) |
| .jsonl | a line `{"text": ..., "prompt": ...}`; the optional prompt stands before the text and is never blanked |
| .parquet | a row with the same columns |
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from glmkit.core.errors import CorruptFile, MissingExtra, UserError
from glmkit.core.files import check_regular
from glmkit.core.json_types import JsonObject
from glmkit.core.strict_json import parse
from glmkit.data.archives import DAMAGED, PACKED, check_proportion, open_stream

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

Split = Literal["blank-line", "line", "file"]
FORMATS = (".txt", ".jsonl", ".parquet")
LONGEST = 8 << 20  # bytes of a document: while it is tokenized, 30 to 150 times as many are in memory


class TooLong(UserError):
    """A document or line that is longer than was allowed for."""


@dataclass(frozen=True)
class Document:
    text: str
    prompt: str = ""


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those of a known format in the directories named, in order of name.

    Raises UserError for a path that does not exist, a file of unknown format, or when nothing is found.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.is_file() and _format(file) in FORMATS)
            continue
        check_regular(path)
        if _format(path) not in FORMATS:
            raise UserError(f"{path}: unknown format; use {', '.join(FORMATS)}, each also with .gz or .zst")
        files.append(path)
    if not files:
        raise UserError(f"no {', '.join(FORMATS)} files found in {', '.join(map(str, paths)) or 'an empty list'}")
    return files


def documents(
    path: Path,
    split: Split,
    on_bytes: Callable[[int], None] = lambda count: None,
    *,
    longest: int = LONGEST,
    cut: bool = False,
) -> Iterator[Document]:
    """The documents of one file that hold any text. `on_bytes` is called with the number of every few bytes read.

    Raises CorruptFile naming file and line for bytes that are not UTF-8, binary data, broken JSON, damaged archives;
    TooLong for a document of more than `longest` bytes, however large the file: no more than that is in memory. With
    `cut` one of several lines is given in parts instead.
    """
    format = _format(path)
    with open_stream(path, on_bytes) as stream:
        if format == ".parquet":
            drawn: Iterator[Document] = _parquet(path, stream, longest)
        elif format == ".jsonl":
            lines = _lines(path, stream, longest)
            drawn = (_record(line, f"{path}:{number}") for line, number, _ in lines if line.strip())
        else:
            drawn = _text(path, stream, split, longest, cut)
        for document in drawn:
            if document.text.strip():
                yield document


def sample(files: list[Path], size: int, longest: int = LONGEST) -> Iterator[str]:
    """Paragraphs from all the files, about `size` characters in all, an equal share of each; for a tokenizer.

    One that is too long is cut at ends of lines. Raises TooLong for a line of more than `longest` bytes.
    """
    for number, file in enumerate(files):
        share = size // (len(files) - number)
        for document in documents(file, "blank-line", longest=longest, cut=True):
            text = (document.prompt + document.text)[:share]
            yield text
            share -= len(text)
            size -= len(text)
            if share <= 0:
                break


def _format(path: Path) -> str:
    name = path.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def _lines(path: Path, stream: IO[bytes], longest: int) -> Iterator[tuple[str, int, int]]:
    """Each line decoded, with its number and its length in bytes."""
    number = 0
    try:
        for number, line in enumerate(iter(partial(stream.readline, longest + 1), b""), start=1):
            if b"\0" in line:
                raise CorruptFile(f"{path}:{number}: a zero byte: this is a binary file, not text")
            if len(line) > longest:
                raise _too_long(f"{path}:{number}", "a line", longest)
            yield line.decode("utf-8-sig" if number == 1 else "utf-8"), number, len(line)
    except UnicodeDecodeError as error:
        raise CorruptFile(
            f"{path}:{number}: not UTF-8 (byte {error.start} of the line); convert it, e.g. iconv -f GB18030 -t UTF-8"
        ) from None
    except DAMAGED as error:
        raise CorruptFile(f"{path}: damaged after line {number} ({error}); copy or compress it again") from None


def _too_long(where: str, what: str, longest: int, advice: str = "") -> TooLong:
    size = f"{longest / 2**20:g} MB"
    return TooLong(
        f"{where}: {what} of more than {size}, and all of it goes into memory; cut it into documents{advice}"
    )


def _text(path: Path, stream: IO[bytes], split: Split, longest: int, cut: bool) -> Iterator[Document]:
    """Documents of plain text; every line ends with \\n here, whatever system it was written on."""
    held: list[str] = []
    begin, size, blank = 0, 0, "\n" if split == "file" else None
    for raw, number, length in _lines(path, stream, longest):
        if not held:
            if not raw.strip(blank):
                continue
            begin, size = number, 0
        size += length
        if size > longest and not cut:
            raise _too_long(f"{path}:{begin}", "a document", longest, " (--split says what ends one)")
        line = raw.replace("\r\n", "\n")
        if split == "line" or (split == "blank-line" and not line.strip()) or size > longest:
            yield Document("".join([*held, line]).strip("\n"))
            held = []
        else:
            held.append(line)
    yield Document("".join(held).strip("\n"))


def json_of(line: str, where: str) -> object:
    """What a line of .jsonl holds. Raises CorruptFile naming `where`."""
    try:
        return parse(line)
    except ValueError as error:
        reason = str(error).replace(" in line 1, column ", " at column ")
        raise CorruptFile(f"{where}: {reason}; every line must be one object") from None


def _record(line: str, where: str) -> Document:
    record = json_of(line, where)
    if not isinstance(record, dict):
        raise CorruptFile(f'{where}: {type(record).__name__} where an object {{"text": ...}} is needed')
    return _document(record, where)


def _document(record: JsonObject, where: str) -> Document:
    if "text" not in record:
        raise UserError(f'{where}: no "text"; it has {", ".join(sorted(map(str, record))) or "no keys"}')
    text, prompt = record["text"], record.get("prompt") or ""
    if not isinstance(text, str) or not isinstance(prompt, str):
        raise UserError(f'{where}: "text" and "prompt" must be strings')
    try:
        (prompt + text).encode()
    except UnicodeEncodeError as error:
        raise CorruptFile(
            f"{where}: {error.object[error.start]!a} is half of a character (a lone surrogate); write the line again"
        ) from None
    return Document(text, prompt)


def _parquet(path: Path, stream: IO[bytes], longest: int) -> Iterator[Document]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "data") from None
    try:
        with tempfile.TemporaryFile() as plain:
            if path.suffix.lower() in PACKED:  # parquet is read from its end
                shutil.copyfileobj(stream, plain, 1 << 20)
                stream = plain
            table = pyarrow.parquet.ParquetFile(stream)
            wanted = [name for name in ("text", "prompt") if name in table.schema_arrow.names]
            if "text" not in wanted:
                raise UserError(f'{path}: no column "text"; it has {", ".join(table.schema_arrow.names)}')
            row = 0
            for batch in table.iter_batches(batch_size=_rows_at_a_time(path, table.metadata), columns=wanted):
                for record in batch.to_pylist():
                    row += 1
                    document = _document(record, where := f"{path}: row {row}")
                    if len(document.prompt.encode()) + len(document.text.encode()) > longest:
                        raise _too_long(where, "a document", longest)
                    yield document
    except (pyarrow.ArrowException, UnicodeDecodeError, *DAMAGED) as error:
        reason = " ".join(str(error).split())
        raise CorruptFile(f"{path}: not a readable parquet file ({reason}); copy or write it again") from None


def _rows_at_a_time(path: Path, metadata: "FileMetaData") -> int:
    """Of how many rows the columns fit into 64 MiB: a value that stands once in a column's dictionary is in memory for
    every row that it is the value of. Raises UserError for a column that holds next to nothing many times over."""
    largest = 1.0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema not in ("text", "prompt"):
                continue
            size, packed = column.total_uncompressed_size, column.total_compressed_size
            check_proportion(path, size, packed)
            largest = max(largest, size / max(1, group.num_rows))
            if column.dictionary_page_offset is not None:
                dictionary = max(0, column.data_page_offset - column.dictionary_page_offset)
                largest = max(largest, size if dictionary > 1 << 20 or size > 50 * packed else 50 * dictionary)
    return max(1, min(1024, int((64 << 20) / largest)))
