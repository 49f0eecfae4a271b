"""Metrics against values worked out by hand, intervals and tests against their definitions."""

import itertools
import json
from pathlib import Path

import pytest

from glmkit.core.errors import UserError
from glmkit.tasks import metrics
from glmkit.tasks.confidence import compare, interval, mcnemar
from glmkit.tasks.instance import Instance
from glmkit.tasks.metrics import METRICS, Judged


def judged(gold: list[int], said: list[int], groups: str = "") -> list[Judged]:
    names = groups or " " * len(gold)
    return [
        Judged(Instance(uid="", fields={}, gold=g, group=name.strip()), s)
        for g, s, name in zip(gold, said, names, strict=True)
    ]


def test_accuracy_and_f1() -> None:
    rows = judged([0, 0, 1, 1, 2], [0, 1, 1, 1, 0])
    assert metrics.accuracy(rows) == 3 / 5
    assert metrics.f1(rows) == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert metrics.macro_f1(rows) == pytest.approx((0.5 + 0.8 + 0) / 3)
    assert metrics.f1(judged([0, 0], [0, 0])) == 0


def test_a_multirc_question_counts_when_all_its_answers_are_right() -> None:
    rows = judged([1, 0, 1, 0], [1, 0, 1, 1], "aabb")
    assert METRICS["em"](rows) == 0.5
    assert METRICS["f1a"](rows) == pytest.approx(0.8)


def test_record_compares_texts_as_its_script_does() -> None:
    row = Instance(uid="", fields={}, choices=("The U.S. Army", "Paris"), golds=("us army", "Army"))
    assert metrics.qa_em([Judged(row, 0)]) == 1
    assert metrics.qa_f1([Judged(row, 1)]) == 0
    other = Instance(uid="", fields={}, choices=("New York City",), golds=("New York",))
    assert metrics.qa_em([Judged(other, 0)]) == 0
    assert metrics.qa_f1([Judged(other, 0)]) == pytest.approx(0.8)
    assert Judged(row, 0).right
    assert not Judged(row, 1).right


def test_mcnemar_is_the_binomial_test() -> None:
    for first, second in itertools.product(range(6), repeat=2):
        n, extreme = first + second, abs(first - second)
        draws = list(itertools.product((0, 1), repeat=n))
        far = sum(abs(2 * sum(draw) - n) >= extreme for draw in draws)
        assert mcnemar(first, second) == pytest.approx(min(1.0, far / len(draws)))


def test_the_interval_holds_the_value_and_shrinks_with_rows() -> None:
    def share(rows: list[int]) -> float:
        return sum(rows) / len(rows)

    few, many = [1, 1, 1, 0] * 5, [1, 1, 1, 0] * 100
    low, high = interval(few, share, [""] * len(few))
    assert low < 0.75 < high
    narrow = interval(many, share, [""] * len(many))
    assert narrow[1] - narrow[0] < (high - low) / 3
    assert interval(few, share, ["all"] * len(few)) == (0.75, 0.75)  # one group is drawn whole or not at all


def test_two_logs_are_compared_row_by_row(tmp_path: Path) -> None:
    for name, hits in (("a", [1, 1, 1, 1, 0]), ("b", [0, 0, 0, 1, 0])):
        lines = [json.dumps({"task": "t", "row": str(n), "right": bool(hit)}) for n, hit in enumerate(hits)]
        (tmp_path / name).write_text("\n".join(lines))
    (result,) = compare(tmp_path / "a", tmp_path / "b")
    assert (result.first, result.second, result.only_first, result.only_second) == (0.8, 0.2, 3, 0)
    assert result.p == 0.25
    (tmp_path / "c").write_text('{"task": "t", "row": "0", "right": true}')
    with pytest.raises(UserError, match="other rows"):
        compare(tmp_path / "a", tmp_path / "c")
