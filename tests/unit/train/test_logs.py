"""What is worked out from the log of a run."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from glmkit.api.demo import training_seconds
from glmkit.bench.report import Report, Result
from glmkit.core.errors import Unwritable
from glmkit.core.strict_json import parse
from glmkit.train.curves import CURVE, curves, draw_curve
from glmkit.train.logs import LOG, JsonLog, measures_of, read_log
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult
from tests.full_disk import room_for


def test_seconds_are_of_all_sessions() -> None:
    """Two sessions of different speed: 100 tokens at 50 a second, then 300 at 100 a second."""
    steps = [{"tokens": 100, "tokens_per_second": 50.0}, {"tokens": 400, "tokens_per_second": 100.0}]
    assert training_seconds(steps) == 5.0


def test_a_full_disk_is_told_by_file_and_reason_and_leaves_no_half_line(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 0)
    log.on_step(Record(1, 2.0, 1e-3, 1.0, 10, 5.0, 0.5))
    size = (tmp_path / LOG).stat().st_size
    with room_for(size + 50), pytest.raises(Unwritable, match=f"could not write {tmp_path / LOG}: File too large"):
        log.on_step(Record(2, 2.0, 1e-3, 1.0, 20, 5.0, 0.5))
    log.close()
    assert (tmp_path / LOG).stat().st_size == size
    assert [event["step"] for event in read_log(tmp_path)] == [1]
    draw_curve(tmp_path)
    before = (tmp_path / CURVE).read_bytes()
    with room_for(1000), pytest.raises(Unwritable, match=f"could not write {tmp_path / CURVE}: File too large"):
        draw_curve(tmp_path)
    assert (tmp_path / CURVE).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG, CURVE]


def test_a_figure_that_is_no_number_is_null(tmp_path: Path) -> None:
    nan = float("nan")
    JsonLog(tmp_path, 0).on_step(Record(1, nan, 1e-3, float("inf"), 10, 5.0, nan))
    assert [(event["loss"], event["grad_norm"]) for event in read_log(tmp_path)] == [(None, None)]
    report = Report("load", {}, [Result("share", nan, "")])
    assert parse(report.json())["results"] == [
        {"name": "share", "value": None, "unit": "", "limit": None, "ratio": None}
    ]


def step(number: int, tokens: int) -> dict[str, object]:
    return {"kind": "step", "step": number, "tokens": tokens, "loss": 1.0, "tokens_per_second": 9.0}


def heldout(number: int, loss: float) -> dict[str, object]:
    return {"kind": "heldout", "step": number, "objective": "dev", "loss": loss, "accuracy": 0.5, "tokens": 3}


def test_every_held_out_point_is_drawn_wherever_steps_were_logged() -> None:
    events = [heldout(0, 9.0), heldout(3, 8.0), step(5, 100), heldout(7, 7.0), step(10, 300), heldout(12, 6.0)]
    training, result = curves(events)
    assert training == ([100, 300], [1.0, 1.0])
    assert result == {"dev": ([0.0, 60.0, 180.0, 380.0], [9.0, 8.0, 7.0, 6.0])}
    assert curves([heldout(4, 1.0)]) == (([], []), {"dev": ([0.0], [1.0])})


def test_the_curve_says_what_its_losses_are_counted_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), saved(self, *a, **k))[1])
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in (heldout(0, 1.0), step(1, 10))))
    draw_curve(tmp_path)
    draw_curve(tmp_path, "nats per row")
    labels = [figure.axes[0].get_ylabel() for figure in drawn]
    assert labels == ["loss (nats per predicted token)", "loss (nats per row)"]


def test_a_measured_number_stands_in_the_log_under_its_own_name(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 0)
    measured = EvalResult(0.5, 0.75, 4, {"macro_f1": 0.625})
    log.on_measure(2, {"dev": measured})
    log.close()
    (event,) = read_log(tmp_path)
    assert (event["accuracy"], event["macro_f1"]) == (0.75, 0.625)
    assert measures_of(tmp_path, "dev") == [(2, measured)]
    assert (measured.value("macro_f1"), measured.value("accuracy")) == (0.625, 0.75)
