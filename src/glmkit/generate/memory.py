"""What one row has read, kept between prompts, so that what the next one shares with it is not read again.

    first prompt   a b c        wrote x y          in memory   a b c x        (nobody has read the y yet)
    next prompt    a b c x y d                     shared      a b c x        read: y d
    or             a b e                           shared      a b            read: e

Keys and values of a token depend on all it sees. Read one way, that is what stands before it, so any common beginning
may stay. A context read both ways stays as a whole or not at all.
"""

from collections.abc import Sequence

from glmkit.core.types import Cache, IntArray, LanguageModel


class Memory:
    """Keys and values of the tokens a row has read. Forgets everything when the model or a weight of it changes."""

    def __init__(self) -> None:
        self.cache: Cache | None = None
        self._weights: list[tuple[int, int]] = []
        self._columns: list[tuple[int, ...]] = []  # id and positions of each token read
        self._context = 0  # how many of them were read both ways
        self.known = 0  # how many tokens of the last prompt did not have to be read

    def __len__(self) -> int:
        """The number of tokens that have been read."""
        return len(self._columns)

    def open(
        self, model: LanguageModel, tokens: IntArray, positions: IntArray, context: int, capacity: int
    ) -> tuple[Cache, int]:
        """Makes ready for a prompt of tokens [T] at [P, T], of which the first `context` are read both ways.

        Returns the cache, and how many of its tokens need not be read; the last one always is, since its answer is
        wanted.
        """
        weights = [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in model.parameters()]
        if self.cache is None or weights != self._weights:
            self.cache, self._weights, self._columns = model.new_cache(1, capacity), weights, []
        columns = _columns(tokens, positions)
        known = min(_common(self._columns, columns), len(columns) - 1)
        if context != self._context or known < context:
            known = 0
        self._columns, self._context = self._columns[:known], context
        self.cache.cut(known)
        self.known = known
        return self.cache, known

    def add(self, tokens: IntArray, positions: IntArray) -> None:
        """Notes tokens [T] at [P, T] that have been read into the cache."""
        self._columns += _columns(tokens, positions)


def _columns(tokens: IntArray, positions: IntArray) -> list[tuple[int, ...]]:
    return list(zip(tokens.tolist(), *positions.tolist(), strict=True))


def _common(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> int:
    """The length of the common beginning."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
