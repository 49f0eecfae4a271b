"""Programs that show runs: those that are there get the numbers of the log, the others are one line."""

import json
import sys
from pathlib import Path

import pytest

from glmkit.core.errors import MissingExtra, UserError
from glmkit.finetuning.config import FinetuneConfig
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import TRACKERS, tracker_names
from glmkit.train.trackers import STARTERS
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult

RECORDS = [Record(number, 9.0 - number, 1e-3, 1.0, 100 * number, 50.0, 0.5, {"web": 0.5}) for number in (1, 2)]


def test_names_have_commas_between() -> None:
    assert tracker_names(" wandb, trackio,wandb,") == ["wandb", "trackio"]
    assert tracker_names("") == []
    with pytest.raises(UserError, match="report_to: unknown program 'wandv'; did you mean 'wandb'"):
        PretrainConfig(report_to="wandv")
    with pytest.raises(UserError, match="report_to: unknown program"):
        FinetuneConfig(report_to="nothing at all")


def test_every_name_starts_something() -> None:
    assert tuple(STARTERS) == TRACKERS


def test_tensorboard_is_one_of_them() -> None:
    assert PretrainConfig(tensorboard=True, report_to="trackio").trackers == ["trackio", "tensorboard"]
    assert FinetuneConfig(report_to="tensorboard", tensorboard=True).trackers == ["tensorboard"]


@pytest.mark.parametrize("name", TRACKERS)
def test_one_that_is_not_installed_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (name, "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    error = MissingExtra if name == "tensorboard" else UserError
    with pytest.raises(error, match=f"{name} is not installed; run: pip install"):
        STARTERS[name](tmp_path, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACKERS)
def test_those_that_are_installed_get_the_numbers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network and without an account."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("SWANLAB_MODE", "local")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip(name)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"config": {"steps": 2, "model": {"num_layers": 2}}}))
    tracker = STARTERS[name](run, 0)
    tracker.on_measure(0, {"token": EvalResult(9.0, 0.1, 10, {"macro_f1": 0.5})})
    for record in RECORDS:
        tracker.on_step(record)
    tracker.on_measure(2, {"token": EvalResult(7.0, 0.2, 10)})
    tracker.on_save(run)
    tracker.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "run.json"]
