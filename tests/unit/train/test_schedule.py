"""Learning rates: where they begin, peak and end; and settings that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.testing import DOUBLE_TOLERANCE
from glmkit.train.schedule import ScheduleConfig, learning_rate

SHAPES = ("cosine", "linear", "constant", "wsd")


@pytest.mark.parametrize("shape", SHAPES)
@given(total=st.integers(1, 5000), warmup=st.floats(0, 1), floor=st.floats(0, 1), step=st.integers(0, 10_000))
def test_a_rate_stays_between_its_bounds(shape: str, total: int, warmup: float, floor: float, step: int) -> None:
    config = ScheduleConfig(peak=2.0, shape=shape, warmup=warmup, floor=floor, decay=1 - warmup)  # type: ignore[arg-type]
    rate = learning_rate(config, step, total)
    assert 0 <= rate <= 2.0
    if step >= warmup * total and shape != "constant":
        assert rate >= 2.0 * floor - DOUBLE_TOLERANCE
    if step > total and shape != "constant":
        assert rate == pytest.approx(2.0 * floor), "it stays on its floor"


@pytest.mark.parametrize("shape", SHAPES)
@given(total=st.integers(1, 500), warmup=st.floats(0, 1))
def test_a_rate_rises_to_its_peak_and_then_falls(shape: str, total: int, warmup: float) -> None:
    config = ScheduleConfig(peak=1.0, shape=shape, warmup=warmup, decay=1 - warmup)  # type: ignore[arg-type]
    rates = [learning_rate(config, step, total) for step in range(total + 2)]
    rising = [rate for step, rate in enumerate(rates) if step < warmup * total]
    falling = rates[len(rising) :]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


def test_wsd_rises_stays_and_falls_to_its_floor() -> None:
    config = ScheduleConfig(peak=1.0, shape="wsd", warmup=0.2, floor=0.0, decay=0.4)
    rates = [learning_rate(config, step, 10) for step in range(12)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0], abs=DOUBLE_TOLERANCE)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peak": 0.0}, "schedule.peak must be a finite number greater than 0, got 0.0"),
        ({"shape": "step"}, "schedule.shape must be one of cosine, linear, constant, wsd, got 'step'"),
        ({"warmup": 1.5}, "schedule.warmup must be a finite number of at least 0 and at most 1, got 1.5"),
        ({"decay": 1.5}, "schedule.decay must be a finite number of at least 0 and at most 1, got 1.5"),
        (
            {"shape": "wsd", "warmup": 0.7},
            "schedule.warmup 0.7 and schedule.decay 0.4 are shares of one run and more than the whole together: lower "
            "one of them",
        ),
        ({"floor": -0.1}, "schedule.floor must be a finite number of at least 0 and at most 1, got -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as raised:
        ScheduleConfig(**settings)  # type: ignore[arg-type]
    assert str(raised.value) == said
