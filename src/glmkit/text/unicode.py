"""Bytes back to characters, where some may be no character."""

import re

_ESCAPED = re.compile("[\ud800-\udfff]")


def readable(written: bytes, errors: str) -> str:
    """UTF-8 as text; bytes that are none become U+FFFD, one each with `errors` "surrogateescape"."""
    return shown(written.decode("utf-8", errors))


def shown(text: str) -> str:
    """Text in which bytes that could not be decoded, escaped as lone surrogates, are U+FFFD."""
    return _ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text)
