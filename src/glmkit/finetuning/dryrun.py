"""What a fine-tuning run would do: rows, lengths, time and memory, from a few steps that are thrown away."""

import itertools
import time

import numpy as np

from glmkit.core import machine
from glmkit.core.processes import ALONE
from glmkit.core.sharded import compute_device
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.run import prepare
from glmkit.train.dryrun import duration
from glmkit.train.memory import estimate
from glmkit.train.optimizer import make_optimizer
from glmkit.train.step import step_alone

_STEPS = 3


@machine.keep_memory()
def dry_run(config: FinetuneConfig) -> list[str]:
    """Lines for people. Raises UserError for what would stop the run itself."""
    prepared = prepare(config)
    model = prepared.loaded.model
    device = compute_device(model)
    rows = prepared.steps(None, ALONE)
    size = config.micro_batch_size * config.length
    expected = estimate(model, prepared.loaded.config, size, prepared.dtype, config.checkpoint_activations)
    optimizer = make_optimizer(model, config.optimizer, config.schedule.peak)
    times, tokens = [], 0
    for step in itertools.islice(rows, _STEPS):
        began = time.perf_counter()
        step_alone(prepared.loss, optimizer, step.batches, learning_rate=0.0, dtype=prepared.dtype)
        times.append(time.perf_counter() - began)
        tokens += step.tokens
    steps = config.epochs * prepared.steps_per_epoch
    lengths = np.array(prepared.lengths)
    return [
        prepared.summary,
        f"lengths: median {int(np.median(lengths))}, 95 % below {int(np.quantile(lengths, 0.95))}, longest "
        f"{lengths.max()} tokens; {prepared.cut} rows are longer than length={config.length} and are cut",
        f"{steps} steps of {config.batch_size} rows, about {duration(steps * float(np.median(times)))} "
        f"({tokens / sum(times):,.0f} tokens/s), measurements not counted",
        f"memory: estimated {expected}; at most {machine.peak_memory(device.type) / 2**30:.2f} GiB so far, "
        "the program itself included",
        "",
        *prepared.shown(0),
    ]
