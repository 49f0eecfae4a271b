"""Several processes as one run, started by torchrun; alone, nothing here does anything."""

import os
import warnings
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from glmkit.core.types import Batch, LanguageModel
from glmkit.objective.loss import batch_loss


@dataclass(frozen=True)
class Processes:
    """This process's number and how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def all_reduce_sum(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.world == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(tensor)
        return float(tensor)

    def any_rank(self, flag: bool) -> bool:
        """True everywhere as soon as it is true in one process."""
        return self.all_reduce_sum(float(flag)) > 0

    def barrier(self) -> None:
        """Returns when every process has come here."""
        if self.world > 1:
            dist.barrier()


def init_distributed() -> Processes:
    """Joins the processes torchrun started, or returns the only one."""
    if "WORLD_SIZE" not in os.environ:
        return Processes()
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return Processes(dist.get_rank(), dist.get_world_size())


class Loss(nn.Module):
    """The model with its loss in one forward, so that a wrapper of the whole sees every use of every parameter."""

    def __init__(self, model: LanguageModel, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Tensor:
        return batch_loss(self.model, batch, self.smoothing)


def replicate(loss: nn.Module, processes: Processes, *, idle: bool = False) -> nn.Module:
    """The loss with gradients averaged over the processes. `idle`: some parameters take no part in it, as the output
    matrix where a head sorts."""
    if processes.world == 1:
        return loss
    with warnings.catch_warnings():  # buffers are alike and never change; torch's new word for it is not in torch 2.6
        warnings.simplefilter("ignore", FutureWarning)
        return nn.parallel.DistributedDataParallel(loss, find_unused_parameters=idle, broadcast_buffers=False)
