"""Text on standard input."""

import sys
from collections.abc import Iterator
from functools import partial

from glmkit.core.errors import UserError

LONGEST = 8 << 20  # bytes of a line


def lines() -> Iterator[str]:
    """The lines of standard input as they come, without their ends and without a mark of UTF-8 before the first.
    A terminal shows that they are to be typed.

    Raises UserError naming line and byte, both counted from 1, where it is not UTF-8, and a line that is too long.
    """
    for line in lines_or_errors():
        if isinstance(line, UserError):
            raise line
        yield line


def lines_or_errors() -> Iterator[str | UserError]:
    """As `lines`, but what is wrong with a line stands in its place, so that the others can still be read."""
    if sys.stdin.isatty():
        print("reading from the terminal: type the text; Ctrl-D on a line of its own ends it", file=sys.stderr)
    for number, raw in enumerate(iter(partial(sys.stdin.buffer.readline, LONGEST + 1), b""), start=1):
        if len(raw) > LONGEST:
            while raw and not raw.endswith(b"\n"):
                raw = sys.stdin.buffer.readline(LONGEST)
            yield UserError(f"standard input, line {number} is longer than {LONGEST >> 20} MB")
            continue
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield UserError(f"standard input, line {number} is not UTF-8 (byte {error.start + 1})")
