"""Endless training steps: which examples the rows of a step hold, the share of one process, and the batches of it.

A plan draws the rows of a step, the same ones in every process; a process builds its share of them one step ahead, in a
thread. How rows are dealt:

    rows of the step    0 1 2 3 4 5 6 7        2 processes, 2 rows a micro-batch
    blocks              process 0: [0 1] [4 5]      process 1: [2 3] [6 7]
    strides             process 0: [0 2] [4 6]      process 1: [1 3] [5 7]; the number of rows need not divide
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import Field, dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from glmkit.core.json_types import JsonObject
from glmkit.core.types import IntArray
from glmkit.data.packing import Lengths

Key = tuple[int, int]  # (epoch, index) of an example
Row = Sequence[Key]


class Weighted(Protocol):
    """What a loss reads: any dataclass of tensors that can be moved and says how much each of its targets counts."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def weights(self) -> Tensor: ...
    def to(self, device: torch.device) -> "Weighted": ...


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one optimizer step of this process reads."""

    batches: Sequence[Weighted]  # micro-batches, to be accumulated
    examples: list[Key]  # (epoch, index) of all of them, for the report when a loss is not finite
    tokens: int  # of text, [CLS] and end tokens included, padding not
    state: JsonObject  # the place in the data after this step
    epochs: Mapping[str, float] = field(default_factory=dict)  # of a mixture: how often each corpus was read so far
    rows: Sequence[str] = ()  # where those examples stand in the user's file, if they are rows of one


class Plan(Protocol):
    """Draws the rows of each step; `state` is all that has to be kept to go on exactly where it is."""

    def next(self) -> Sequence[Row]: ...
    @property
    def state(self) -> JsonObject: ...


@dataclass
class RowPlan:
    """A row for each example: `rows` of them a step, the last step of an epoch has what is left."""

    count: int  # examples
    order: Callable[[int], IntArray]  # the order in which an epoch visits them
    rows: int
    epoch: int = 0
    cursor: int = 0

    def __post_init__(self) -> None:
        self._order = lru_cache(maxsize=1)(self.order)

    def next(self) -> list[list[Key]]:
        """The (epoch, index) of the one example of each row of the next step."""
        if self.cursor >= self.count:
            self.epoch, self.cursor = self.epoch + 1, 0
        drawn = self._order(self.epoch)[self.cursor : self.cursor + self.rows].tolist()
        self.cursor += len(drawn)
        return [[(self.epoch, index)] for index in drawn]

    @property
    def state(self) -> JsonObject:
        return {"epoch": self.epoch, "cursor": self.cursor}


def blocks(rows: Sequence[Row], micro_rows: int, rank: int, world: int) -> list[Sequence[Row]]:
    """The micro-batches of process `rank`: of every `micro_rows` times `world` rows those that are its turn."""
    return [rows[at + rank * micro_rows :][:micro_rows] for at in range(0, len(rows), micro_rows * world)]


def strides(rows: Sequence[Row], micro_rows: int, rank: int, world: int) -> list[Sequence[Row]]:
    """The micro-batches of process `rank`: of every `world` rows the one that is its turn, `micro_rows` at a time."""
    mine = rows[rank::world]
    return [mine[at : at + micro_rows] for at in range(0, len(mine), micro_rows)]


@dataclass(frozen=True, kw_only=True)
class StepSource:
    """The steps of one process, until `enough` says so; to be iterated once.

    `batch` makes a batch of rows, `lengths` are the tokens of each example, `names` where each stands, if known;
    `epochs` of a mixture, how often each corpus was read at a state of the plan.
    """

    plan: Plan
    batch: Callable[[Sequence[Row]], Weighted]
    lengths: Lengths
    micro_rows: int
    deal: Callable[[Sequence[Row], int, int, int], list[Sequence[Row]]] = strides
    rank: int = 0
    world: int = 1
    names: Sequence[str] = ()
    epochs: Callable[[JsonObject], Mapping[str, float]] = lambda state: {}
    enough: Callable[[], bool] = lambda: False

    def __iter__(self) -> Iterator[Step]:
        with ThreadPoolExecutor(1, thread_name_prefix="glmkit-data") as thread:
            ahead = thread.submit(self._step)
            while not self.enough():
                step = ahead.result()
                ahead = thread.submit(self._step)
                yield step

    def _step(self) -> Step:
        rows = self.plan.next()
        state = self.plan.state
        mine = self.deal(rows, self.micro_rows, self.rank, self.world)
        keys = [key for micro in mine for row in micro for key in row]
        indices = [index for _, index in keys]
        return Step(
            batches=[self.batch(micro) for micro in mine] or [self._idle(rows)],
            examples=keys,
            tokens=sum(int(self.lengths[index]) for index in indices),
            state=state,
            epochs=self.epochs(state),
            rows=[self.names[index] for index in indices] if self.names else (),
        )

    def _idle(self, rows: Sequence[Row]) -> Weighted:
        """A batch that counts nothing, for a process that has no row of a step: it must take part in it."""
        spare = self.batch(rows[:1])
        return replace(spare, weights=spare.weights * 0)
