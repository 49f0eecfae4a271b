"""A step of tuning a model of random weights: how long it takes and in how much memory, against what was estimated."""

import time
from statistics import median

import torch

from glmkit.bench.random_models import RandomModel, random_model
from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, Batch
from glmkit.families.adapter import AdapterOf
from glmkit.families.load import Loaded
from glmkit.objective.loss import Loss
from glmkit.train.lora import LoraConfig
from glmkit.train.memory import estimate
from glmkit.train.methods import Name, tune
from glmkit.train.optimizer import OptimizerConfig, adamw
from glmkit.train.ptuning import PrefixConfig
from glmkit.train.shard import checkpoint_blocks
from glmkit.train.step import step_alone


@machine.keep_memory()
def bench_step(
    preset: str,
    method: Name,
    quantize: str | None,
    layers: int | None,
    length: int,
    rows: int,
    dtype: torch.dtype,
    checkpointed: bool,
    steps: int,
) -> Report:
    """Steps of `method` on `rows` rows of `length` tokens, half of them learned; the base in `dtype` or quantized.

    The peak is that of the whole process, interpreter and libraries included.
    """
    ours = random_model(preset, layers, quantize, torch.float32 if method == "full" else dtype, None, "exact")
    base = AdapterOf(
        method="ptuning" if method == "ptuning" else "lora", family=ours.family.name, base="", fingerprint=""
    )
    loaded = Loaded(ours.family, ours.config, ours.model, None)
    model = tune(method, loaded, base, LoraConfig(), PrefixConfig(), seed=0).loaded.model.train()
    if checkpointed:
        checkpoint_blocks(model)
    expected = estimate(model, ours.config, rows * length, dtype, checkpointed)
    optimizer, batch, seconds = adamw(model, OptimizerConfig(weight_decay=0.0)), _batch(ours, rows, length), []
    for _ in range(steps):
        began = time.perf_counter()
        step_alone(Loss(model), optimizer, [batch], learning_rate=1e-4, dtype=dtype)
        seconds.append(time.perf_counter() - began)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    settings = {
        "preset": preset,
        "layers": ours.config.num_layers,
        "method": method,
        "quantize": quantize or "none",
        "length": length,
        "rows": rows,
        "dtype": str(dtype).removeprefix("torch."),
        "checkpointed": checkpointed,
    }
    peak = machine.peak_memory(compute_device(model).type)
    return Report(
        "finetune",
        settings,
        [
            Result("numbers trained", trained, ""),
            Result("step", median(seconds), "s"),
            Result("tokens", rows * length / median(seconds), "tokens/s"),
            Result("peak memory, against the estimate", peak / 2**30, "GiB", expected.total / 2**30),
        ],
    )


def _batch(ours: RandomModel, rows: int, length: int) -> Batch:
    """Random rows, of each the second half learned."""
    tokens = torch.randint(0, ours.config.vocab_size, (rows, length))
    return Batch(
        tokens=tokens,
        targets=tokens.roll(-1, 1),
        weights=(torch.arange(length) >= length // 2).float().expand(rows, length),
        positions=ours.positions(0, length, rows),
        mask=AttentionMask.prefix([0] * rows),
    )
