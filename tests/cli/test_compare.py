"""glmkit compare: where runs are, what their settings differ in, and what is wrong with what is none."""

import json
import os
from pathlib import Path

import pytest

from glmkit.cli.main import main
from glmkit.train.compare import differences, read_runs
from tests.unit.train.test_report import held_out, step


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    paths = (tmp_path / "a" / "run", tmp_path / "b" / "run")
    for path, peak in zip(paths, (1e-3, 2e-3), strict=True):
        path.mkdir(parents=True)
        config = {"output": str(path), "schedule": {"peak": peak}, "batch_size": 16, "compile": peak > 1e-3}
        (path / "run.json").write_text(json.dumps({"config": config}))
        events = [held_out(0), step(10, loss=peak), held_out(10, loss=peak * 2)]
        (path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return paths


def test_settings_that_differ_and_where_the_runs_are(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert differences(read_runs(runs)) == [("schedule.peak", [1e-3, 2e-3]), ("compile", [False, True])]
    assert [run.name for run in read_runs(runs)] == ["a/run", "b/run"]
    assert main(["compare", *map(str, runs)]) == 0
    out = capsys.readouterr().out
    for part in ("a/run", "b/run", "schedule.peak", "0.002", "held out: token", "0.004", "true"):
        assert part in out, part
    assert "batch_size" not in out


@pytest.mark.parametrize("suffix", [".html", ".png"])
def test_curves_over_one_another(runs: tuple[Path, Path], suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"new/compare{suffix}"
    assert main(["compare", *map(str, runs), "--output", str(file)]) == 0
    content = file.read_bytes()
    if suffix == ".png":
        assert content.startswith(b"\x89PNG")
    else:
        assert all(part in content.decode() for part in ("a/run", "b/run", "schedule.peak", "<svg", "held out: token"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["A"], "one run alone has nothing to be compared with: give two or more"),
        (["A", "A"], "{A} is given twice: give different runs"),
        (["A", "nothing"], "nothing has no run.json: give the directory of a training run"),
        (["A", "B", "--output", "c.pdf"], "--output c.pdf: give a name that ends in .html or .png"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], line: str, runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"A": str(runs[0]), "B": str(runs[1])}
    assert main(["compare", *(names.get(argument, argument) for argument in arguments)]) == 2
    assert capsys.readouterr().err == f"glmkit: {line.format(**names)}\n"


def test_a_broken_log_is_named_by_its_line(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    log = runs[1] / "log.jsonl"
    log.write_text("{}\n" + log.read_text())
    assert main(["compare", *map(str, runs)]) == 2
    err = capsys.readouterr().err
    assert f"{log}:1" in err
    assert err.count("\n") == 1
    os.remove(log)
    assert main(["compare", *map(str, runs)]) == 2
    assert "has no log.jsonl" in capsys.readouterr().err
