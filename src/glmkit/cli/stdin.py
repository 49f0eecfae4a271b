"""Text on standard input."""

import sys
from collections.abc import Iterator
from functools import partial

from glmkit.core.errors import UserError

LONGEST = 8 << 20  # bytes of a line


def lines() -> Iterator[str]:
    """The lines of standard input as they come, without their ends and without a mark of UTF-8 before the first.

    Raises UserError naming line and byte, both counted from 1, where it is not UTF-8, and a line that is too long.
    """
    for number, raw in enumerate(iter(partial(sys.stdin.buffer.readline, LONGEST + 1), b""), start=1):
        if len(raw) > LONGEST:
            raise UserError(f"standard input, line {number} is longer than {LONGEST >> 20} MB")
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"standard input, line {number} is not UTF-8 (byte {error.start + 1})") from None
        yield line.rstrip("\r\n")
