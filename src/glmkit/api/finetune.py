"""`glmkit.finetune`: trains a model to answer or to write."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path

from glmkit.api.arguments import PATH, PROGRESS, check_arguments
from glmkit.core.config import overridden
from glmkit.core.kinds import either, instance_of
from glmkit.core.processes import joined
from glmkit.finetuning import run as training
from glmkit.finetuning.config import FinetuneConfig, defaults
from glmkit.finetuning.dryrun import dry_run
from glmkit.finetuning.finetune_run import DEV
from glmkit.finetuning.forgetting import change_lines, result_line
from glmkit.train.methods import method_called
from glmkit.train.run import Watchers


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """What `finetune` did. `model`: the directory of the best model, None of a dry run; `report`: lines that say how
    good it is, or what a dry run expects."""

    model: Path | None
    report: tuple[str, ...]


_KINDS = {
    "model": either(PATH, instance_of(FinetuneConfig), wanted="the name of a directory, or a FinetuneConfig"),
    "observers": PROGRESS,
    "say": PROGRESS,
}


def finetune(
    model: str | Path | FinetuneConfig,
    *,
    observers: Watchers = lambda trainer, done: (),
    say: Callable[[str], None] = lambda line: None,
    **settings: object,
) -> Finetuning:
    """Trains the model in the directory `model`, or as a FinetuneConfig says.

    `settings` take the place of the config's fields: `task="chat", method="lora", data={"train": "talks.jsonl", "dev":
    "dev.jsonl"}, output="runs/talks"`; `dry_run=True` trains nothing and reports time and memory. Defaults depend on
    `method`, as at the command line. `observers(trainer, done)` returns the observers of a trainer that
    begins behind step `done`; `say` is called with a line about the rows. Raises UserError for a mistake in config or
    data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    check_arguments(_KINDS, locals())
    if not isinstance(model, FinetuneConfig):
        model = replace(defaults(method_called(settings.get("method", "full"))), model=fspath(model))
    config = overridden(model, settings, "finetune")
    if config.dry_run:
        return Finetuning(model=None, report=tuple(dry_run(config)))
    best = training.finetune(config, observers, say)
    report: list[str] = []
    if joined().first:
        if config.task in ("chat", "seq2seq"):
            report = change_lines(Path(config.output))
        elif line := result_line(Path(config.output), DEV, config.metric):
            report = [line]
    return Finetuning(model=best, report=tuple(report))
