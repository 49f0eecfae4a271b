"""Files opened for reading, packed ones (.gz, .zst) as what is in them: a piece at a time, whatever they unpack to."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from glmkit.core.errors import MissingExtra, UserError
from glmkit.core.files import check_regular

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from zstandard import ZstdDecompressionObj

PACKED = (".gz", ".zst")
DAMAGED = (OSError, EOFError, zlib.error)  # what reading a truncated or altered archive raises

_PIECE = 1 << 20  # bytes read at a time
_FRAME_PIECE = 1 << 10  # packed bytes of .zst handed over at a time, of which each may become 32 KiB
_ANY, _MOST = 1 << 23, 300  # an archive may unpack to any size up to the first, or to so many times its own


@contextmanager
def open_stream(path: Path, on_bytes: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """The content of a file. `on_bytes` is called with the number of every few bytes of the file read.

    Raises UserError for a path that is no ordinary file, and while it is read for an archive that holds next to
    nothing many times over.
    """
    check_regular(path)
    with open(path, "rb") as raw:
        counted = _Counted(raw, path.stat().st_size, on_bytes)
        stream = io.BufferedReader(counted, _PIECE)
        packing = path.suffix.lower()
        if packing == ".gz":
            yield io.BufferedReader(_Measured(path, gzip.GzipFile(fileobj=stream), stream), _PIECE)
        elif packing == ".zst":
            yield io.BufferedReader(_Measured(path, _ZstandardFrames(stream), stream), _PIECE)
        else:
            yield stream
        on_bytes(counted.left)


def check_proportion(path: Path, size: int, packed: int) -> None:
    """Raises UserError where so many `packed` bytes of a file become `size` that nobody can have written that."""
    if size > max(_ANY, _MOST * packed):
        raise UserError(
            f"{path} unpacks to more than {_MOST} times its size, {size:,} bytes and more; unpack it yourself if that "
            "is what it should hold"
        )


class _Counted(io.RawIOBase):
    """A raw file that reports how much of it has been read; what is read twice is reported once."""

    def __init__(self, raw: io.BufferedReader, size: int, on_bytes: Callable[[int], None]) -> None:
        self._raw, self.left, self._on_bytes = raw, size, on_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._raw.readinto(buffer)
        counted = min(count, self.left)
        self.left -= counted
        self._on_bytes(counted)
        return count


class _Measured(io.RawIOBase):
    """What an archive unpacks to, as long as that is in proportion."""

    def __init__(self, path: Path, content: io.RawIOBase | io.BufferedIOBase, packed: IO[bytes]) -> None:
        self._path, self._content, self._packed = path, content, packed
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = int(self._content.readinto(buffer) or 0)
        self._size += count
        check_proportion(self._path, self._size, self._packed.tell())
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
        self._frame: ZstdDecompressionObj | None = None  # what unpacks the frame we are in
        self._block = b""  # packed bytes not yet handed to it
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._ready:
            self._block = self._block or self._packed.read(_FRAME_PIECE)
            if not self._block:
                if self._frame is not None:
                    raise EOFError("it ends inside a frame")
                return 0
            self._unpack()
        view = memoryview(buffer)
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self) -> None:
        frame = self._frame or self._library.ZstdDecompressor().decompressobj()
        try:
            self._ready = memoryview(frame.decompress(self._block))
        except self._library.ZstdError as error:
            raise OSError(error) from None
        self._frame, self._block = (None, frame.unused_data) if frame.eof else (frame, b"")
