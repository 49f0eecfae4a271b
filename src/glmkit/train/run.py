"""A run as a directory: claimed once, gone on with only as it was begun, watched from beginning to end.

RUN/run.json  RUN/log.jsonl  RUN/loss.png  RUN/report.html  RUN/checkpoints/step-...  RUN/model
"""

import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core.errors import Unwritable, UserError, argument, short
from glmkit.core.files import atomic_file, check_name, hold_directory, restore
from glmkit.core.json_types import JsonObject
from glmkit.core.processes import Processes
from glmkit.core.renamed import current_keys
from glmkit.data.steps import Step
from glmkit.families import directory
from glmkit.families.directory import RUN
from glmkit.train.config import modern
from glmkit.train.curves import draw_curve
from glmkit.train.logs import JsonLog, flat, read_record
from glmkit.train.report import write_report
from glmkit.train.trackers import STARTERS
from glmkit.train.trainer import Observer, Record, Trainer
from glmkit.train.validation import EvalResult

Watchers = Callable[[Trainer, int], Sequence[Observer]]


@contextmanager
def begin(
    store: CheckpointStore,
    record: JsonObject,
    resume: str,
    free: frozenset[str],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    processes: Processes,
    restore_model: Callable[[Path, nn.Module], None] = directory.restore,
) -> Iterator[JsonObject]:
    """Where to begin: the state of the last checkpoint when resuming, else the very start in a new directory.

    `record` is what run.json says: config, versions, data. Of the config all but what is `free` must be as it was.
    During the block no other program may train into the directory. Raises UserError.
    """
    with ExitStack() as held:
        _refuse_other_data(record, processes)
        with processes.together():
            if processes.first:
                held.enter_context(hold_directory(store.run))
                _claim(store.run, resume, record, free)
                restore(store.run)
                restore(store.run / "checkpoints")
        latest = store.latest()
        _refuse_other_place(latest, processes)
        fresh: JsonObject = {"step": 0, "tokens": 0, "data": None}
        yield store.restore(latest, model, optimizer, restore_model, processes) if latest else fresh


def _refuse_other_data(record: JsonObject, processes: Processes) -> None:
    """Raises UserError where the processes, which may be on several machines, read other data than the first."""
    (host, data), *others = processes.gather((socket.gethostname(), record["data"]))
    with processes.together():
        for rank, (other, own) in enumerate(others, start=1):
            if processes.first and own != data:
                raise UserError(
                    f"process {rank} on {other} has other data than process 0 on {host}: give all the same files"
                )


def _refuse_other_place(latest: Path | None, processes: Processes) -> None:
    """Raises UserError where a process does not see the checkpoints of the first."""
    (host, place), *others = processes.gather((socket.gethostname(), latest and latest.name))
    with processes.together():
        for rank, (other, own) in enumerate(others, start=1):
            if processes.first and own != place:
                raise UserError(
                    f"process {rank} on {other} does not see the checkpoints of process 0 on {host}: output must lie "
                    "on a file system that all machines share"
                )


def refuse_others(output: str, *data: str) -> None:
    """Raises UserError when `output` is a directory of something else than a run; one that holds the run's own `data`,
    as the demo's does, was made for it."""
    run = Path(output)
    for path in (output, *data):
        check_name(Path(path))
    if any(run.resolve() in Path(path).resolve().parents for path in data if path):
        return
    if (
        output
        and run.is_dir()
        and not (run / RUN).is_file()
        and any(not path.name.startswith(".") for path in run.iterdir())
    ):
        raise UserError(f"{run} holds something else than a run; give another output")


def carry_out(
    trainer: Trainer,
    data: Iterable[Step],
    state: JsonObject,
    run: Path,
    observers: Watchers,
    trackers: Sequence[str],
    processes: Processes,
    unit: str = "nats per predicted token",
) -> None:
    """Trains from `state` on, with the run's logs and whoever else wants to watch; draws the curve at the end, its
    losses in `unit`."""
    watching: list[Observer] = []
    if processes.first:
        watching.append(JsonLog(run, state["step"]))
        watching += [STARTERS[name](run, state["step"]) for name in trackers]
        watching += observers(trainer, state["step"])
        watching.append(Report(run, unit))  # the last, so that it shows what the others wrote
    try:
        replace(trainer, observers=watching).run(data, state["step"], state["tokens"], state.get("norms", ()))
    except BaseException:
        with suppress(Unwritable):  # the user is to read what stopped the run
            _leave(watching, run, processes, unit)
        raise
    _leave(watching, run, processes, unit)


class Report:
    """Watches a run and draws its report at every measurement and checkpoint, and at the end; never between steps."""

    def __init__(self, run: Path, unit: str) -> None:
        self._run, self._unit = run, unit

    def on_step(self, record: Record) -> None:
        """A step costs nothing."""

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        write_report(self._run, self._unit)

    def on_save(self, path: Path) -> None:
        write_report(self._run, self._unit)

    def close(self) -> None:
        write_report(self._run, self._unit)


def _leave(watching: Sequence[Observer], run: Path, processes: Processes, unit: str) -> None:
    """Closes all watchers, whatever one of them cannot write, and draws the curve."""
    with ExitStack() as last:
        if processes.first:
            last.callback(draw_curve, run, unit)
        for observer in reversed(watching):
            last.callback(observer.close)


def _claim(run: Path, resume: str, record: JsonObject, free: frozenset[str]) -> None:
    """Writes run.json of a new run, or makes sure that the run there may be continued."""
    path = run / RUN
    if not path.is_file():
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    elif resume == "never":
        raise UserError(
            f"{run} holds a run already; give {argument('resume', 'auto')} to go on with it, or another output"
        )
    else:
        _refuse_changes(read_record(run), record, run, free)


# Settings that run.json of an older glmkit lacks, and what it did.
_LATER = {"data.encoding": "utf-8", "data.header": True, "data.dev_share": 0.0, "family": "glm"}
_LATER |= {"objective.causal": 0.0, "objective.infill": 0.0}
# Of a run without a name for its optimizer, which is AdamW, these mean nothing; nor does the decay of another schedule.
_LATER |= {"optimizer.name": "adamw", "optimizer.muon.peak": 0.02, "optimizer.muon.momentum": 0.95}
_LATER |= {"skip_spikes": 0.0}
_LATER |= {"schedule.decay": 0.4, "objective.ratio_end": 0.0, "objective.mean_length_end": 0.0}


def _refuse_changes(before: JsonObject, now: JsonObject, run: Path, free: frozenset[str]) -> None:
    settings = modern(before["config"]) if "preset" in before["config"] else before["config"]
    old, new = _LATER | flat(current_keys(settings)), flat(now["config"])
    changed = [name for name in new if not free & {name, name.split(".")[0]} and old.get(name) != new[name]]
    if changed:
        values = ", ".join(f"{name}={short(old.get(name))} (now {short(new[name])})" for name in changed)
        raise UserError(
            f"{run} was started with {values}; give the same to go on, or another output; "
            f"only {', '.join(sorted(name for name in free if '.' not in name))} may change"
        )
    before_window, window = ((record.get("data") or {}).get("window") for record in (before, now))
    if before_window != window:
        raise UserError(
            f"{run} was started with {_windows(before_window)} (now {window or 'one'}): give "
            f"stream.window={before_window or 'as many as there are shards'} to go on, or another output"
        )
    if before.get("data") != now["data"]:
        raise UserError(
            f"{run} was started with other data than {short(now['config']['data'])}; give the same data to go on"
        )


def _windows(size: int | None) -> str:
    return f"windows of {size} shards" if size else "one window of all shards"
