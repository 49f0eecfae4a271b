"""Training speed against the rate of plain matrix products of the model's own shapes, measured in the same run."""

import time
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch

from glmkit.bench.report import Report, Result
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.types import Batch
from glmkit.data.packing import pack
from glmkit.families.registry import family_of, preset
from glmkit.families.spec import ModelConfig
from glmkit.infill.corruption import Chunk, LeftToRight, Objective, TokenBlanks, Vocabulary, write_out
from glmkit.infill.position_schemes import example
from glmkit.objective.loss import Loss
from glmkit.text.special import SpecialIds
from glmkit.train.optimizer import OptimizerConfig, adamw
from glmkit.train.shard import compile_blocks
from glmkit.train.step import step_alone

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
_FIRST_TEXT_ID = 64


@machine.keep_memory()
def bench_pretrain(
    name: str, seq_length: int, rows: int, dtype: torch.dtype, compiled: bool, steps: int, dropout: float = 0.0
) -> Report:
    """Times whole optimizer steps (forward, backward, clip, AdamW) on random text: of the token
    objective, or of the next token where the model reads from left to right alone.

    The limit is the rate of the products of one block, forward and backward, on as many rows as a step has; it is
    measured between the steps, so that a machine that drifts slows both alike.
    """
    config: Any = preset(name)
    config = replace(config, max_positions=max(config.max_positions, seq_length))
    spec = family_of(config)
    if dropout and "dropout" not in spec.options:
        raise UserError(f"{spec.name} has no dropout")
    config = replace(config, dropout=dropout) if dropout else config
    device = machine.default_device()
    model = spec.build(config).to(device)
    spec.initialize(model, torch.Generator(device).manual_seed(0))
    if compiled:
        compile_blocks(model)
    loss = Loss(model)
    optimizer = adamw(model, OptimizerConfig())
    batch = random_batch(config, seq_length, rows)
    targets = float(batch.weights.sum()) / (rows * seq_length)
    flops = spec.flops_per_token(config, seq_length, targets) * rows * seq_length

    def step() -> None:
        step_alone(loss, optimizer, [batch], learning_rate=1e-4, dtype=dtype)

    step()
    step()  # the first one is given the memory that the others keep
    seconds, rates, faults = [], [], []
    for _ in range(steps):
        began, pages = time.perf_counter(), machine.page_faults()
        step()
        seconds.append(time.perf_counter() - began)
        faults.append(machine.page_faults() - pages)
        rates.append(machine.matmul_rate(products(config, batch.tokens.numel()), dtype, device))
    tokens, rate = rows * seq_length / median(seconds), flops / median(seconds)
    return Report(
        "pretrain",
        {
            "preset": name,
            "seq": seq_length,
            "rows": rows,
            "dtype": str(dtype).removeprefix("torch."),
            "compile": compiled,
            "dropout": dropout,
        },
        [
            Result("training", tokens, "tokens/s"),
            Result("model arithmetic", rate / 1e9, "GFLOP/s", median(rates) / 1e9),
            Result("page faults", median(faults), "a step"),
        ],
    )


def products(config: ModelConfig, tokens: int) -> list[tuple[int, int, int]]:
    """The products of one block, [m, k] x [k, n]: forward, and the two of each in the backward pass."""
    forward = family_of(config).matmul_shapes(config, tokens)
    return [*forward, *((m, n, k) for m, k, n in forward), *((n, m, k) for m, k, n in forward)]


def random_batch(config: ModelConfig, seq_length: int, rows: int) -> Batch:
    """Rows of random text, blanked by the token objective, or whole for a model that reads from left to right alone."""
    rng = np.random.default_rng(0)
    ends = np.zeros(config.vocab_size, dtype=bool)
    vocabulary = Vocabulary(special=SPECIAL, size=config.vocab_size, sentence_ends=ends)
    texts = rng.integers(_FIRST_TEXT_ID, config.vocab_size, (rows, seq_length))
    position_scheme = family_of(config).positions(config)
    prompt = family_of(config).prompt(SPECIAL)
    before = prompt.opening
    texts[:, : len(before)], texts[:, -1] = before, SPECIAL.eod
    objective: Objective = TokenBlanks() if prompt.bidirectional else LeftToRight()
    drawn = [objective(Chunk(tokens=text, first=len(before), complete=True), vocabulary, rng) for text in texts]
    return pack([[example(layout, position_scheme)] for layout in write_out(drawn, SPECIAL)], SPECIAL.pad)
