"""CMRC 2018's metrics on answers worked out by hand from its script, and its longest run against all runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.tasks.cmrc import exact_match, f1_score, longest_run, pieces
from glmkit.tasks.overlap import overlap


def test_pieces_are_chinese_characters_and_other_words() -> None:
    # What is removed parts no words.
    assert pieces("光荣和ω-Force，1988年。") == ["光", "荣", "和", "ωforce1988", "年"]
    assert pieces(" 3.5 km 远！ don't (so) ") == ["3.5", "km", "远", "don't", "(", "so", ")"]
    assert pieces("。！") == []


@pytest.mark.parametrize(
    ("written", "rights", "em", "f1"),
    [
        ("村雨城", ["村雨城"], 1, 1),
        ("《村雨城》。", ["村雨城", "别的"], 1, 1),  # its punctuation does not count
        ("村雨城.", ["村雨城"], 0, 2 * 3 / 7),  # an English full stop does
        ("任天堂游戏村雨城", ["村雨城"], 0, 2 * 3 / 11),
        ("北京大学", ["北大"], 0, 2 * 1 / 6),  # 北 and 大 are apart: the longest run is one piece, not two
        ("1988年4月", ["1988年"], 0, 2 * 2 / 6),  # 1988 年 of 1988 年 4 月
        ("omega FORCE", ["Omega Force"], 1, 1),
        ("南", ["北", "东"], 0, 0),
        ("", ["北"], 0, 0),
        ("。", ["！"], 1, 0),  # nothing but punctuation: the same, and of no pieces
    ],
)
def test_worked_out_by_hand(written: str, rights: list[str], em: float, f1: float) -> None:
    assert exact_match(written, rights) == em
    assert f1_score(written, rights) == pytest.approx(f1)


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_the_longest_run_is_the_longest_of_all(one: str, other: str) -> None:
    runs = [one[i:j] for i in range(len(one)) for j in range(i + 1, len(one) + 1)]
    assert longest_run(one, other) == max((len(run) for run in runs if run in other), default=0)


def test_percent_over_rows() -> None:
    result = overlap(["cmrc"], ["村雨城", "北京大学"], [["村雨城"], ["北大"]])
    assert result == {"cmrc_em": 50.0, "cmrc_f1": pytest.approx(100 * (1 + 1 / 3) / 2)}
