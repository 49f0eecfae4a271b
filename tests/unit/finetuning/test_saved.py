"""Calibration: one temperature makes probabilities as sure as they are right."""

from typing import Any

import numpy as np
import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.predictions import rows_of
from glmkit.finetuning.saved import Saved, tempered
from glmkit.tasks.custom import CustomTask


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


SAVED = Saved(
    kind="classify", length=8, custom=CustomTask(name="t", pair=("{a b}", "{正文}"), words={"0": "x", "1": "y"})
)


def test_texts_are_the_columns_that_were_learned_from() -> None:
    assert rows_of(SAVED, [("p", "q"), {"a b": "r", "more": 1}]) == [{"a b": "p", "正文": "q"}, {"a b": "r", "more": 1}]
    assert rows_of(Saved(kind="classify", length=8, name="sst2"), ["p"]) == [{"sentence": "p"}]
    assert rows_of(SAVED, [("p", "q")])[0].where == "text 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (3, "text 1 must be a list"),
        (("p", 3), r"text 1\[1\] must be text, got 3"),
        (("p", "q\ud83d"), r"text 1\[1\] is no Unicode text"),
        ("p", r"text 1: 1 texts where the task reads 2 \(a b, 正文\)"),
    ],
)
def test_what_is_no_text_is_named(text: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        rows_of(SAVED, [text])
