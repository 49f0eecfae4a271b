"""Calibration: one temperature makes probabilities as sure as they are right."""

import numpy as np

from glmkit.tasks.saved import Saved, tempered


def test_probabilities_that_are_too_sure_are_calmed() -> None:
    """Right in 7 of 10 rows, and always 99 % sure: afterwards about 70 % sure."""
    saved = Saved(kind="classify", length=8)
    sure = np.array([0.99, 0.01])
    gold = [0] * 70 + [1] * 30
    calm = saved.calibrated([sure] * 100, gold)
    assert calm.temperature > 1
    assert abs(tempered(sure, calm.temperature)[0] - 0.7) < 0.05
    assert saved.calibrated([np.array([0.6, 0.4])] * 100, [0] * 100).temperature < 1
    assert saved.calibrated([sure], [0]).temperature > 0.5  # one row says little
