"""Text on standard input."""

import sys
from collections.abc import Iterator

from glmkit.core.errors import UserError


def lines() -> Iterator[str]:
    """The lines of standard input as they come, without their ends. Raises UserError naming line and byte, both
    counted from 1, where it is not UTF-8."""
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"standard input, line {number} is not UTF-8 (byte {error.start + 1})") from None
        yield line.rstrip("\r\n")
