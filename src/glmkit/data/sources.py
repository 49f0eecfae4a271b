"""Documents from the user's files, one at a time: .txt, .jsonl, .parquet, each also as .gz or .zst.

| file | a document is |
|---|---|
| .txt | what stands between blank lines, or a line, or the whole file (`split`) |
| .jsonl | a line `{"text": ..., "prompt": ...}`; the optional prompt stands before the text and is never blanked |
| .parquet | a row with the same columns |
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from glmkit.core.errors import CorruptFile, MissingExtra, UserError
from glmkit.core.strict_json import parse

Split = Literal["blank-line", "line", "file"]
FORMATS = (".txt", ".jsonl", ".parquet")
_PACKED = (".gz", ".zst")
_DAMAGED = (OSError, EOFError, zlib.error)  # what reading a truncated or altered archive raises


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
        elif not path.exists():
            raise UserError(f"{path}: no such file or directory")
        elif _format(path) not in FORMATS:
            raise UserError(f"{path}: unknown format; use {', '.join(FORMATS)}, each also with .gz or .zst")
        else:
            files.append(path)
    if not files:
        raise UserError(f"no {', '.join(FORMATS)} files found in {', '.join(map(str, paths)) or 'an empty list'}")
    return files


def documents(path: Path, split: Split, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Document]:
    """The documents of one file that hold any text. `on_bytes` is told of every few bytes read.

    Raises CorruptFile naming file and line for bytes that are not UTF-8, binary data, broken JSON, damaged archives.
    """
    format = _format(path)
    with _open(path, on_bytes) as stream:
        if format == ".parquet":
            found: Iterator[Document] = _parquet(path, stream)
        elif format == ".jsonl":
            found = (_record(line, where) for line, where in _lines(path, stream) if line.strip())
        else:
            found = _text(path, stream, split)
        for document in found:
            if document.text.strip():
                yield document


def sample(files: list[Path], size: int) -> Iterator[str]:
    """Paragraphs from all the files, about `size` characters in all, an equal share of each; for a tokenizer."""
    for number, file in enumerate(files):
        share = size // (len(files) - number)
        for document in documents(file, "blank-line"):
            if share <= 0:
                break
            yield document.prompt + document.text
            share -= len(document.text) + len(document.prompt)
            size -= len(document.text) + len(document.prompt)


def _format(path: Path) -> str:
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


@contextmanager
def _open(path: Path, on_bytes: Callable[[int], None]) -> Iterator[IO[bytes]]:
    with open(path, "rb") as raw:
        counted = _Counted(raw, path.stat().st_size, on_bytes)
        stream = io.BufferedReader(counted, 1 << 20)
        if path.suffix.lower() == ".gz":
            yield gzip.GzipFile(fileobj=stream)  # type: ignore[misc]
        elif path.suffix.lower() == ".zst":
            yield io.BufferedReader(_ZstandardFrames(stream), 1 << 20)
        else:
            yield stream
        on_bytes(counted.left)


class _Counted(io.RawIOBase):
    """A raw file that reports how much of it has been read; what is read twice is reported once."""

    def __init__(self, raw: IO[bytes], size: int, on_bytes: Callable[[int], None]) -> None:
        self._raw, self.left, self._on_bytes = raw, size, on_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        count = int(self._raw.readinto(buffer))  # type: ignore[attr-defined]
        told = min(count, self.left)
        self.left -= told
        self._on_bytes(told)
        return count


class _ZstandardFrames(io.RawIOBase):
    """The content of .zst frames, one after the other. The library's own stream takes a file that was cut off inside
    a frame for a whole one, and its text would be lost without a word."""

    def __init__(self, packed: IO[bytes]) -> None:
        try:
            import zstandard
        except ImportError:
            raise MissingExtra("zstandard", "data") from None
        self._library, self._packed = zstandard, packed
        self._frame: Any = None  # what unpacks the frame we are in
        self._block = b""  # packed bytes not yet handed to it
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            self._block = self._block or self._packed.read(1 << 16)
            if not self._block:
                if self._frame is not None:
                    raise EOFError("it ends inside a frame")
                return 0
            self._unpack()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self) -> None:
        frame = self._frame or self._library.ZstdDecompressor().decompressobj()
        try:
            self._ready = memoryview(frame.decompress(self._block))
        except self._library.ZstdError as error:
            raise OSError(error) from None
        self._frame, self._block = (None, frame.unused_data) if frame.eof else (frame, b"")


def _lines(path: Path, stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Each line decoded, with "file:number" to name it by."""
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            if b"\0" in line:
                raise CorruptFile(f"{path}:{number}: a zero byte: this is a binary file, not text")
            yield line.decode("utf-8-sig" if number == 1 else "utf-8"), f"{path}:{number}"
    except UnicodeDecodeError as error:
        raise CorruptFile(
            f"{path}:{number}: not UTF-8 (byte {error.start} of the line); convert it, e.g. iconv -f GB18030 -t UTF-8"
        ) from None
    except _DAMAGED as error:
        raise CorruptFile(f"{path}: damaged after line {number} ({error}); copy or compress it again") from None


def _text(path: Path, stream: IO[bytes], split: Split) -> Iterator[Document]:
    """Documents of plain text; every line ends with \\n here, whatever system it was written on."""
    held: list[str] = []
    for raw, _ in _lines(path, stream):
        line = raw.replace("\r\n", "\n")
        if split == "line" or (split == "blank-line" and not line.strip()):
            yield Document("".join([*held, line]).strip("\n"))
            held = []
        else:
            held.append(line)
    yield Document("".join(held).strip("\n"))


def json_of(line: str, where: str) -> Any:
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


def _document(record: dict[str, Any], where: str) -> Document:
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


def _parquet(path: Path, stream: IO[bytes]) -> Iterator[Document]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "data") from None
    try:
        if path.suffix.lower() in _PACKED:
            stream = io.BytesIO(stream.read())  # parquet is read from its end
        table = pyarrow.parquet.ParquetFile(stream)
        wanted = [name for name in ("text", "prompt") if name in table.schema_arrow.names]
        if "text" not in wanted:
            raise UserError(f'{path}: no column "text"; it has {", ".join(table.schema_arrow.names)}')
        row = 0
        for batch in table.iter_batches(batch_size=1024, columns=wanted):
            for record in batch.to_pylist():
                row += 1
                yield _document(record, f"{path}: row {row}")
    except (pyarrow.ArrowException, UnicodeDecodeError, *_DAMAGED) as error:
        reason = " ".join(str(error).split())
        raise CorruptFile(f"{path}: not a readable parquet file ({reason}); copy or write it again") from None
