"""Several processes as one run, started by torchrun; alone, nothing here does anything."""

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from glmkit.core.errors import FailedElsewhere, UserError

Object = TypeVar("Object")


@dataclass(frozen=True)
class Processes:
    """This process's number and how many there are."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def all_reduce_sum(self, *values: float) -> list[float]:
        """The sum of each number over all processes, in one collective."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def all_reduce(self, vector: Tensor) -> Tensor:
        """The sum of a vector over all processes, where it lies."""
        if self.world > 1:
            dist.all_reduce(vector)
        return vector

    def gather(self, item: Object) -> list[Object]:
        """What each process has, in every process, by rank."""
        if self.world == 1:
            return [item]
        items: list[Object] = [item] * self.world
        dist.all_gather_object(items, item)
        return items

    def share(self, items: Sequence[Object]) -> Sequence[Object]:
        """The items that are this process's turn: one of every `world`."""
        return items[self.rank :: self.world]

    def unshare(self, shares: Sequence[Sequence[Object]]) -> list[Object]:
        """The items in their order, from the share of each process."""
        items: list[Object] = [shares[0][0]] * sum(map(len, shares)) if shares[0] else []
        for rank, share in enumerate(shares):
            items[rank :: self.world] = share
        return items

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block without collectives, which fails everywhere as soon as it fails in one process.

        The first process that failed raises its own error, the others FailedElsewhere.
        """
        if self.world == 1:
            yield
            return
        code = 0
        try:
            yield
        except Exception as error:
            code = 2 if isinstance(error, UserError | OSError) else getattr(error, "exit_code", 1)
            if self._refuse(code) == self.rank:
                raise
        else:
            self._refuse(code)

    def _refuse(self, code: int) -> int | None:
        """Raises FailedElsewhere unless this process is the first that has a code but 0, or there is none."""
        codes = self.gather(code)
        failed = next((rank for rank, code in enumerate(codes) if code), None)
        if failed is not None and failed != self.rank:
            raise FailedElsewhere(failed, codes[failed]) from None
        return failed


ALONE = Processes()


def say_once(line: str) -> bool:
    """Whether this process is the one that says a line of which every process of torchrun on this machine has its own,
    in a run that was started again too."""
    place = os.environ.get("TORCHELASTIC_ERROR_FILE")  # DIR/attempt/rank/error.json; torchrun removes DIR at its end
    if place is None:
        return True
    try:
        with open(Path(place).parents[2] / hashlib.sha256(line.encode()).hexdigest(), "x"):
            return True
    except FileExistsError:
        return False


def end_torchrun() -> None:
    """Ends the torchrun that started this process, where one did: it would start again what cannot go well."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        os.kill(os.getppid(), signal.SIGTERM)


def joined() -> Processes:
    """The processes that init_distributed has joined; this one alone where it has not."""
    return Processes(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else ALONE


def init_distributed(device: torch.device) -> Processes:
    """Joins the processes torchrun started, each of which computes on a `device` of its own, or returns the only one.

    Raises UserError for one device that several processes would share.
    """
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    if str(device) == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    elif ":" in str(device) and int(os.environ["WORLD_SIZE"]) > 1:
        raise UserError(f"device={device} is one device, and every process takes its own: give device={device.type}")
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"  # numbers are summed on the CPU everywhere
        if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
            # On one machine torchrun keeps its store for all attempts, and gloo would find addresses of the last one's
            # processes there. Counts of restarts are the same in all processes; of several machines they need not be,
            # and recipes/cluster has torchrun make a store for each attempt.
            store, rank, world = next(rendezvous("env://"))
            store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
            dist.init_process_group(backend, store=store, rank=rank, world_size=world)
        else:
            dist.init_process_group(backend)
    return joined()
