"""Regular expressions as grammars read them: what they cannot do, and how long a match is, found without running one.

size_of("[a-z]{2,4}@(x|yz)+")  ->  aa@x, a match of the fewest characters, and 8 once the count is written out
"""

import re
from contextlib import suppress
from typing import NamedTuple

LONGEST = 4096  # characters of a pattern
_MOST = 10_000  # characters and classes once every counted repeat is written out


class Size(NamedTuple):
    """A match of the fewest characters, and how many the pattern has once counted repeats are written out."""

    example: str
    most: int

    @property
    def least(self) -> int:
        return len(self.example)


_REFUSED = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "(?P=": "a back-reference",
    "\\k": "a back-reference",
    "\\b": "a word boundary",
    "\\B": "a word boundary",
} | {f"\\{digit}": "a back-reference" for digit in range(1, 10)}
_OPEN = re.compile(r"\((?:\?(?:P<\w+>|<\w+>|P=|<=|<!|[=!:]|[a-zA-Z-]+:))?")
_USUAL = "a1A -_./:@#+,;=%&()一é\n\t"
_COUNT = re.compile(r"\{(\d+)(,(\d*))?\}")
_ATOM = re.compile(
    r"\\[xu]\{[^}]*\}|\\[pP]\{[^}]*\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|.",
    re.DOTALL,
)


def fault(pattern: str) -> str:
    """Why a grammar cannot hold to `pattern`; "" where it can, as far as can be seen without running it."""
    if len(pattern) > LONGEST:
        return f"a pattern of {len(pattern):,} characters is too long; at most {LONGEST:,}"
    for atom in _atoms(pattern):
        if atom in _REFUSED:
            return f"{_REFUSED[atom]} ({atom}) in a pattern is not supported; write the pattern without it"
    if (most := size_of(pattern).most) > _MOST:
        return f"the counted repeats of the pattern come to {most:,} characters; at most {_MOST:,}"
    return ""


def size_of(pattern: str) -> Size:
    """The size of a match. A group that is never closed ends with the pattern; of a pattern that `fault` refuses for
    its repeats the example is cut short."""
    # Of each open group: the branches before the last |, and what stands before it.
    done: list[tuple[Size | None, Size]] = []
    branches: Size | None = None
    sequence = _Sequence()
    for atom in _atoms(pattern):
        if atom.startswith("("):
            done.append((branches, sequence.total))
            branches, sequence = None, _Sequence()
        elif atom == ")" and done:
            group = _either(branches, sequence.total)
            branches, before = done.pop()
            sequence = _Sequence(before)
            sequence.add(group)
        elif atom == "|":
            branches, sequence = _either(branches, sequence.total), _Sequence()
        elif atom in ("*", "?"):
            sequence.repeat(0, 1)
        elif atom in ("+", "^", "$"):
            pass
        elif (count := _COUNT.fullmatch(atom)) is not None:
            low = min(int(count[1]), _MOST + 1)
            sequence.repeat(low, max(low, min(int(count[3]), _MOST + 1) if count[3] else 1))
        else:
            sequence.add(Size(_member(atom), 1))
    while done:
        group = _either(branches, sequence.total)
        branches, before = done.pop()
        sequence = _Sequence(before)
        sequence.add(group)
    return _either(branches, sequence.total)


class _Sequence:
    """Parts one after another, the last of which a quantifier may repeat."""

    def __init__(self, before: Size | None = None) -> None:
        self._before, self._last = before or Size("", 0), Size("", 0)

    def add(self, part: Size) -> None:
        self._before, self._last = self.total, part

    def repeat(self, low: int, high: int) -> None:
        self._last = Size((self._last.example * low)[: _MOST + 1], self._last.most * high)

    @property
    def total(self) -> Size:
        return Size(self._before.example + self._last.example, self._before.most + self._last.most)


def _either(branches: Size | None, other: Size) -> Size:
    if branches is None:
        return other
    return Size(min(branches.example, other.example, key=len), branches.most + other.most)


def _member(atom: str) -> str:
    """A character that a class, an escape or a character matches; any where none of the usual ones does."""
    with suppress(re.error, FutureWarning):
        matcher = re.compile(atom, re.ASCII if atom.isascii() else 0)
        return next((sign for sign in _USUAL + atom if matcher.fullmatch(sign)), "a")
    return "a"


def _atoms(pattern: str) -> list[str]:
    """Characters, escapes, classes, quantifiers and signs that open or close a group."""
    atoms, at = [], 0
    while at < len(pattern):
        match = _OPEN.match(pattern, at) or _COUNT.match(pattern, at) or _ATOM.match(pattern, at)
        assert match is not None, "any character is an atom"
        atoms.append(match[0])
        at = match.end()
    return atoms
