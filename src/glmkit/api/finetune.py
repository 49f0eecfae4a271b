"""`glmkit.finetune`: trains a model to answer or to write."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path

from glmkit.api.arguments import PATH, PROGRESS, check_arguments
from glmkit.core.config import overridden
from glmkit.core.errors import UserError, argument, nearest, short
from glmkit.core.kinds import either, instance_of
from glmkit.finetuning import run as runs
from glmkit.finetuning.config import FinetuneConfig, defaults
from glmkit.finetuning.dryrun import dry_run
from glmkit.finetuning.finetune_run import DEV
from glmkit.finetuning.forgetting import changes, result
from glmkit.train.methods import PEAKS, Name
from glmkit.train.parallel import init_distributed
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
    `method`, as at the command line. `observers(trainer, done)` returns who watches, `done` steps in; `say` is called
    with what a run says of its rows. Raises UserError for a mistake in config or data, TrainingDiverged, or Interrupted
    once the run has been saved.
    """
    check_arguments(_KINDS, locals())
    if not isinstance(model, FinetuneConfig):
        model = replace(defaults(_method(settings.get("method", "full"))), model=fspath(model))
    config = overridden(model, settings, "finetune")
    if config.dry_run:
        return Finetuning(model=None, report=tuple(dry_run(config)))
    best = runs.finetune(config, observers, say)
    report: list[str] = []
    if init_distributed().first:
        if config.task in ("chat", "seq2seq"):
            report = changes(Path(config.output))
        elif line := result(Path(config.output), DEV, config.metric):
            report = [line]
    return Finetuning(model=best, report=tuple(report))


def _method(name: object) -> Name:
    for known in PEAKS:
        if isinstance(name, str) and known == name:
            return known
    raise UserError(f"unknown {argument('method')} {short(name)}{nearest(str(name)[:64], PEAKS)}")
