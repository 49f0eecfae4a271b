"""What every fine-tuning run is: epochs over rows, the best checkpoint kept, an end when it gets no better."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core import machine
from glmkit.core.config import to_mapping
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.processes import Processes
from glmkit.core.sharded import compute_device
from glmkit.data.steps import StepSource
from glmkit.families.load import Loaded
from glmkit.finetuning.config import FREE, FinetuneConfig
from glmkit.train.launch import Compute, Course
from glmkit.train.logs import measures_of
from glmkit.train.trainer import Observer
from glmkit.train.validation import EvalResult

DEV = "dev"  # the name of the measured rows in the log


@dataclass
class Patience:
    """Counts measurements (lower is better) since the best one; `history` are those of the run so far."""

    allowed: int
    history: list[float]

    def take(self, value: float) -> None:
        self.history.append(value)

    @property
    def exhausted(self) -> bool:
        if not self.allowed or not self.history:
            return False
        return len(self.history) - 1 - int(np.argmin(self.history)) >= self.allowed


@dataclass(kw_only=True)
class FinetuneRun(ABC):
    """A prepared run: its model, its rows as examples, and its loss (see `train.launch.TrainingRun`)."""

    config: FinetuneConfig
    measures_whole: ClassVar[bool] = True
    free: ClassVar[frozenset[str]] = FREE

    @property
    @abstractmethod
    def loaded(self) -> Loaded: ...
    @property
    @abstractmethod
    def loss(self) -> nn.Module: ...
    @property
    @abstractmethod
    def unit(self) -> str: ...
    @property
    @abstractmethod
    def lengths(self) -> list[int]:
        """Tokens of each example."""

    @property
    @abstractmethod
    def cut(self) -> int:
        """Training rows that were too long and lost tokens."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What is trained on what, for people."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int: ...

    @abstractmethod
    def steps(
        self, place: JsonObject | None, processes: Processes, enough: Callable[[], bool] = lambda: False
    ) -> StepSource:
        """The steps from a place in the data on (None: from the beginning), until `enough` says so."""

    @abstractmethod
    def measure(self, dtype: torch.dtype, processes: Processes) -> dict[str, EvalResult]:
        """What the model is worth on the rows of dev, and on other texts by their names; the same in every process."""

    @abstractmethod
    def better(self, measured: EvalResult) -> float:
        """The number by which checkpoints are compared: lower is better."""

    @abstractmethod
    def shown(self, index: int) -> list[str]:
        """Training row `index` for people. Raises UserError for a row there is not."""

    @property
    def kept(self) -> Collection[str] | None:
        """The parameters that `write` reads; None: all."""
        return None

    def settings(self) -> JsonObject:
        return to_mapping(self.config)

    @abstractmethod
    def fingerprint(self) -> JsonObject: ...
    @abstractmethod
    def restore(self, path: Path, model: nn.Module) -> None: ...
    @abstractmethod
    def write(self, path: Path, record: JsonObject) -> None: ...

    @property
    def model(self) -> nn.Module:
        model: nn.Module = self.loaded.model
        return model

    @property
    def dtype(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        return machine.training_dtype(self.config.precision, compute_device(self.model).type)

    def compute(self) -> Compute:
        width, device = self.loaded.config.hidden_size, compute_device(self.model)
        return Compute(
            dtype=self.dtype,
            flops_per_token=6.0 * sum(p.numel() for p in self.model.parameters() if p.dim() > 1),
            peak_flops=machine.matmul_rate([(1024, width, 4 * width)], self.dtype, device.type),
        )

    @cached_property
    def patience(self) -> Patience:
        return Patience(self.config.patience, [])

    def course(self, state: Table, processes: Processes) -> Course:
        before = [result for step, result in measures_of(Path(self.config.output), DEV) if step <= state["step"]]
        self.patience.history[:] = map(self.better, before)
        every = self.config.evaluate_every or self.steps_per_epoch
        return Course(
            source=self.steps(state["data"], processes, lambda: self.patience.exhausted),
            steps=self.config.epochs * self.steps_per_epoch,
            validate_every=every,
            save_every=every,
        )

    def validate(self, processes: Processes) -> dict[str, EvalResult]:
        measured = self.measure(self.dtype, processes)
        self.patience.take(self.better(measured[DEV]))
        return measured

    def metric(self, measures: Mapping[str, EvalResult]) -> float | None:
        return self.better(measures[DEV]) if measures else None

    def observers(self, done: int) -> Sequence[Observer]:
        return ()

    def chosen(self, store: CheckpointStore) -> Path | None:
        return store.best()

    def finish(self) -> None:
        self.model.eval()
