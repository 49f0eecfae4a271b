"""Files that are either whole or absent: write beside, flush to disk, rename; one writer at a time.

    .NAME.lock, .lock    of who is writing NAME, or into the directory (core/locks.py)
    .NAME.partial-PID    what process PID is writing and will call NAME
    .NAME.old-PID        what was NAME, between two renames, where a file system cannot exchange two names in one

What a killed process left of either is found by the next that writes NAME: the first is removed, the second becomes
NAME again. What a living process writes is nobody else's to remove.
"""

import ctypes
import errno
import glob
import hashlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from glmkit.core.errors import CorruptFile, Unwritable, UserError
from glmkit.core.locks import locked

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LOCK = ".lock"  # in a directory that is written for long
LARGEST_TEXT = 1 << 30  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # said by writing alone


@contextmanager
def atomic_directory(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields an empty directory beside `path` that becomes `path` when the block ends without an error.

    On an error (disk full, Ctrl-C) the half-written directory is removed and what stood at `path` is untouched.
    Raises UserError when `path` exists and may not be replaced or when another process is writing it, Unwritable
    naming the file that the system would not write.
    """
    with _beside(path) as partial:
        if os.path.lexists(path) and not replace:
            raise UserError(f"{path} exists already; choose another name or remove it first")
        partial.mkdir()
        yield partial
        for entry in (*partial.rglob("*"), partial):
            _flush(entry)
        _swap(partial, path)
        _flush(path.parent)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it replaces `path` when the block ends without an error.

    A device or a pipe (/dev/stdout) is not replaced: what was written goes into it. Raises UserError and Unwritable as
    `atomic_directory`.
    """
    if _takes_bytes(path):
        with tempfile.TemporaryDirectory() as elsewhere:
            yield (whole := Path(elsewhere) / "whole")
            with open(whole, "rb") as source, writing(path), open(path, "wb") as file:
                shutil.copyfileobj(source, file)
        return
    with _beside(path) as partial:
        yield partial
        _flush(partial)
        os.replace(partial, path)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """An open file for a library to write to. Raises Unwritable, whatever the library makes of the system's refusal."""
    with writing(path):
        raw = _Remembering(path, "w")
    try:
        with raw, io.BufferedWriter(raw, 1 << 20) as file:
            yield file
    finally:
        if raw.refusal is not None:
            raise Unwritable(path, raw.refusal) from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes what the system says inside the block, where `path` and nothing else is written, an Unwritable."""
    try:
        yield
    except OSError as error:
        raise Unwritable(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Writes a file of UTF-8. Raises Unwritable."""
    with writing(path):
        path.write_text(text, encoding="utf-8")


def append(path: Path, line: str) -> None:
    """Writes a line of UTF-8, all of it or none, to the end of a file. Raises Unwritable."""
    with writing(path), open(path, "ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        rest = memoryview(line.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(end)
            raise


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The text of a file of UTF-8, without a mark before it. Raises UserError for a path that is no file, and for a
    file that is no text or larger than `largest` bytes, since all of it goes into memory."""
    check_regular(path)
    if (size := path.stat().st_size) > largest:
        raise UserError(f"{path} has {size:,} bytes, where at most {largest:,} are read")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path} is not UTF-8 text (line {line}); convert it, e.g. iconv -f GB18030 -t UTF-8") from None


@contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Keeps others from writing `path` during the block, as `locked` does; makes the directory it is in, and puts back
    what stood at `path` where a process was killed between two renames. Raises UserError, Unwritable."""
    _make(path.parent, path)
    with ExitStack() as stack:
        with writing(path):
            alone = stack.enter_context(locked(path, path.with_name(f".{path.name}.lock")))
        aside = sorted(_left(path, "old"), key=lambda left: left.stat().st_mtime)
        if aside and not os.path.lexists(path):
            os.replace(aside.pop(), path)
        for left in aside:
            _remove(left)
        yield alone


@contextmanager
def hold_directory(path: Path) -> Iterator[None]:
    """Makes the directory `path`, if need be, and keeps others from writing into it during the block; the same thread
    may hold it again. Raises UserError, Unwritable."""
    _make(path, path)
    with ExitStack() as stack:
        with writing(path):
            stack.enter_context(locked(path, path / LOCK, again=True))
        yield


def check_name(path: Path) -> None:
    """Raises UserError for a name that no file can have."""
    if "\0" in str(path):
        raise UserError(f"{str(path)!r} cannot be the name of a file: it holds a zero byte")


def _make(directory: Path, path: Path) -> None:
    """Makes a directory for the sake of `path`."""
    check_name(path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a file stands there
        raise Unwritable(path, NotADirectoryError(errno.ENOTDIR, str(error))) from None
    except OSError as error:
        raise Unwritable(path, error) from None


def restore(directory: Path) -> None:
    """Puts back what stood in `directory` where processes were killed between the renames that were to replace it."""
    for left in directory.glob(".*.old-*"):
        path = directory / left.name[1:].rpartition(".old-")[0]
        if not os.path.lexists(path) and any(_left(path, "old")):
            with hold(path):
                """It is there again."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sum(path: Path, checksum: str, said: str, remedy: str = "", *, place: str = "") -> None:
    """Raises CorruptFile when the file has another SHA-256 than the one that `said` says, a file beside it. It is
    called `place`, where that is not its path."""
    if (actual := sha256(path)) != checksum:
        raise CorruptFile(
            f"{place or path} is damaged: SHA-256 {actual[:16]}..., {said} says {checksum[:16]}...{remedy}"
        )


def check_regular(path: Path) -> None:
    """Raises UserError unless `path` is an ordinary file: reading a pipe or a socket would wait for ever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file") from None
    except ValueError:  # a NUL inside the name
        raise UserError(f"{str(path)!r}: no such file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise UserError(f"{path} is {kinds.get(stat.S_IFMT(mode), 'a device')}, not a file")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Holds `path`, clears away what dead processes left of it, and yields a free name beside it; whatever the block
    leaves under that name is removed."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with hold(path) as alone:
            for left in _left(path, "partial") if alone else ():
                _remove(left)
            try:
                yield partial
            finally:
                _remove(partial)
    except Unwritable as error:
        if partial not in (error.path, *Path(str(error.path)).parents):
            raise
        raise Unwritable(path / Path(str(error.path)).relative_to(partial), error.error) from None
    except OSError as error:
        _say(error, partial, path)


def _say(error: OSError, partial: Path, path: Path) -> NoReturn:
    """Raises the user's form of an error while `partial` was written: one of writing names the path."""
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if place is None and error.errno not in _FULL:
        raise error
    if place is None or place in (partial, path):
        raise Unwritable(path, error) from None
    if partial not in place.parents:
        raise error
    raise Unwritable(path / place.relative_to(partial), error) from None


def _left(path: Path, what: str) -> Iterator[Path]:
    """What dead processes left of `path`. A number like our own is of one before us."""
    for left in path.parent.glob(glob.escape(f".{path.name}.{what}-") + "*"):
        number = left.name.rpartition("-")[2]
        if not number.isdecimal() or int(number) == os.getpid() or not _lives(int(number)):
            yield left


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _takes_bytes(path: Path) -> bool:
    """Whether writing to `path` is sending: to a device, a pipe, or what stands in /dev for an open file."""
    return path.exists() and not path.is_dir() and (not path.is_file() or path.absolute().parts[:2] == ("/", "dev"))


def _flush(path: Path) -> None:
    """Waits until a file, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(new: Path, path: Path) -> None:
    """Renames `new` to `path`. What stood there is whole at every instant: the two exchange their names in one step,
    or, where that cannot be, it steps aside first and is put back if we are killed before the second step."""
    if not os.path.lexists(path):
        os.replace(new, path)
    elif not _exchange(new, path):
        old = path.with_name(f".{path.name}.old-{os.getpid()}")
        os.replace(path, old)
        os.replace(new, path)
        _remove(old)


def _exchange(one: Path, other: Path) -> bool:
    """Whether two names have been exchanged: Linux can, on most file systems."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    at_cwd, exchanged = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchanged) == 0


class _Remembering(io.FileIO):
    """A file that remembers that the system refused, for libraries that tell of it in their own words or not at all."""

    refusal: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.refusal = error
            raise
