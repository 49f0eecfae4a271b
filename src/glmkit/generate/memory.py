"""What one row has read, kept between prompts, so that what the next one shares with it is not read again.

    first prompt   a b c        wrote x y z        in memory   a b c|x|y|     (nobody has read the z yet)
    next prompt    a b c x y z d                   kept        a b c|x|y|     read: z d
    or             a b c x e                       kept        a b c|x|       read: e
    or             a b c                           kept                       read: a b c
    or             a b e                           kept                       read: a b e

Keys and values of a token depend on all it sees. Read one way, that is what stands before it, so any common beginning
could stay. To the last bit they depend on the tokens they were read together with, too: below float32 a sum of many
rows is rounded in another order than that of one. So what is kept ends where a read ended (`|`), and a prompt that is
read again is read in the same pieces as the first time: it gets the same reply in every precision. At most a piece of
the prompt (`glmkit.generate.engine.CHUNK` tokens) is read once more for it; each token of a reply ends a read.
A context read both ways stays as a whole or not at all.
"""

from bisect import bisect_right
from collections.abc import Sequence

from glmkit.core.machine import give_back_memory
from glmkit.core.types import Cache, IntArray, LanguageModel

_MANY = 1024  # tokens: 28 MiB of keys and values of a ChatGLM2-6B in 16 bits


class Memory:
    """Keys and values of the tokens a row has read. Forgets everything when the model or a weight of it changes."""

    def __init__(self) -> None:
        self.cache: Cache | None = None
        self._weights: list[tuple[int, int]] = []
        self._columns: list[tuple[int, ...]] = []  # id and positions of each token read
        self._borders: list[int] = [0]  # how many tokens had been read before each read, and after the last
        self._context = 0  # how many of them were read both ways
        self.known = 0  # how many tokens of the last prompt did not have to be read

    def __len__(self) -> int:
        """The number of tokens that have been read."""
        return len(self._columns)

    def open(
        self, model: LanguageModel, tokens: IntArray, positions: IntArray, context: int, capacity: int
    ) -> tuple[Cache, int]:
        """Makes ready for a prompt of tokens [T] at [P, T], of which the first `context` are read both ways, and for
        `capacity` tokens in all; room for many more, which a longer prompt left, is given back.

        Returns the cache, and how many of its tokens need not be read; the last one always is, since its answer is
        wanted.
        """
        weights = [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in model.parameters()]
        columns = _columns(tokens, positions)
        known = 0
        if self.cache is not None and weights == self._weights:
            shared = min(_common(self._columns, columns), len(columns) - 1)
            known = self._borders[bisect_right(self._borders, shared) - 1]
        if context != self._context or known < context:
            known = 0
        longer = len(self._columns) > capacity + _MANY
        self._weights, self._context = weights, context
        self._columns, self._borders = self._columns[:known], self._borders[: bisect_right(self._borders, known)]
        if self.cache is None or not known:
            self.cache = None  # before there is another
            self.cache = model.new_cache(1, capacity)
        self.cache.cut(known)
        self.cache.fit(capacity)
        if longer:
            give_back_memory()
        self.known = known
        return self.cache, known

    def add(self, tokens: IntArray, positions: IntArray) -> None:
        """Notes tokens [T] at [P, T] that have been read into the cache, in one read."""
        self._columns += _columns(tokens, positions)
        self._borders.append(len(self._columns))


def _columns(tokens: IntArray, positions: IntArray) -> list[tuple[int, ...]]:
    return list(zip(tokens.tolist(), *positions.tolist(), strict=True))


def _common(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> int:
    """The length of the common beginning."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
