"""What is worked out from the log of a run."""

from pathlib import Path

import pytest

from glmkit.core.errors import Unwritable
from glmkit.recipes.demo import training_seconds
from glmkit.train.logs import CURVE, LOG, JsonLog, draw_curve, read_log
from glmkit.train.trainer import Record
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
