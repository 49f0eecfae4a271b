"""How the processes of a run share a model: the strategy that a trainer is given.

| strategy | weights, gradients, moments | of a step |
|---|---|---|
| Single | whole, in the only process | nothing is sent |
| Sharded (train/shard.py) | a part in every process, by torch's FSDP2 | weights are gathered, gradients reduced |
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from glmkit.core.config import check_settings
from glmkit.core.kinds import either, one_of, whole
from glmkit.core.processes import ALONE, Processes


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """Of several processes: `replicate` groups of `shard` processes, where -1 is all that there are.

    A group holds the model once, every process of it a part. `reshard`: the weights of a block are given back after its
    forward pass and gathered again for the backward one, and after every micro-batch; without it they stay until the
    step's gradients are there, for more memory and less traffic. `offload`: parts lie in the memory of the processor.
    """

    replicate: int = 1
    shard: int = -1
    reshard: bool = True
    offload: bool = False

    def __post_init__(self) -> None:
        check_settings(self, {"replicate": whole(1), "shard": either(whole(1), one_of(-1))}, "parallel.")


class Parallel(Protocol):
    """What a run needs of a strategy."""

    @property
    def processes(self) -> Processes: ...

    def synchronize(self, last: bool) -> None:
        """Says before a micro-batch whether it is the `last` of its step: only then are gradients reduced."""
        ...

    def norm(self, gradients: Sequence[Tensor], total: Tensor) -> tuple[Tensor, Tensor]:
        """The norm of all gradients, given this process's parts of them, and the sum of `total` over the processes."""
        ...

    @contextmanager
    def measuring(self, whole: bool) -> Iterator[None]:
        """A block in which the model is measured. `whole`: every process calls it as often as it likes, else all as
        often as each other."""
        ...

    @contextmanager
    def gathered(self, names: Collection[str] | None) -> Iterator[None]:
        """A block in which the first process finds the parameters of those names (None: all) whole, to write them."""
        ...


@dataclass(frozen=True)
class Single:
    """One process, which holds everything."""

    processes: Processes = ALONE

    def synchronize(self, last: bool) -> None:
        """Gradients are whole already."""

    def norm(self, gradients: Sequence[Tensor], total: Tensor) -> tuple[Tensor, Tensor]:
        return nn.utils.get_total_norm(gradients), total

    @contextmanager
    def measuring(self, whole: bool) -> Iterator[None]:
        yield

    @contextmanager
    def gathered(self, names: Collection[str] | None) -> Iterator[None]:
        yield
