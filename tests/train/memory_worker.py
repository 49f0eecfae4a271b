"""The memory of tensors in steps of a small GLM, by process: torchrun ... -m tests.train.memory_worker FILE"""

import json
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glmkit.bench.pretrain import random_batch
from glmkit.core.processes import Processes, init_distributed
from glmkit.core.sharded import local
from glmkit.data.steps import idle
from glmkit.families.assemble import blank
from glmkit.families.registry import family_of, preset
from glmkit.objective.loss import Loss, language_model
from glmkit.train.config import PretrainConfig
from glmkit.train.model import fill
from glmkit.train.optimizer import make_optimizer
from glmkit.train.parallel import ParallelConfig
from glmkit.train.shard import checkpoint_blocks, parallelize
from glmkit.train.step import train_step, weight_of

from .parallel_worker import Collectives

ROWS, LENGTH, STEPS = 4, 128, 2
# (rounds, reshard, replicated, precision)
CASES = [
    (1, True, False, "float32"),
    (2, True, False, "float32"),
    (1, False, False, "float32"),
    (1, True, True, "float32"),
    (2, True, False, "bfloat16"),
]


class LiveMemory(TorchDispatchMode):
    """The most bytes that tensors held at once, looked at behind every operation: those of memory that FSDP gives back
    and takes again, too."""

    def __init__(self) -> None:
        super().__init__()
        self.storages: weakref.WeakSet[Any] = weakref.WeakSet()
        self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor) and leaf.device.type != "meta":
                self.storages.add(local(leaf).untyped_storage())
        self.peak = max(self.peak, sum(storage.nbytes() for storage in self.storages))
        return result


def settings(case: tuple[int, bool, bool, str], world: int) -> PretrainConfig:
    rounds, reshard, replicated, precision = case
    return PretrainConfig(
        model=preset("glm-mini"),
        seq_length=LENGTH,
        batch_size=ROWS * rounds * world,
        micro_batch_size=ROWS,
        checkpoint_activations=True,
        precision=precision,  # type: ignore[arg-type]
        parallel=ParallelConfig(reshard=reshard, replicate=world if replicated else 1),
    )


def measure(case: tuple[int, bool, bool, str], processes: Processes) -> dict[str, Any]:
    """Bytes of the tensors of a process at most, and the collectives of its last step."""
    config, dtype = settings(case, processes.world), getattr(torch, case[3])
    model = blank(family_of(config.model).build, config.model)
    checkpoint_blocks(model)
    parallel = parallelize(model, config.parallel, processes, dtype, torch.device("cpu"))
    model.to_empty(device="cpu")
    fill(model, config)
    optimizer = make_optimizer(model, config.optimizer, 1e-4)
    batch = random_batch(config.model, LENGTH, ROWS)
    with LiveMemory() as live:
        for step in range(STEPS):
            with Collectives() as counted:
                train_step(
                    Loss(language_model(model)),
                    optimizer,
                    [batch, *[idle(batch)] * (case[0] - 1)],
                    weight=weight_of([batch]),
                    learning_rate=1e-4,
                    grad_clip=1.0,
                    dtype=dtype,
                    parallel=parallel,
                    seed=step,
                )
    return {"peak": live.peak, "collectives": dict(counted.counts)}


def main() -> None:
    processes = init_distributed(torch.device("cpu"))
    measured = {str(case): processes.gather(measure(case, processes)) for case in CASES}
    if processes.first:
        Path(sys.argv[1]).write_text(json.dumps(measured))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
