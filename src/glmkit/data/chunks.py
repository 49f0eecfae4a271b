"""Chunks of documents that fit the model, and the examples made of them.

A document of n tokens and its end token is cut into the fewest chunks that fit, as equal as possible, so it is used
to its end and no chunk is a crumb. With room for 5 tokens (a GLM's [CLS] is put before each chunk):

    a b c d e f g <eod>      ->      [CLS] a b c d  |  [CLS] e f g <eod>
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.core.random import ExampleRandom, epoch_generator
from glmkit.core.types import Example, IntArray
from glmkit.data.shards import Shards
from glmkit.infill.corruption import Chunk, Objective, Vocabulary, write_out
from glmkit.infill.layout import Blanked, Layout
from glmkit.infill.position_schemes import PositionScheme, example

_CUTTING, _SPLITTING, _SHUFFLING = range(3)  # purposes of the random numbers drawn once


@dataclass(frozen=True)
class ChunkTable:
    """Where the chunks stand: document number, first token, and one past the last (the end token counts as one)."""

    documents: IntArray  # [N]
    starts: IntArray  # [N]
    stops: IntArray  # [N]
    opening: int = 1  # tokens that stand before each chunk

    def __len__(self) -> int:
        return len(self.documents)

    def row(self, index: int) -> tuple[int, int, int]:
        return self.documents.item(index), self.starts.item(index), self.stops.item(index)

    @property
    def lengths(self) -> IntArray:
        """Tokens of each chunk with those before it."""
        return self.stops - self.starts + self.opening


def cut(lengths: IntArray, prompts: IntArray, documents: IntArray, seq_length: int, opening: int = 1) -> ChunkTable:
    """Cuts `documents` (of these `lengths`, their first `prompts` tokens a prompt) into chunks of at most `seq_length`,
    of which `opening` tokens are put before the text.

    Chunks with nothing to blank are left out: those that hold, besides their last token, only prompt.
    """
    totals = lengths[documents] + 1  # with the end token
    whole = ChunkTable(documents, np.zeros_like(totals), totals, opening)
    return _parts(whole, -(-totals // (seq_length - opening)), prompts)


def cut_short(
    table: ChunkTable, prompts: IntArray, probability: float, shortest: int, longest: int, seed: int, shard: int = 0
) -> ChunkTable:
    """Cuts each chunk, with this probability, into equal parts of about a length drawn from shortest .. longest - 1.

    So that the model meets short texts too (the short-sequence option of the original); only parts with nothing to
    blank are left out, as `cut` does. `shard`: the number of the one that the table is of, where it is of one.
    """
    rng = epoch_generator(seed, shard, _CUTTING)
    sizes = table.stops - table.starts
    wanted = rng.integers(min(shortest, longest - 1), longest, len(table))
    counts = np.where(rng.random(len(table)) < probability, np.maximum(1, sizes // wanted), 1)
    return _parts(table, counts, prompts)


def _parts(table: ChunkTable, counts: IntArray, prompts: IntArray) -> ChunkTable:
    """Each chunk cut into so many equal parts; of those, the ones with a token that may be blanked."""
    owner = np.repeat(np.arange(len(table)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    documents, begins = table.documents[owner], table.starts[owner]
    sizes, of = (table.stops - table.starts)[owner], counts[owner]
    starts: IntArray = number * sizes // of + begins
    stops: IntArray = (number + 1) * sizes // of + begins
    kept = stops - 1 > np.maximum(starts, prompts[documents])  # the last token of a chunk is never blanked
    return ChunkTable(documents[kept], starts[kept], stops[kept], table.opening)


def split_validation(documents: int, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Document numbers for training and for validation: a random `share`, at least one of each.

    Raises UserError when there are too few documents to split.
    """
    if share == 0:
        return np.arange(documents), np.arange(0)
    if documents < 2:
        raise UserError(
            f"{documents} document cannot be split into training and validation; give more (in .txt a blank line "
            "ends a document; `glmkit data prepare --split line` makes each line one), or validation_data=DIR"
        )
    order = epoch_generator(seed, 0, _SPLITTING).permutation(documents)
    count = min(max(1, round(share * documents)), documents - 1)
    return np.sort(order[count:]), np.sort(order[:count])


@dataclass(frozen=True, kw_only=True)
class ObjectiveSchedule:
    """An objective that changes while a source is read `epochs` times: `at` tells it for the share of that which is
    done, in steps of a hundredth."""

    at: Callable[[float], Objective]
    epochs: float

    @cached_property
    def _stages(self) -> Callable[[int], Objective]:
        return lru_cache(maxsize=None)(lambda stage: self.at(stage / 100))

    def objective(self, epoch: float) -> Objective:
        """The objective of the `epoch`th reading, a part of which may be done."""
        return self._stages(min(100, int(100 * epoch / self.epochs)))


@dataclass(frozen=True, kw_only=True)
class ExampleSource:
    """Examples by (epoch, index): the same three numbers (seed, epoch, index) give the same example, always.

    `opening`: the ids that stand before every chunk, as many as `table` has room for. `first`: the number of its first
    chunk among those of a mixture. `schedule`: of an objective that changes, in place of `objective`; how far it is
    depends on the place of the chunk in its epoch, not on who reads it when.
    """

    shards: Shards
    table: ChunkTable
    opening: tuple[int, ...]
    vocabulary: Vocabulary
    objective: Objective
    position_scheme: PositionScheme
    seed: int
    first: int = 0
    schedule: ObjectiveSchedule | None = None

    @cached_property
    def _random(self) -> ExampleRandom:
        return ExampleRandom(self.seed)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def lengths(self) -> IntArray:
        """Tokens of each chunk."""
        return self.table.lengths

    @property
    def documents(self) -> int:
        """How many documents the chunks are cut from."""
        return len(np.unique(self.table.documents))

    def origin(self, index: int) -> str:
        """Where a chunk comes from, for people."""
        document, start, stop = self.table.row(index)
        return f"{self.shards.store.place}, document {document}, tokens {start} to {stop - 1}"

    def epochs(self, state: Table) -> dict[str, float]:
        """Empty for one corpus, whose epoch is that of the plan."""
        return {}

    def order(self, epoch: int) -> IntArray:
        """The order in which an epoch visits the chunks."""
        return epoch_generator(self.seed, epoch, _SHUFFLING).permutation(len(self.table))

    def chunk(self, index: int) -> Chunk:
        document, start, stop = self.table.row(index)
        complete = stop > self.shards.lengths.item(document)
        before = len(self.opening)
        tokens = np.empty(stop - start + before, dtype=np.int64)
        tokens[:before] = self.opening
        tokens[before : len(tokens) - complete] = self.shards.read(document, start, stop - complete)
        if complete:
            tokens[-1] = self.vocabulary.special.eod
        first = before + max(0, self.shards.prompts.item(document) - start)
        return Chunk(tokens=tokens, first=first, complete=complete)

    def draw(self, epoch: int, index: int) -> Blanked | Layout:
        """What the objective draws for this example, before it is written out."""
        objective = self.objective
        if self.schedule is not None:
            objective = self.schedule.objective(epoch + self._places(epoch).item(index) / len(self))
        return self.draw_by(objective, epoch, index)

    def draw_by(self, objective: Objective, epoch: int, index: int) -> Blanked | Layout:
        """What this objective draws for an example."""
        return objective(self.chunk(index), self.vocabulary, self._random.at(epoch, self.first + index))

    @cached_property
    def _places(self) -> Callable[[int], IntArray]:
        """places(epoch): when in that epoch each chunk is visited."""
        return lru_cache(maxsize=2)(lambda epoch: np.argsort(self.order(epoch)))

    def __call__(self, keys: Iterable[tuple[int, int]]) -> list[Example]:
        """The examples of these (epoch, index), in the same order."""
        return self.finished(self.draw(epoch, index) for epoch, index in keys)

    def finished(self, drawn: Iterable[Blanked | Layout]) -> list[Example]:
        """What was drawn, written out and numbered."""
        return [example(layout, self.position_scheme) for layout in write_out(list(drawn), self.vocabulary.special)]
