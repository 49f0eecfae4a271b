"""Endless training steps: which examples the rows of a step hold, the share of one process, and the batches of it.

A plan draws the rows of a step, the same ones in every process; a process builds its share of them one step ahead, in a
thread. Rows are cut into micro-batches, and those dealt in turn: number m of a step is computed by process m mod world,
so whatever the number of processes a step has the same micro-batches. 5 rows, 2 a micro-batch, 2 processes:

    rows of the step    0 1 2 3 4
    process 0           [0 1] [4]
    process 1           [2 3] [ ]       the last is a batch that counts nothing: all make the same collectives
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import Field, dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor

from glmkit.core.errors import UserError
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


Some = TypeVar("Some", bound=Weighted)
Item = TypeVar("Item")


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


def micro_batches(rows: Sequence[Row], micro_rows: int, rank: int, world: int) -> list[Sequence[Row]]:
    """The micro-batches of process `rank`, as many as every other has: without rows where it has none in a round.

    They hold `micro_rows` rows, or fewer where else some process would have none at all.
    """
    size = min(micro_rows, -(-len(rows) // world))
    return [part or [] for part in dealt([rows[at : at + size] for at in range(0, len(rows), size)], rank, world)]


def dealt(items: Sequence[Item], rank: int, world: int) -> list[Item | None]:
    """The items of process `rank`, one of every `world`; None in a round in which there is none for it."""
    rounds = -(-len(items) // world)
    return [items[number] if number < len(items) else None for number in range(rank, rounds * world, world)]


def idle(batch: Some) -> Some:
    """The batch counting nothing, for a process without rows in a round: it takes part in what all do together."""
    return replace(batch, weights=batch.weights * 0)


def refuse_idle(rows: int, world: int) -> None:
    """Raises UserError for a step with fewer rows than processes."""
    if rows < world:
        raise UserError(f"batch_size {rows} is less than the {world} processes: raise it, or start fewer")


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
        mine = micro_batches(rows, self.micro_rows, self.rank, self.world)
        keys = [key for micro in mine for row in micro for key in row]
        indices = [index for _, index in keys]
        return Step(
            batches=[self.batch(micro) if micro else idle(self.batch(rows[:1])) for micro in mine],
            examples=keys,
            tokens=sum(int(self.lengths[index]) for index in indices),
            state=state,
            epochs=self.epochs(state),
            rows=[self.names[index] for index in indices] if self.names else (),
        )
