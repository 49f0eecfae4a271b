"""What each of several processes computes for test_parallel.py: torchrun ... -m tests.train.parallel_worker WHAT DIR"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from glmkit.checkpoint import store
from glmkit.core.errors import UserError
from glmkit.core.processes import init_distributed, joined
from glmkit.core.sharded import compute_device, copy_whole, gathered, is_sharded, local
from glmkit.core.types import AttentionMask, Batch
from glmkit.data.steps import idle
from glmkit.families.adapter import AdapterOf
from glmkit.families.load import Loaded
from glmkit.families.registry import family_of
from glmkit.objective.loss import Loss
from glmkit.testing import tiny
from glmkit.train.lora import LoraConfig
from glmkit.train.methods import tune
from glmkit.train.optimizer import OptimizerConfig, make_optimizer
from glmkit.train.parallel import ParallelConfig
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.shard import blocks, parallelize
from glmkit.train.step import train_step, weight_of

CPU = torch.device("cpu")
MICRO_BATCHES = 5  # which 2 and 3 processes do not divide
CASES = [(family, method) for family in ("glm", "chatglm2") for method in ("full", "lora", "ptuning")]
CASES.remove(("glm", "ptuning"))  # its family takes no prefix


class Collectives(TorchDispatchMode):
    """Counts what processes do together, as torch's CommDebugMode, whose tracker of modules fails over our models."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.namespace == "c10d":
            self.counts[function._schema.name.removeprefix("c10d::")] += 1
        return function(*args, **(kwargs or {}))


def model_of(family: str, method: str) -> nn.Module:
    model = tiny(family)
    base = AdapterOf(method="ptuning" if method == "ptuning" else "lora", family=family, base="", fingerprint="")
    loaded = Loaded(model.family, model.config, model.module.train(), model.tokenizer)
    return tune(method, loaded, base, LoraConfig(dropout=0.0), PrefixConfig(num=4), 0).loaded.model  # type: ignore[arg-type]


def batch(number: int, model: nn.Module, rows: int = 2, length: int = 12) -> Batch:
    """A micro-batch of its own, with another number of targets than the next."""
    generator = torch.Generator().manual_seed(number)
    tokens = torch.randint(20, 60, (rows, length), generator=generator)
    channels = 2 if family_of(model.config).name == "glm" else 1
    return Batch(
        tokens=tokens,
        targets=tokens.roll(-1, 1),
        weights=(torch.arange(length) >= 2 + number).float().expand(rows, length),
        positions=torch.arange(length).expand(rows, channels, length),
        mask=AttentionMask.prefix([0] * rows),
    )


def share(model: nn.Module, rank: int, world: int) -> list[Batch]:
    every = [batch(number, model) for number in range(MICRO_BATCHES)]
    rounds = -(-MICRO_BATCHES // world)
    return [every[n] if n < MICRO_BATCHES else idle(every[0]) for n in range(rank, rounds * world, world)]


def gradients(out: Path) -> None:
    """One step of each case: loss, norm, gradients and the weights that Muon and AdamW make of them."""
    processes = init_distributed(CPU)
    results: dict[str, object] = {}
    for family, method in CASES:
        for replicate in {1, processes.world}:
            model = model_of(family, method)
            config = ParallelConfig(replicate=replicate, reshard=replicate == 1)
            parallel = parallelize(model, config, processes, torch.float32, CPU)
            name: Literal["adamw", "muon"] = "muon" if (family, method) == ("chatglm2", "full") else "adamw"
            optimizer = make_optimizer(model, OptimizerConfig(name=name), 1e-2)
            batches = share(model, processes.rank, processes.world)
            (weight,) = processes.all_reduce_sum(weight_of(batches))
            with Collectives() as counted:
                step = train_step(
                    Loss(model),  # type: ignore[arg-type]
                    optimizer,
                    batches,
                    weight=weight,
                    learning_rate=1e-2,
                    grad_clip=1e9,
                    dtype=torch.float32,
                    parallel=parallel,
                    seed=0,
                )
            trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
            results[f"{family}, {method}, {replicate > 1}"] = {
                "loss": step.loss,
                "norm": step.grad_norm,
                "gradients": {n: gathered(p.grad) for n, p in trained.items() if p.grad is not None},
                "weights": {name: gathered(p.detach()) for name, p in trained.items()},
                "collectives": dict(counted.counts),
                "parts": len(blocks(model)) + 1,
            }
    if processes.first:
        torch.save(results, out / f"{processes.world}.pt")


def updates(out: Path) -> None:
    """Two updates by Muon, and by AdamW of what is no matrix, of the same gradients in any number of processes."""
    processes = init_distributed(CPU)
    model = model_of("chatglm2", "full")
    parallelize(model, ParallelConfig(), processes, torch.float32, CPU)
    optimizer = make_optimizer(model, OptimizerConfig(name="muon"), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)
            copy_whole(parameter.grad, torch.randn(parameter.shape, generator=generator))
        optimizer.step()
    weights = {name: gathered(parameter.detach()) for name, parameter in model.named_parameters()}
    if processes.first:
        torch.save(weights, out / f"{processes.world}.pt")


def moments(out: Path) -> None:
    """Moments written in many small files, and read again into another optimizer."""
    processes = init_distributed(CPU)
    store._FILE_BYTES = 4096
    model = model_of("glm", "full")
    parallelize(model, ParallelConfig(), processes, torch.float32, CPU)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers = [make_optimizer(model, OptimizerConfig(), 1e-2) for _ in range(2)]
    optimizers[0].step()
    run = store.CheckpointStore(out, 1)
    path = run.save({"step": 1, "data": None}, model, optimizers[0], lambda path: None, processes)
    run.restore(path, model, optimizers[1], lambda path, model: None, processes)
    for parameter in model.parameters():
        written, read = (optimizer.state[parameter] for optimizer in optimizers)
        assert written.keys() == read.keys()
        assert all(torch.equal(local(written[name]), local(read[name])) for name in written)


def where(out: Path) -> None:
    """Shards lie and are gathered on the device of the run, though torch says that there are others."""
    torch.cuda.is_available = lambda: True
    processes = init_distributed(CPU)
    model = model_of("glm", "full")
    parallelize(model, ParallelConfig(), processes, torch.float32, CPU)
    first = next(model.parameters())
    assert is_sharded(first)
    assert first.device_mesh.device_type == "cpu"
    assert compute_device(model) == CPU
    assert joined() == processes
    with pytest.raises(UserError, match="device=cuda:1 is one device"):
        init_distributed(torch.device("cuda:1"))


def main(arguments: Sequence[str]) -> None:
    {"gradients": gradients, "updates": updates, "moments": moments, "where": where}[arguments[0]](Path(arguments[1]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
