"""Keys and values of one row, kept between prompts, so that what the next prompt shares with it is not read again.

    first prompt   a b c        wrote x y z        cached      a b c|x|y|     (nobody has read the z yet)
    next prompt    a b c x y z d                   kept        a b c|x|y|     read: z d
    or             a b c x e                       kept        a b c|x|       read: e
    or             a b c                           kept                       read: a b c
    or             a b e                           kept                       read: a b e

Keys and values of a token depend on all it sees. Read one way, that is what stands before it, so any common prefix
could stay. To the last bit they depend on the tokens they were read together with, too: below float32 a sum of many
rows is rounded in another order than that of one. So what is kept ends where a read ended (`|`), and a prompt that is
read again is read in the same chunks as the first time: it gets the same reply in every precision. At most a chunk of
the prompt (`glmkit.generate.session.CHUNK` tokens) is read once more for it; each token of a reply ends a read.
A context read both ways stays as a whole or not at all.
"""

from bisect import bisect_right
from collections.abc import Sequence

from glmkit.core.machine import give_back_memory
from glmkit.core.types import Cache, IntArray, LanguageModel

_SPARE = 1024  # tokens: 28 MiB of keys and values of a ChatGLM2-6B in 16 bits


class PrefixCache:
    """Keys and values of the tokens a row has read. Forgets everything when the model or a weight of it changes."""

    def __init__(self) -> None:
        self.cache: Cache | None = None
        self._weights: list[tuple[int, int]] = []
        self._tokens: list[tuple[int, ...]] = []  # id and positions of each token read
        self._read_ends: list[int] = [0]  # how many tokens had been read before each read, and after the last
        self._context = 0  # how many of them were read both ways
        self.cached_tokens = 0  # of the last prompt, which did not have to be read

    def __len__(self) -> int:
        """The number of tokens that have been read."""
        return len(self._tokens)

    def open(
        self, model: LanguageModel, tokens: IntArray, positions: IntArray, context: int, capacity: int
    ) -> tuple[Cache, int]:
        """Prepares for a prompt of tokens [T] at [P, T], of which the first `context` are read both ways, and for
        `capacity` tokens in all; room for many more, which a longer prompt left, is given back.

        Returns the cache, and how many of its tokens need not be read; the last one always is, since its logits are
        wanted.
        """
        weights = [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in model.parameters()]
        prompt = _with_positions(tokens, positions)
        cached = 0
        if self.cache is not None and weights == self._weights:
            shared = min(_common_prefix(self._tokens, prompt), len(prompt) - 1)
            cached = self._read_ends[bisect_right(self._read_ends, shared) - 1]
        if context != self._context or cached < context:
            cached = 0
        longer = len(self._tokens) > capacity + _SPARE
        self._weights, self._context = weights, context
        self._tokens = self._tokens[:cached]
        self._read_ends = self._read_ends[: bisect_right(self._read_ends, cached)]
        if self.cache is None or not cached:
            self.cache = None  # before there is another
            self.cache = model.new_cache(1, capacity)
        self.cache.cut(cached)
        self.cache.fit(capacity)
        if longer:
            give_back_memory()
        self.cached_tokens = cached
        return self.cache, cached

    def record(self, tokens: IntArray, positions: IntArray) -> None:
        """Notes tokens [T] at [P, T] that one read has put into the cache."""
        self._tokens += _with_positions(tokens, positions)
        self._read_ends.append(len(self._tokens))


def _with_positions(tokens: IntArray, positions: IntArray) -> list[tuple[int, ...]]:
    return list(zip(tokens.tolist(), *positions.tolist(), strict=True))


def _common_prefix(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> int:
    """The length of the common prefix."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
