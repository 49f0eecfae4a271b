"""How fast a cloze is learned, by the token that is no padding, against pretraining on as many tokens."""

import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from glmkit.bench.pretrain import SPECIAL, random_batch
from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.core.types import Batch, Example
from glmkit.families.glm import GLM_FAMILY, preset
from glmkit.infill.geometry import TwoChannel, example
from glmkit.infill.layout import answer_layout
from glmkit.models.glm import GLM
from glmkit.tasks.learner import ClozeLoss, packed
from glmkit.train.optimizer import OptimizerConfig, adamw
from glmkit.train.parallel import Loss, Processes
from glmkit.train.step import train_step


def bench_finetune(name: str, length: int, rows: int, dtype: torch.dtype, steps: int) -> Report:
    """Times optimizer steps on `rows` rows of single-token clozes of up to `length` tokens, and on pretraining's."""
    config = replace(preset(name), max_positions=max(preset(name).max_positions, length))
    device = machine.default_device()
    model = GLM(config).to(device)
    GLM_FAMILY.initialise(model, torch.Generator(device).manual_seed(0))
    optimizer = adamw(model, OptimizerConfig())
    tuned, tokens = _clozes(length, rows, config.vocab_size)
    plain = random_batch(config, length, max(1, tokens // length))
    losses = {
        "cloze": (ClozeLoss(model, torch.tensor([70, 71]), "cross_entropy", 0.0), tuned),
        "text": (Loss(model), plain),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in losses}
    for number in range(steps + 1):
        for kind, (loss, batch) in losses.items():
            began = time.perf_counter()
            train_step(loss, optimizer, [batch], learning_rate=1e-5, grad_clip=1.0, dtype=dtype, processes=Processes())
            if number:  # the first of each warms up
                seconds[kind].append(time.perf_counter() - began)
    counted = max(1, tokens // length) * length
    return Report(
        "finetune",
        {"preset": name, "length": length, "rows": rows, "dtype": str(dtype).removeprefix("torch.")},
        [
            Result(
                "cloze, against pretraining",
                tokens / median(seconds["cloze"]),
                "tokens/s",
                counted / median(seconds["text"]),
            )
        ],
    )


def _clozes(length: int, rows: int, vocab_size: int) -> tuple[Batch, int]:
    """Random contexts of a quarter of `length` to all of it, and how many tokens they hold."""
    rng = np.random.default_rng(0)
    made: list[Example] = []
    for size in rng.integers(length // 4, length - 1, rows):
        ids = rng.integers(72, vocab_size, size)
        ids[0], ids[size // 2], ids[-1] = SPECIAL.begin, SPECIAL.mask, SPECIAL.eod
        made.append(example(answer_layout(ids, int(size) // 2, [int(rng.integers(2))], SPECIAL.sop), TwoChannel()))
    return packed(made, length, SPECIAL.pad), sum(map(len, made))
