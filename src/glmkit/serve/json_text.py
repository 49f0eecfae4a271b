"""JSON as it is written, byte by byte: whether a string is open, and which keys the object around has.

A grammar of an object with free keys does not know which were written: here a key is seen before it stands twice.
"""

import json
from typing import Any, Self

_QUOTE, _ESCAPE = b'"'[0], b"\\"[0]


class JsonText:
    """What was written so far of a document that a grammar allowed."""

    def __init__(self) -> None:
        self.in_string = False
        self._string = bytearray()
        self._escaped = False
        self._expects_key = False  # between { or , of an object and the colon behind the key
        self._keys: list[set[bytes] | None] = []  # of each open object, from the outermost; None for an array

    def copy(self) -> Self:
        other = type(self)()
        other.in_string, other._escaped, other._expects_key = self.in_string, self._escaped, self._expects_key
        other._string = bytearray(self._string)
        other._keys = [None if keys is None else set(keys) for keys in self._keys]
        return other

    def feed(self, written: bytes) -> None:
        for byte in written:
            if self.in_string:
                self._in_string(byte)
            elif byte == _QUOTE:
                self.in_string, self._string = True, bytearray()
            elif byte in b"{[":
                self._keys.append(set() if byte == b"{"[0] else None)
                self._expects_key = byte == b"{"[0]
            elif byte in b"}]":
                self._keys.pop()
                self._expects_key = False
            elif byte == b","[0]:
                self._expects_key = bool(self._keys) and self._keys[-1] is not None
            elif byte == b":"[0]:
                self._expects_key = False

    def _in_string(self, byte: int) -> None:
        if byte == _QUOTE and not self._escaped:
            self.in_string = False
            if self._expects_key and self._keys and (keys := self._keys[-1]) is not None:
                keys.add(bytes(self._string))
            return
        self._string.append(byte)
        self._escaped = byte == _ESCAPE and not self._escaped

    @property
    def may_repeat(self) -> bool:
        """Whether the next key could be one that its object has."""
        return self._expects_key and bool(self._keys) and bool(self._keys[-1])

    def beginnings(self) -> set[bytes]:
        """What would write a part of a key that the object has, up to the mark that ends it."""
        written = bytes(self._string) if self.in_string else b""
        rests = [key[len(written) :] for key in self._keys[-1] or () if key.startswith(written)]
        rests = rests if self.in_string else [b'"' + rest for rest in rests]
        return {rest[:end] for rest in rests for end in range(1, len(rest) + 1)}

    def repeats(self, written: bytes) -> bool:
        """Whether these bytes would complete a key that its object has. A grammar allows one spelling of each key."""
        if not self.may_repeat:
            return False
        key, escaped = bytearray(self._string if self.in_string else b""), self._escaped
        for byte in written if self.in_string else written.partition(b'"')[2]:
            if byte == _QUOTE and not escaped:
                return bytes(key) in (self._keys[-1] or ())
            key.append(byte)
            escaped = byte == _ESCAPE and not escaped
        return False


def repeated_key(text: str) -> str | None:
    """A key that stands twice in one object of a JSON text; None where there is none. Raises ValueError for no JSON."""
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        repeated.extend(key for place, key in enumerate(keys) if key in keys[:place] and not repeated)

    json.loads(text, object_pairs_hook=look, parse_int=str)
    return repeated[0] if repeated else None
