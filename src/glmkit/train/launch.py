"""A run from its first step to its model: the one launcher of pretraining and of every kind of fine-tuning.

TrainingRun               launch                                     Trainer
model, loss, steps   ->   begin or go on, optimizer, checkpoints ->  steps, validation, saves  ->  RUN/model
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core.files import atomic_directory
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.machine import keep_memory
from glmkit.core.processes import Processes
from glmkit.data.steps import StepSource
from glmkit.train.logs import versions
from glmkit.train.optimizer import OptimizerConfig, make_optimizer
from glmkit.train.parallel import Parallel
from glmkit.train.run import Watchers, begin, carry_out
from glmkit.train.schedule import ScheduleConfig, learning_rate
from glmkit.train.trainer import Observer, Trainer
from glmkit.train.validation import EvalResult


class RunConfig(Protocol):
    """The settings that every run has."""

    @property
    def output(self) -> str: ...
    @property
    def resume(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def optimizer(self) -> OptimizerConfig: ...
    @property
    def schedule(self) -> ScheduleConfig: ...
    @property
    def keep_last(self) -> int: ...
    @property
    def log_every(self) -> int: ...
    @property
    def trackers(self) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True)
class Course:
    """The steps of a run: where they come from, how many there are, and after how many it is measured and saved.

    `save_minutes`, `skip_spikes`: see `PretrainConfig`.
    """

    source: StepSource
    steps: int
    validate_every: int
    save_every: int
    save_minutes: float = 0.0
    skip_spikes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How steps are computed: the type of matrix products, and floating point operations of a token and a second."""

    dtype: torch.dtype
    flops_per_token: float
    peak_flops: float


class TrainingRun(Protocol):
    """What is trained, on what, and how it is judged.

    `kept`: the parameters that `write` reads; None: all. `unit`: what the loss is counted in. `free`: settings that may
    differ when the run goes on.
    """

    @property
    def config(self) -> RunConfig: ...
    @property
    def model(self) -> nn.Module: ...
    @property
    def loss(self) -> nn.Module: ...
    @property
    def kept(self) -> Collection[str] | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def free(self) -> frozenset[str]: ...

    def settings(self) -> JsonObject:
        """The config as run.json holds it."""
        ...

    def fingerprint(self) -> JsonObject:
        """What run.json says of the data: a run goes on only with the same."""
        ...

    def restore(self, path: Path, model: nn.Module) -> None:
        """Puts the weights that `write` left in `path` into the model."""
        ...

    def compute(self) -> Compute: ...

    def course(self, state: Table, processes: Processes) -> Course:
        """The steps behind a checkpoint's `state` ("step", "tokens", "data"; of a new run 0, 0, None)."""
        ...

    @property
    def measures_whole(self) -> bool:
        """Whether `validate` and `finish` call a model that every process has whole, as often as they like."""
        ...

    def validate(self, processes: Processes) -> dict[str, EvalResult]:
        """What the model is worth on rows it does not learn from, which the processes share; the same in each."""
        ...

    def metric(self, measures: Mapping[str, EvalResult]) -> float | None:
        """The number by which the best checkpoint is chosen, lower is better; None where nothing was measured."""
        ...

    def observers(self, done: int) -> Sequence[Observer]:
        """Whoever of its own watches from step `done` on."""
        ...

    def chosen(self, store: CheckpointStore) -> Path | None:
        """The checkpoint whose weights are kept; None: those of the last step."""
        ...

    def finish(self) -> None:
        """What is left to do with the weights that are kept."""
        ...

    def write(self, path: Path, record: JsonObject) -> None:
        """Writes the model's directory; `record` is what its run.json says."""
        ...


def launch(run: TrainingRun, parallel: Parallel, observers: Watchers) -> Path:
    """Trains to the end and returns the directory of the model that is kept. `parallel` holds the run's model.

    Raises UserError for a run that cannot be begun or gone on with, TrainingDiverged, or Interrupted once it was saved.
    """
    config, output, processes = run.config, Path(run.config.output), parallel.processes
    record = {"config": run.settings(), "versions": versions(), "data": run.fingerprint()}
    store = CheckpointStore(output, config.keep_last)
    optimizer = make_optimizer(run.model, config.optimizer, config.schedule.peak)
    with (
        keep_memory(large=processes.world == 1),
        begin(store, record, config.resume, run.free, run.model, optimizer, processes, run.restore) as state,
    ):
        course, compute = run.course(state, processes), run.compute()

        def write(path: Path) -> None:
            with parallel.gathered(run.kept), processes.together():
                if processes.first:
                    run.write(path, record)

        trainer = Trainer(
            model=run.model,
            loss=run.loss,
            optimizer=optimizer,
            learning_rate=lambda step: learning_rate(config.schedule, step, course.steps),
            steps=course.steps,
            grad_clip=config.optimizer.grad_clip,
            dtype=compute.dtype,
            seed=config.seed,
            parallel=parallel,
            store=store,
            write_model=write,
            measure=lambda: run.validate(processes),
            measures_whole=run.measures_whole,
            validation_every=course.validate_every,
            save_every=course.save_every,
            save_minutes=course.save_minutes,
            skip_spikes=course.skip_spikes,
            log_every=config.log_every,
            flops_per_token=compute.flops_per_token,
            peak_flops=compute.peak_flops,
            metric=run.metric,
        )

        def watching(trainer: Trainer, done: int) -> list[Observer]:
            return [*run.observers(done), *observers(trainer, done)]

        carry_out(trainer, course.source, state, output, watching, config.trackers, processes, run.unit)
        if (chosen := run.chosen(store)) is not None:
            run.restore(chosen, run.model)
        with parallel.measuring(run.measures_whole):
            run.finish()
        with ExitStack() as stack:
            partial = output / "model"
            with processes.together():
                if processes.first:
                    partial = stack.enter_context(atomic_directory(partial, replace=True))
            write(partial)
            with processes.together():
                stack.close()
        return output / "model"
