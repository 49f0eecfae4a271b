"""Progress for people: a bar with the time left on a terminal, one plain line at a time elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from glmkit.pictures.fonts import fonts_for
from glmkit.train.trainer import Record, Trainer
from glmkit.train.validation import EvalResult

console = Console(stderr=True, highlight=False)
_WIDE = 84  # columns that a bar needs beside its figures


class TrainingProgress:
    """Watches a training run."""

    def __init__(self, trainer: Trainer, done: int) -> None:
        self._steps = steps = trainer.steps
        self._began, self._done = time.monotonic(), done
        self._wide = console.width >= _WIDE
        columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn()) if self._wide else (MofNCompleteColumn(),)
        self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), TimeRemainingColumn(), console=console)
        self._task = self._bar.add_task("", total=steps, completed=done, note="")
        if done < steps and not any(trainer.learning_rate(step) for step in range(done, steps)):
            console.print(
                "the learning rate of this run is 0 throughout, as the warm-up begins there: nothing is learned; "
                "give more steps, or schedule.warmup=0"
            )
        if trainer.processes.world > 1 and trainer.save_minutes:
            every = f"every {trainer.save_every} steps, and every {trainer.save_minutes:g} minutes"
            console.print(f"saved {every}: no more than that is lost with a process", soft_wrap=True)
        if console.is_terminal:
            self._bar.start()

    def on_step(self, record: Record) -> None:
        unit = " tok/s" if self._wide or not console.is_terminal else "/s"
        note = f"loss {record.loss:.3f} lr {record.learning_rate:.1e} {record.tokens_per_second:,.0f}{unit}"
        if console.is_terminal:
            self._bar.update(self._task, completed=record.step, note=note)
        else:
            left = (time.monotonic() - self._began) / max(1, record.step - self._done) * (self._steps - record.step)
            if record.peak_share <= 1:  # else the peak was measured while the machine had something else to do
                note += f" ({record.peak_share:.0%} of matmul peak)"
            if record.epochs:
                note += f" epochs {', '.join(f'{name} {count:.2f}' for name, count in record.epochs.items())}"
            print(f"step {record.step}/{self._steps} {note} left {left:.0f} s", file=sys.stderr, flush=True)

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for name, measure in measures.items():
            scores = "".join(f" {score} {value:.1%}" for score, value in measure.scores.items())
            figures = f"loss {measure.loss:.3f}{scores} accuracy {measure.accuracy:.1%}"
            console.print(f"step {step}: held out ({name}) {figures}")

    def on_save(self, path: Path) -> None:
        console.print(f"saved {path}", soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


def note_missing_fonts(run: str) -> None:
    """Says how to get a font for the name of a run whose curve was drawn without it."""
    if note := fonts_for([Path(run).name]).note:
        console.print(note, soft_wrap=True)


@contextmanager
def reading(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar over `total` bytes; yields the function to call with every few bytes read."""
    columns = (TextColumn(what), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def counting() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Progress bars over rows: yields what makes, for a name and a number of rows, the function to call with every
    few."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal)

    def counter(name: str, total: int) -> Callable[[int], None]:
        bar.start()  # not before: a model may still be loaded, with a bar of its own
        task = bar.add_task(name, total=total or None)
        return lambda count: bar.advance(task, count)

    try:
        yield counter
    finally:
        bar.stop()
