"""Batches for training, made one step ahead in a thread; the place in the data is a value that can be saved."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from glmkit.core.errors import UserError
from glmkit.core.types import Batch
from glmkit.data.mixture import Source
from glmkit.data.packing import Plan, pack


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one optimizer step of this process reads."""

    batches: Sequence[Any]  # micro-batches, to be accumulated
    examples: list[tuple[int, int]]  # (epoch, index) of all of them, for the report when a loss is not finite
    tokens: int  # of text, [CLS] and end tokens included, padding not
    state: dict[str, Any]  # the place in the data after this step
    epochs: Mapping[str, float] = field(default_factory=dict)  # of a mixture: how often each corpus was read so far
    rows: Sequence[str] = ()  # where those examples stand in the user's file, if they are rows of one


class Loader:
    """Endless training steps. The rows of a step are planned the same way by every process; each builds its share:

    rows of the step    0 1 2 3 4 5 6 7        2 processes, 2 rows a micro-batch
    process 0           0 1 . . 4 5 . .        micro-batches [0 1] [4 5]
    process 1           . . 2 3 . . 6 7                      [2 3] [6 7]
    """

    def __init__(
        self,
        source: Source,
        *,
        rows: int,
        micro_rows: int,
        seq_length: int,
        rank: int = 0,
        world: int = 1,
        state: dict[str, Any] | None = None,
    ) -> None:
        """To be iterated once.

        `rows` a step over all processes, `micro_rows` at a time in each. `state`: where to go on, from `Step.state`.

        Raises UserError when the rows do not divide evenly, or the data hold fewer pieces than a step has rows.
        """
        if rows % (micro_rows * world):
            raise UserError(
                f"batch_size {rows} must be a multiple of micro_batch_size {micro_rows} times {world} processes"
            )
        if len(source) < rows:
            raise UserError(
                f"the training data hold {len(source)} pieces of text, cut from {source.documents} documents, "
                f"fewer than the {rows} rows of a batch; lower batch_size or give more text"
            )
        self.source, self.micro_rows, self.rank, self.world = source, micro_rows, rank, world
        place = state or {"epoch": 0, "cursor": 0, "waiting": []}
        self.plan = Plan(
            source.lengths,
            source.order,
            rows,
            seq_length,
            epoch=place["epoch"],
            cursor=place["cursor"],
            waiting=[(epoch, index) for epoch, index in place["waiting"]],
        )

    def __iter__(self) -> Iterator[Step]:
        with ThreadPoolExecutor(1, thread_name_prefix="glmkit-data") as thread:
            ahead = thread.submit(self._step)
            while True:
                step = ahead.result()
                ahead = thread.submit(self._step)
                yield step

    def _step(self) -> Step:
        rows = self.plan.next()
        share = self.micro_rows * self.world
        mine = [rows[i + self.rank * self.micro_rows :][: self.micro_rows] for i in range(0, len(rows), share)]
        batches = [batch(self.source, micro) for micro in mine]
        examples = [key for micro in mine for row in micro for key in row]
        tokens = int(self.source.lengths[[index for _, index in examples]].sum())
        state = self.plan.state
        epochs = self.source.epochs(state)
        return Step(batches=batches, examples=examples, tokens=tokens, state=state, epochs=epochs)


def batch(source: Source, rows: Sequence[Sequence[tuple[int, int]]]) -> Batch:
    """The batch whose rows hold the examples of these (epoch, index)."""
    examples = iter(source(key for row in rows for key in row))
    return pack([[next(examples) for _ in row] for row in rows], source.vocabulary.special.pad)


def one_pass(source: Source, *, rows: int, seq_length: int, limit: int | None = None) -> Iterator[Batch]:
    """The examples of epoch 0 once, in order, or the first `limit` of them: what a measurement reads."""
    filled: list[list[tuple[int, int]]] = [[]]
    left = seq_length
    for index in range(len(source) if limit is None else min(limit, len(source))):
        length = source.lengths.item(index)
        if length > left:
            if len(filled) == rows:
                yield batch(source, filled)
                filled = []
            filled.append([])
            left = seq_length
        filled[-1].append((0, index))
        left -= length
    if filled[-1]:
        yield batch(source, filled)
