"""Fine-tuning on the rows of a task or on text to write, by the launcher that pretrains."""

from collections.abc import Callable
from pathlib import Path

import torch

from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.processes import init_distributed
from glmkit.data.steps import refuse_idle
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.finetune_run import FinetuneRun
from glmkit.finetuning.sft_run import open_sft_run
from glmkit.finetuning.task_run import task_run
from glmkit.train.launch import launch
from glmkit.train.run import Watchers, refuse_others
from glmkit.train.shard import parallelize


def prepare(config: FinetuneConfig) -> FinetuneRun:
    """Opens model and rows. Raises UserError for what is missing or does not fit together."""
    if not config.model:
        raise UserError("no model: give the directory of the one to start from")
    machine.use_threads(config.threads)
    machine.device_of(config.device)  # an absent device is an error before rows are read
    return open_sft_run(config) if config.task in ("seq2seq", "chat") else task_run(config)


def finetune(
    config: FinetuneConfig,
    observers: Watchers = lambda trainer, done: (),
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Trains as `config` says and returns the directory of the best model; `report` is called with a line about the
    rows.

    Raises UserError for a mistake in config or data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    refuse_others(config.output)
    device = torch.device(machine.device_of(config.device))
    processes = init_distributed(device)
    refuse_idle(config.batch_size, processes.world)
    run = prepare(config)
    if processes.first:
        report(f"{run.summary}; {run.cut} are longer than {config.length} tokens and are cut")
    return launch(run, parallelize(run.model, config.parallel, processes, run.dtype, device), observers)
