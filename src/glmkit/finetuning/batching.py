"""Training steps over rows: every row once an epoch, in an order that depends on (seed, epoch) alone.

Every process draws the rows of a step alike and learns from its share of them:

    rows of the step    4 0 2 1 3        2 processes
    process 0           4   2   3
    process 1             0   1          none left for it: a row that counts nothing, as it must take part
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from glmkit.core.random import epoch_generator
from glmkit.data.loader import Step
from glmkit.finetuning.learner import Learner, Taught
from glmkit.train.parallel import Processes

Row = TypeVar("Row")
_ORDER = 3  # the purpose of these random numbers


def share(rows: Sequence[Row], processes: Processes) -> list[Row]:
    """The rows of a step that this process learns from."""
    return list(rows[processes.rank :: processes.world])


@dataclass
class Rows:
    """Endless steps of `batch_size` rows (the last one of an epoch has what is left), until `enough` says so."""

    learner: Learner
    examples: Sequence[Taught]
    batch_size: int
    micro_batch_size: int
    seed: int
    processes: Processes
    epoch: int = 0
    cursor: int = 0
    enough: Callable[[], bool] = lambda: False

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __iter__(self) -> Iterator[Step]:
        while True:
            order = epoch_generator(self.seed, self.epoch, _ORDER).permutation(len(self.examples)).tolist()
            while self.cursor < len(order):
                if self.enough():
                    return
                chosen = order[self.cursor : self.cursor + self.batch_size]
                self.cursor += len(chosen)
                yield self._step(chosen)
            self.epoch, self.cursor = self.epoch + 1, 0

    def _step(self, rows: Sequence[int]) -> Step:
        chosen = share(rows, self.processes)
        state: dict[str, Any] = {"epoch": self.epoch, "cursor": self.cursor}
        if not chosen:
            spare = self.learner.batch([self.examples[rows[0]]])
            return Step(batches=[replace(spare, weights=spare.weights * 0)], examples=[], tokens=0, state=state)
        parts = [chosen[at : at + self.micro_batch_size] for at in range(0, len(chosen), self.micro_batch_size)]
        return Step(
            batches=[self.learner.batch([self.examples[number] for number in part]) for part in parts],
            examples=[(self.epoch, number) for number in chosen],
            tokens=sum(self.examples[number].length for number in chosen),
            state=state,
        )
