"""At 60 columns every table and line of progress is whole; a run that cannot learn says so."""

import io
import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console, RenderableType

from glmkit.bench.report import Report
from glmkit.bench.report import Result as Figure
from glmkit.cli import eval as evaluation
from glmkit.cli import progress
from glmkit.cli.demo import words_table
from glmkit.core.processes import ALONE
from glmkit.tasks.evaluate import Result, Value
from glmkit.train.trainer import Record

FILL = {
    "text": "Return the [MASK] of the list, or [None] where it is empty.",
    "truth": "length",
    "truth_probability": 0.5,
    "words": [{"word": "length", "probability": 0.5}, {"word": "first", "probability": 0.25}],
}
RECORD = Record(99_999, 10.123, 1.2e-4, 1.0, 3_000_000, 123_456.0, 0.3)


def narrow() -> Console:
    return Console(width=60, file=io.StringIO(), force_terminal=True, color_system=None, highlight=False)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def whole(text: str, words: list[str]) -> None:
    assert max(map(len, text.splitlines())) <= 60, text
    assert "…" not in text
    assert [word for word in words if word not in text] == []


def printed(what: RenderableType) -> str:
    console = narrow()
    console.print(what)
    return shown(console)


def test_the_table_of_the_demo() -> None:
    whole(printed(words_table([FILL])), ["sentence", "truth", "[MASK]", "[None]", "*length 50.0%", " first 25.0%"])


def test_the_report_of_a_benchmark() -> None:
    console = narrow()
    config = {"preset": "chatglm2-6b", "layers": 8, "quantize": "int4", "room": 1024, "rows": 1, "threads": 2}
    Report("decode", config, [Figure("tokens", 31.345, "tokens/s", 22.6)]).print(console)
    whole(shown(console), ["preset=chatglm2-6b", "threads=2", "31.34 tokens/s", "22.6", "1.39", "value", "ratio"])


@pytest.mark.parametrize("columns", [60, 160])
def test_the_table_of_eval(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    metrics = {"accuracy": Value(0.6125, 0.551, 0.672), "macro_f1": Value(0.5, math.nan, math.nan)}
    notes = ("val.jsonl", "label words of several tokens, scored whole: terrible")
    row = Result(task="rte", pattern="0", rows=277, cut=3, metrics=metrics, notes=notes, log=())
    evaluation._print([row])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    text = " ".join(out.split())
    words = ["rte", "0", "accuracy", "0.6125", "0.551-0.672", "macro_f1", "0.5", "277", "3", *notes]
    assert [word for word in words if word not in text] == []
    assert ("task" in out.splitlines()[0]) == (columns == 160)


def trainer(steps: int, learning_rate: Callable[[int], float]) -> SimpleNamespace:
    """What the bar reads of one."""
    return SimpleNamespace(steps=steps, learning_rate=learning_rate, processes=ALONE, save_minutes=0.0)


def test_the_bar_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    console = narrow()
    monkeypatch.setattr(progress, "console", console)
    bar = progress.TrainingProgress(trainer(120_000, lambda step: 1e-4), 0)  # type: ignore[arg-type]
    bar.on_step(RECORD)
    bar.close()
    last = [line for line in shown(console).replace("\r", "\n").splitlines() if "loss" in line][-1]
    assert all(word in last for word in ("99999/120000", "loss 10.123", "lr 1.2e-04", "123,456/s"))
    assert "…" not in last


@pytest.mark.parametrize(("done", "steps", "told"), [(0, 1, True), (0, 2, False), (1, 2, False), (1, 1, False)])
def test_a_run_whose_rate_is_0_throughout_says_so(
    done: int, steps: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = narrow()
    monkeypatch.setattr(progress, "console", console)
    progress.TrainingProgress(trainer(steps, lambda step: 0.1 * step), done).close()  # type: ignore[arg-type]
    assert ("schedule.warmup=0" in shown(console)) == told
