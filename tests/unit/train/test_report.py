"""report.html is drawn from the files of a run: at any time, whole, in the language that is wanted."""

import json
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import CorruptFile, Unwritable
from glmkit.train.logs import SAMPLES, SampleLog
from glmkit.train.report import REPORT, report, write_report
from glmkit.train.run import Report
from tests.full_disk import room_for

UNIT = "nats per predicted token"


def step(number: int, **values: Any) -> dict[str, Any]:
    usual = {"loss": 9 - number / 10, "learning_rate": 1e-3, "grad_norm": 1.0, "tokens": 100 * number}
    return {"kind": "step", "step": number, **usual, "tokens_per_second": 1234.0, "peak_share": 0.5, **values}


def held_out(number: int, objective: str = "token", **values: Any) -> dict[str, Any]:
    usual = {"loss": 8.5, "accuracy": 0.25, "tokens": 30}
    return {"kind": "heldout", "step": number, "objective": objective, **usual, **values}


EVENTS = [held_out(0), held_out(0, "sentence"), step(5), step(10, skipped=2), held_out(10, macro_f1=0.5)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    record = {
        "config": {"family": "glm", "steps": 20, "data": "<prepared>", "schedule": {"peak": 0.001}, "odd": {"a": None}},
        "versions": {"glmkit": "0.1.0", "torch": "2.13"},
        "data": {"tokens": 12345},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    return tmp_path


def test_it_says_what_the_run_says(run: Path) -> None:
    samples = SampleLog(run, 0)
    for number in range(11):
        samples.add(number, "token: 0", "Return the [MASK].", f"word{number}", "length")
    text = report(run, UNIT)
    for part in (
        "step 10 of 20, 1k tokens; 1.234k tokens a second",
        "2 steps were skipped",
        "loss, nats per predicted token",
        "learning rate",
        "macro_f1",
        "sentence",
        "Return the [MASK].",
        "word0",
        "word5",
        "word10",
        "length",
        "&lt;prepared&gt;",
        "torch 2.13",
        "12345",
        "schedule.peak",
    ):
        assert part in text, part
    assert "word3<" not in text, "of many measurements a few are shown"


def test_it_is_chinese_where_that_is_wanted(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "训练报告" in report(run, UNIT, "zh")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert '<html lang="zh">' in write_report(run).read_text(encoding="utf-8")


def test_a_run_that_has_hardly_begun_has_one(run: Path) -> None:
    (run / "log.jsonl").write_text("")
    assert "No step was logged yet." in report(run, UNIT)
    (run / "log.jsonl").write_text(json.dumps(step(1, loss=None, tokens_per_second=None, grad_norm=None)) + "\n")
    (run / SAMPLES).write_text("")
    assert "step 1 of 20" in report(run, UNIT)


def test_it_is_written_whole_or_not_at_all(run: Path) -> None:
    watcher = Report(run, UNIT)
    watcher.on_save(run)
    before = (run / REPORT).read_bytes()
    with room_for(1000), pytest.raises(Unwritable, match=REPORT):
        watcher.on_measure(10, {})
    assert (run / REPORT).read_bytes() == before
    watcher.close()
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


def test_a_broken_line_of_the_log_is_named(run: Path) -> None:
    with open(run / "log.jsonl", "a") as file:
        file.write("broken\n" + json.dumps(step(11)) + "\n")
    with pytest.raises(CorruptFile, match=r"log\.jsonl:6"):
        report(run, UNIT)
