"""Standard input, output and error of the process, whatever they are: closed, full, in an encoding that lacks signs.

| stream | what is met | what happens |
|---|---|---|
| all | closed | no file that is opened later is taken for it; input is empty, of errors nobody hears |
| output | closed, full, on a broken disk | one line that says so, and an exit code |
| output | gbk, latin-1, ascii; half a character | what it lacks is written as JSON does, \\uXXXX, and said once |
| error | full, or its reader went away | the work goes on |
"""

import codecs
import errno
import io
import os
import sys
from typing import Any

from glmkit.core.errors import Unwritable

_ESCAPES = "glmkit.escapes"


def prepare() -> None:
    """Takes the streams of this process over; once, before anything is opened."""
    closed = [not _is_open(number) for number in range(3)]
    for number in range(3):
        if closed[number]:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 (as long as the process)
    codecs.register_error(_ESCAPES, _escaped)
    sys.stdout = _text(sys.stdout, _Output(1, closed[1]))
    sys.stderr = _text(sys.stderr, _Errors(2, "w", closefd=False))


def finish() -> None:
    """Writes out what is held back and says once what could not be written as it is. Raises Unwritable."""
    sys.stdout.flush()
    if _escapes_in:
        encoding = _escapes_in.pop()
        print(
            f"glmkit: {encoding} lacks signs of this text: they were written as \\uXXXX; "
            "set PYTHONIOENCODING=utf-8 to see them",
            file=sys.stderr,
        )


def give_up() -> None:
    """Drops what standard output would not take, of which it was said what there was to say."""
    buffer = getattr(sys.stdout, "buffer", None)
    if isinstance(raw := getattr(buffer, "raw", buffer), _Output):
        raw.given_up = True


_escapes_in: set[str] = set()


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    _escapes_in.add(error.encoding)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2)), error.end


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _text(before: Any, raw: io.FileIO) -> io.TextIOWrapper:
    """The stream as it was set up, over `raw`."""
    if before is None:
        return io.TextIOWrapper(raw, encoding="utf-8", errors=_ESCAPES, write_through=True)
    return io.TextIOWrapper(
        raw if before.write_through else io.BufferedWriter(raw),
        encoding=before.encoding,
        errors=_ESCAPES if before.errors in ("strict", "surrogateescape") else before.errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )


class _Output(io.FileIO):
    """Standard output, which says what it is that could not be written."""

    given_up = False

    def __init__(self, number: int, closed: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._closed = closed

    def write(self, data: Any) -> int:
        if self.given_up:
            return len(data)
        try:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return super().write(data)
        except BrokenPipeError:  # the reader has enough
            raise
        except OSError as error:
            raise Unwritable("standard output", error) from None


class _Errors(io.FileIO):
    """Standard error: where it takes nothing there is nobody to tell."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)
