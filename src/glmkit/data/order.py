"""The order of a corpus that is larger than memory: its shards in windows.

An epoch visits the shards in a random order, `window` of them at a time, and the chunks of each window in a random
order. Five shards of 2 chunks each, windows of 2 shards:

    shards of an epoch    3 0 | 4 1 | 2
    chunks                7 0 1 6 | 2 9 8 3 | 5 4

The order is a function of (seed, epoch) alone. Chunks are numbered shard by shard. In memory are two numbers for each
shard, and the chunks of the shards of one window; a place in the order is looked up by binary search.
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from glmkit.core.files import atomic_file
from glmkit.core.json_types import Table
from glmkit.core.locks import BeingWritten
from glmkit.core.random import epoch_generator
from glmkit.core.types import Example, IntArray
from glmkit.data.chunks import ChunkTable, ExampleSource, ObjectiveSchedule
from glmkit.data.shards import Corpus, open_part, read_index
from glmkit.infill.corruption import Vocabulary
from glmkit.infill.layout import Blanked, Layout
from glmkit.infill.position_schemes import PositionScheme

_SHARDS, _CHUNKS = 5, 6  # purposes of the random numbers
_SHORTEST = 2  # tokens of a chunk: one to blank, and the last one

# The chunks of a shard, by the lengths of its documents, of their prompts, and its number
Cutting = Callable[[IntArray, IntArray, int], ChunkTable]


def count_chunks(corpus: Corpus, cutting: Cutting, settings: str = "") -> IntArray:
    """The number of chunks of each shard, and of their tokens: int64 [S, 2]. One pass over the index of documents, once
    for the same `settings` of the cutting where the index is far away."""
    notes = corpus.store.notes
    path = notes and notes / f"chunks-{hashlib.sha256(settings.encode()).hexdigest()[:32]}.npy"
    if path and path.is_file():
        return np.load(path)
    counts = np.empty((len(corpus.shards), 2), dtype=np.int64)
    for number, shard in enumerate(corpus.shards):
        index = read_index(corpus.store, shard)
        table = cutting(np.diff(index[:, 0], prepend=0), index[:, 1], number)
        counts[number] = len(table), table.lengths.sum()
    if path:
        with suppress(BeingWritten), atomic_file(path) as partial, open(partial, "wb") as file:
            np.save(file, counts)
    return counts


@dataclass(frozen=True, kw_only=True)
class WindowedSource:
    """Examples by (epoch, index) of a corpus of which a window is in memory. `template` is a source of the same run
    with nothing to read; `counts` are those of `count_chunks`."""

    corpus: Corpus
    template: ExampleSource
    cutting: Cutting
    counts: IntArray  # [S, 2]
    window: int
    schedule: ObjectiveSchedule | None = None

    def __len__(self) -> int:
        return int(self._stops[-1])

    @property
    def vocabulary(self) -> Vocabulary:
        return self.template.vocabulary

    @property
    def position_scheme(self) -> PositionScheme:
        return self.template.position_scheme

    @property
    def documents(self) -> int:
        return int(self.corpus.manifest["documents"])

    @property
    def lengths(self) -> "WindowedLengths":
        """Tokens of each chunk."""
        return WindowedLengths(self)

    @cached_property
    def _stops(self) -> IntArray:
        """[S] one past the last chunk of each shard."""
        return np.cumsum(self.counts[:, 0])

    def first(self, shard: int) -> int:
        """The number of the first chunk of a shard."""
        return int(self._stops[shard]) - int(self.counts[shard, 0])

    def shard_of(self, index: int) -> int:
        """The number of the shard that a chunk is of."""
        return int(self._stops.searchsorted(index, side="right"))

    def locate(self, index: int) -> tuple[ExampleSource, int]:
        """The shard that a chunk is of, and its number in it."""
        shard = self.shard_of(index)
        return self._shard(shard), index - self.first(shard)

    @cached_property
    def _shard(self) -> Callable[[int], ExampleSource]:
        """shard(number): the chunks of one shard; those of a window and one more are kept in memory."""

        @lru_cache(maxsize=self.window + 1)
        def shard(number: int) -> ExampleSource:
            shards = open_part(self.corpus.store, self.corpus.manifest, [self.corpus.shards[number]])
            table = self.cutting(shards.lengths, shards.prompts, number)
            columns = [column.astype("<i4") for column in (table.documents, table.starts, table.stops)]
            return ExampleSource(
                shards=shards,
                table=ChunkTable(columns[0], columns[1], columns[2], table.opening),
                opening=self.template.opening,
                vocabulary=self.vocabulary,
                objective=self.template.objective,
                position_scheme=self.position_scheme,
                seed=self.template.seed,
                first=self.first(number),
            )

        return shard

    @cached_property
    def order(self) -> Callable[[int], "WindowedOrder"]:
        """order(epoch): the order in which an epoch visits the chunks."""
        return lru_cache(maxsize=2)(lambda epoch: WindowedOrder(self, epoch))

    def draw(self, epoch: int, index: int) -> Blanked | Layout:
        """What the objective draws for this example, before it is written out."""
        objective = self.template.objective
        if self.schedule is not None:
            objective = self.schedule.objective(epoch + self.order(epoch).place(index) / len(self))
        source, number = self.locate(index)
        return source.draw_by(objective, epoch, number)

    def __call__(self, keys: Iterable[tuple[int, int]]) -> list[Example]:
        """The examples of these (epoch, index), in the same order."""
        return self.template.finished(self.draw(epoch, index) for epoch, index in keys)

    def origin(self, index: int) -> str:
        """Where a chunk comes from, for people."""
        source, number = self.locate(index)
        return f"shard {self.corpus.shards[self.shard_of(index)]['name']} of {source.origin(number)}"

    def epochs(self, state: Table) -> dict[str, float]:
        """Empty for one corpus, whose epoch is that of the plan."""
        return {}


@dataclass(frozen=True)
class WindowedLengths:
    """Tokens of each chunk of a windowed source."""

    source: WindowedSource

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> int:
        part, number = self.source.locate(index)
        _, start, stop = part.table.row(number)
        return stop - start + part.table.opening

    def sum(self) -> int:
        return int(self.source.counts[:, 1].sum())

    def min(self) -> int:
        """No chunk is shorter."""
        return _SHORTEST + len(self.source.template.opening)


class WindowedOrder:
    """The chunks as one epoch visits them: `order[place]` is the number of a chunk."""

    ndim = 1

    def __init__(self, source: WindowedSource, epoch: int) -> None:
        self._source, self._epoch = source, epoch
        shards = len(source.counts)
        self._shards = epoch_generator(source.template.seed, epoch, _SHARDS).permutation(shards)
        starts = np.arange(0, shards, source.window)
        self._stops = np.cumsum(np.add.reduceat(source.counts[self._shards, 0], starts))  # [W] places
        self._read = lru_cache(maxsize=1)(self._enter)
        self._visits = lru_cache(maxsize=2)(lambda window: np.argsort(self._chunks(window)))

    def __len__(self) -> int:
        return int(self._stops[-1])

    def __getitem__(self, place: int) -> np.int64:
        window = int(self._stops.searchsorted(place, side="right"))
        chunks = self._read(window)
        return chunks[place - int(self._stops[window]) + len(chunks)]

    def place(self, index: int) -> int:
        """When a chunk is visited: the inverse."""
        shard = self._source.shard_of(index)
        window = int(np.flatnonzero(self._shards == shard)[0]) // self._source.window
        before = [other for other in self.shards(window) if other < shard]  # whose chunks have smaller numbers
        rank = int(self._source.counts[before, 0].sum()) + index - self._source.first(shard)
        visits = self._visits(window)
        return int(self._stops[window]) - len(visits) + int(visits[rank])

    def shards(self, window: int) -> list[int]:
        """The numbers of the shards of a window."""
        size = self._source.window
        return self._shards[window * size : (window + 1) * size].tolist()

    def _enter(self, window: int) -> IntArray:
        """The chunks of a window that is read now; the shards of the next one are expected."""
        last = window + 1 == len(self._stops)
        after = self._source.order(self._epoch + 1).shards(0) if last else self.shards(window + 1)
        corpus = self._source.corpus
        corpus.store.expect([corpus.shards[number] for number in (*self.shards(window), *after)])
        return self._chunks(window)

    def _chunks(self, window: int) -> IntArray:
        """The chunks of a window, as they are visited."""
        source = self._source
        chunks = np.concatenate(
            [source.first(shard) + np.arange(source.counts[shard, 0]) for shard in self.shards(window)]
        )
        epoch_generator(source.template.seed, self._epoch, _CHUNKS, window).shuffle(chunks)
        return chunks
