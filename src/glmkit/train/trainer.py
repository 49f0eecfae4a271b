"""The training loop: steps, measurements, checkpoints, and an orderly stop."""

import math
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, pstdev
from types import FrameType
from typing import ClassVar, Protocol

import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core.errors import PeerLost, TrainingDiverged, argument
from glmkit.core.forked import computing
from glmkit.core.json_types import JsonObject
from glmkit.core.processes import Processes
from glmkit.data.steps import Step
from glmkit.train.parallel import Parallel
from glmkit.train.step import StepResult, train_step, weight_of
from glmkit.train.validation import EvalResult

# Among the first steps, that many in a row with more than twice the loss of the beginning, and 1 nat, mean that the
# rate is too high. One does not: the loss of a choice between long answers differs as much from batch to batch.
_EARLY, _IN_A_ROW = 100, 3
# What gloo and NCCL say when the process at the other end is no more.
_GONE = re.compile(r"[Cc]onnection (closed|reset|refused)|remote process|peer|NCCL|[Ss]ocket|timed? ?out", re.ASCII)


class Interrupted(Exception):
    """A signal asked the run to stop; it has been saved."""

    def __init__(self, number: int, saved: Path, advice: str = "") -> None:
        advice = advice or f"go on with {argument('resume', 'auto')}"
        super().__init__(f"stopped by {signal.Signals(number).name}; saved {saved}; {advice}")
        self.number, self.saved = number, saved
        self.exit_code = 128 + number  # what the shell expects of a program ended by a signal


@dataclass(frozen=True)
class Record:
    """One logged step. `peak_share`: model arithmetic as a share of the machine's measured matrix-product rate."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int  # seen so far, over all processes
    tokens_per_second: float
    peak_share: float
    epochs: Mapping[str, float] = field(default_factory=dict)  # of a mixture: how often each corpus was read so far
    skipped: int = 0  # steps since the run was started that were spikes


@dataclass
class Spikes:
    """Steps whose gradient norm is beyond so many standard `deviations` of the last ones leave the weights as they are.

    `norms` are those of the last REMEMBERED steps, spikes not among them; before half as many are known nothing is
    skipped.
    """

    REMEMBERED: ClassVar[int] = 128
    deviations: float
    norms: deque[float]
    skipped: int = 0

    @property
    def limit(self) -> float:
        """The largest norm that is applied."""
        if not self.deviations or len(self.norms) < self.REMEMBERED // 2:
            return math.inf
        return mean(self.norms) + self.deviations * pstdev(self.norms)

    def observe(self, result: StepResult) -> None:
        if result.applied:
            self.norms.append(result.grad_norm)
        else:
            self.skipped += 1


class Observer(Protocol):
    """Watches a run: a progress bar, a log file, a curve."""

    def on_step(self, record: Record) -> None: ...
    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None: ...
    def on_save(self, path: Path) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Everything a run needs, put together by whoever defines the task.

    `metric` of what was measured: the checkpoint of the lowest is the best one and is kept.
    """

    model: nn.Module
    loss: nn.Module  # the model with its loss
    optimizer: torch.optim.Optimizer
    learning_rate: Callable[[int], float]
    steps: int
    grad_clip: float
    dtype: torch.dtype
    seed: int
    parallel: Parallel
    store: CheckpointStore
    write_model: Callable[[Path], None]  # called in every process
    measure: Callable[[], dict[str, EvalResult]]  # called in every process, with the same result
    measures_whole: bool = False
    validation_every: int
    save_every: int
    save_minutes: float  # of the first process's clock; 0: steps alone count
    skip_spikes: float  # deviations of the gradient norm (see `Spikes`); 0: none is skipped
    log_every: int
    flops_per_token: float
    peak_flops: float
    observers: Sequence[Observer] = ()
    metric: Callable[[Mapping[str, EvalResult]], float | None] = field(default_factory=lambda: mean_loss)

    @property
    def processes(self) -> Processes:
        return self.parallel.processes

    def run(self, data: Iterable[Step], done: int = 0, tokens: int = 0, norms: Sequence[float] = ()) -> None:
        """Trains from step `done` to the last; `norms` are the gradient norms that spikes are compared with.

        Raises TrainingDiverged, PeerLost or, after saving, Interrupted.
        """
        try:
            self._run(data, done, tokens, Spikes(self.skip_spikes, deque(norms, Spikes.REMEMBERED)))
        except RuntimeError as error:
            if self.processes.world > 1 and _GONE.search(str(error)):
                raise PeerLost(
                    f"process {self.processes.rank} lost another one; {self.store.survivor}: at most "
                    f"{self.store.minutes_since:.0f} minutes of work are lost, from which torchrun starts again"
                ) from None
            raise

    def _run(self, data: Iterable[Step], done: int, tokens: int, spikes: Spikes) -> None:
        computing()
        beginning = math.inf  # of a run that goes on it is not known: it is past its beginning
        if done == 0:
            beginning = mean_loss(self._measure(0)) or 0.0
        self.model.train()
        began, counted = time.perf_counter(), tokens
        high = 0  # steps in a row
        place: JsonObject | None = None
        saved_at = time.monotonic()
        with _StopSignal() as stop:
            for number, step in zip(range(done, self.steps), data):  # noqa: B905 (the data never end)
                minutes = (time.monotonic() - saved_at) / 60
                late = self.processes.first and 0 < self.save_minutes < minutes
                weight, read, signals, due = self.processes.all_reduce_sum(
                    weight_of(step.batches), step.tokens, float(stop.number is not None), float(late)
                )
                if signals and place is not None:  # at least one step is done
                    saved = self._save(done, tokens, place, {}, spikes)
                    raise Interrupted(stop.number or signal.SIGTERM, saved)
                result = train_step(
                    self.loss,
                    self.optimizer,
                    step.batches,
                    weight=weight,
                    learning_rate=self.learning_rate(number),
                    grad_clip=self.grad_clip,
                    norm_limit=spikes.limit,
                    dtype=self.dtype,
                    parallel=self.parallel,
                    seed=self.seed * 1_000_003 + number,
                )
                beginning = max(beginning, result.loss) if number == 0 else beginning
                high = high + 1 if number < _EARLY and result.loss > 2 * beginning + 1 else 0
                if not result.finite or high == _IN_A_ROW:
                    raise self._diverged(number, result, step)
                spikes.observe(result)
                tokens += int(read)
                done, last = number + 1, number + 1 == self.steps
                if done % self.log_every == 0 or last:
                    rate = (tokens - counted) / (time.perf_counter() - began)
                    self._log(done, result, tokens, rate, step.epochs, spikes.skipped)
                    began, counted = time.perf_counter(), tokens
                place = step.state
                measures = self._measure(done) if done % self.validation_every == 0 or last else {}
                if saving := due > 0 or done % self.save_every == 0 or last:
                    self._save(done, tokens, place, measures, spikes)
                    saved_at = time.monotonic()
                if measures or saving:
                    began, counted = time.perf_counter(), tokens  # throughput is of training alone

    def _log(
        self, done: int, result: StepResult, tokens: int, rate: float, epochs: Mapping[str, float], skipped: int
    ) -> None:
        share = rate * self.flops_per_token / (self.peak_flops * self.processes.world)
        now = self.learning_rate(done - 1)
        record = Record(done, result.loss, now, result.grad_norm, tokens, rate, share, epochs, skipped)
        for observer in self.observers:
            observer.on_step(record)

    def _measure(self, done: int) -> dict[str, EvalResult]:
        with self.parallel.measuring(self.measures_whole):
            measures = self.measure()
            for observer in self.observers:
                observer.on_measure(done, measures)
        return measures

    def _save(
        self, done: int, tokens: int, data: JsonObject, measures: Mapping[str, EvalResult], spikes: Spikes
    ) -> Path:
        path = self.store.run / "checkpoints" / f"step-{done:08d}"
        state = {"step": done, "tokens": tokens, "data": data, "rank": self.metric(measures)}
        state["heldout"] = {name: measure.record() for name, measure in measures.items()}
        state |= {"norms": [*spikes.norms]} if self.skip_spikes else {}
        self.optimizer.zero_grad(set_to_none=True)  # room for the weights, which the first process makes whole
        self.store.save(state, self.model, self.optimizer, self.write_model, self.processes)
        for observer in self.observers:
            observer.on_save(path)
        return path

    def _diverged(self, number: int, result: StepResult, step: Step) -> TrainingDiverged:
        return TrainingDiverged(
            f"step {number + 1}: loss {result.loss}, gradient norm {result.grad_norm}; "
            + (f"rows: {', '.join(step.rows)}; " if step.rows else "")
            + f"examples (epoch, index): {', '.join(map(str, step.examples))}; "
            + f"{self.store.survivor}; lower schedule.peak or look at these examples with `glmkit data show`"
        )


def mean_loss(measures: Mapping[str, EvalResult]) -> float | None:
    """The held-out loss over all objectives, each predicted token counting alike."""
    tokens = sum(measure.tokens for measure in measures.values())
    return sum(measure.loss * measure.tokens for measure in measures.values()) / tokens if tokens else None


class _StopSignal:
    """Remembers the first Ctrl-C or SIGTERM instead of dying of it; the second one acts at once."""

    number: int | None = None

    def __enter__(self) -> "_StopSignal":
        self._before = {}
        with suppress(ValueError):  # not the main thread: signals are somebody else's
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        for item, handler in self._before.items():
            signal.signal(item, handler)
