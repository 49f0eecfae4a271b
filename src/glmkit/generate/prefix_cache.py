"""Keys and values of rows that have been read, kept so that what a new prompt shares with one is not read again.

    first prompt   a b c        wrote x y z        cached      a b c|x|y|     (nobody has read the z yet)
    next prompt    a b c x y z d                   kept        a b c|x|y|     read: z d
    or             a b c x e                       kept        a b c|x|       read: e
    or             a b c                           kept                       read: a b c
    or             a b e                           kept                       read: a b e

Keys and values of a token depend on all it sees. Read one way, that is what stands before it, so any common prefix
could stay. To the last bit they depend on the tokens they were read together with, too: below float32 a sum of many
rows is rounded in another order than that of one. So what is kept ends where a read ended (`|`), and a prompt that is
read again is read in the same chunks as the first time: it gets the same reply in every precision. At most a chunk of
the prompt (`glmkit.generate.scheduler.CHUNK` tokens) is read once more for it; each token of a reply ends a read.
A context read both ways stays as a whole or not at all.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glmkit.core.machine import give_back_memory
from glmkit.core.types import LanguageModel, StoredCache
from glmkit.nn.lora import Adapter

_SPARE = 1024  # tokens: 28 MiB of keys and values of a ChatGLM2-6B in 16 bits

ReadToken = tuple[int, ...]  # an id and its positions


@dataclass
class ReadRow:
    """A row of a cache, and what has been read into it."""

    cache: StoredCache
    context: int  # how many of its tokens were read both ways
    owner: str = ""  # who alone may go on with it
    adapter: Adapter | None = None  # that it was read with
    tokens: list[ReadToken] = field(default_factory=list)
    read_ends: list[int] = field(default_factory=lambda: [0])  # tokens read before each read, and after the last

    def record(self, tokens: Iterable[ReadToken]) -> None:
        """Notes tokens that one read has put into the cache."""
        self.tokens += tokens
        self.read_ends.append(len(self.tokens))

    def cut(self, length: int) -> None:
        """Forgets all but the first `length` tokens, and what the cache holds beyond those recorded."""
        self.cache.cut(length)
        self.tokens = self.tokens[:length]
        self.read_ends = self.read_ends[: bisect_right(self.read_ends, length)]

    def fork(self) -> "ReadRow":
        """A copy that goes its own way."""
        return replace(self, cache=self.cache.clone(), tokens=[*self.tokens], read_ends=[*self.read_ends])

    def usable(self, prompt: Sequence[ReadToken], context: int) -> int:
        """How many tokens of a prompt, of which the first `context` are read both ways, need not be read; the last one
        always is, since its logits are wanted."""
        shared = min(_common_prefix(self.tokens, prompt), len(prompt) - 1)
        usable = self.read_ends[bisect_right(self.read_ends, shared) - 1]
        return usable if context == self.context and usable >= context else 0


class PrefixCache:
    """The last `max_rows` rows, the least recently used first. It forgets all when a weight of the model changes, and
    the rows of an adapter that is no longer among `adapters`."""

    def __init__(self, model: LanguageModel, max_rows: int = 1, adapters: Mapping[str, Adapter] | None = None) -> None:
        self.model, self.max_rows, self.adapters = model, max_rows, {} if adapters is None else adapters
        self.rows: list[ReadRow] = []
        self._weights: list[tuple[int, int]] = []
        self.queries = self.hits = 0  # tokens asked for, and those that were there

    @property
    def nbytes(self) -> int:
        return sum(row.cache.nbytes for row in self.rows)

    def open(
        self,
        prompt: Sequence[ReadToken],
        context: int,
        capacity: int,
        owner: str = "",
        adapter: Adapter | None = None,
        others: Iterable[ReadRow] = (),
    ) -> ReadRow | None:
        """The row that holds most of `prompt`, cut to what it shares with it and with room for `capacity` tokens; None
        where none holds any.

        A row is handed over where nothing of it is lost or there is no place for another, else a copy of it; of
        `others`, which are in use, always a copy.
        """
        self._forget_if_changed()
        self.queries += len(prompt)
        rows = [row for row in (*self.rows, *others) if row.owner == owner and row.adapter is adapter]
        best = max(rows, key=lambda row: row.usable(prompt, context), default=None)
        known = 0 if best is None else best.usable(prompt, context)
        if best is None or not known:
            return None
        self.hits += known
        kept = any(row is best for row in self.rows)
        if kept and (self.max_rows == 1 or known == len(best.tokens)):
            self.rows = [row for row in self.rows if row is not best]
            longer = len(best.tokens) > capacity + _SPARE
        else:
            if kept:
                self.rows = [*(row for row in self.rows if row is not best), best]
            best, longer = best.fork(), False
        best.cut(known)
        best.cache.fit(capacity)
        if longer:
            give_back_memory()
        return best

    def keep(self, row: ReadRow) -> None:
        """Keeps a row that nobody writes any longer."""
        row.cut(len(row.tokens))  # drafts that nobody accepted
        self.rows = [*self.rows, row][-self.max_rows :] if self.max_rows else []
        self.forget_removed()

    def evict(self) -> bool:
        """Forgets the least recently used row. False where there is none."""
        if not self.rows:
            return False
        del self.rows[0]
        return True

    def forget_removed(self) -> None:
        """Forgets the rows of adapters that are gone."""
        known = [None, *self.adapters.values()]
        self.rows = [row for row in self.rows if row.adapter in known]

    def clear(self) -> None:
        self.rows = []

    def _forget_if_changed(self) -> None:
        weights = [(w.data_ptr(), 0 if w.is_inference() else w._version) for w in self.model.parameters()]
        if weights != self._weights:
            self.rows, self._weights = [], weights


def _common_prefix(one: Sequence[ReadToken], other: Sequence[ReadToken]) -> int:
    """The length of the common prefix."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
