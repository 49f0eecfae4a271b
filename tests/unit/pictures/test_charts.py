"""Charts as SVG: round ticks, at most so many points, whatever stands in a name, values that are none."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.pictures.charts import MOST_POINTS, Line, line_chart, short_number, ticks

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


@given(NUMBERS, st.floats(1e-6, 1e9))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    marks = ticks(low, high)
    assert 1 <= len(marks) <= 6
    room = 1e-6 * (high - low) + 1e-9
    assert low - room <= marks[0]
    assert marks[-1] <= high + room


def test_ticks_are_round() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(2.9, 8.1) == [4, 6, 8]
    assert ticks(0, 300_000) == [0, 100_000, 200_000, 300_000]


def paths(chart: str) -> list[list[tuple[float, float]]]:
    """The curves of a chart's drawing, without those of its legend."""
    (drawing,) = (part for part in ElementTree.fromstring(chart).iter("svg") if part.get("role") == "img")
    lines = [part.get("d", "") for part in drawing.iter("path") if part.get("class", "").startswith("line")]
    return [[tuple(map(float, point.split())) for point in line[1:].split("L")] for line in lines]


def test_lines_lie_inside_and_long_ones_are_thinned() -> None:
    x = list(range(10_000))
    chart = line_chart(
        [Line("a", x, [math.sin(i / 500) for i in x]), Line("b", x[:5], [0, 1, 2, 3, 4], 0)], x_label="x", y_label="y"
    )
    long, short = paths(chart)
    assert len(long) <= MOST_POINTS
    assert len(short) == 5
    for x_place, y_place in [*long, *short]:
        assert 0 <= x_place <= 480
        assert 0 <= y_place <= 290
    assert [place for _, place in short] == sorted((place for _, place in short), reverse=True), "up is more"


@pytest.mark.parametrize("name", ["<b>&", '"', "床前", "a" * 300])
def test_names_are_text(name: str) -> None:
    chart = line_chart([Line(name, [0, 1], [1.0, 2.0], 0)], x_label=name, y_label="y")
    assert name in "".join(ElementTree.fromstring(chart).itertext())


def test_values_that_are_none_are_left_out() -> None:
    values = [1.0, None, math.nan, math.inf, 3.0]
    (path,) = paths(line_chart([Line("a", range(5), values, 0)], x_label="x", y_label="y"))
    assert len(path) == 2
    assert line_chart([Line("a", [0], [None])], x_label="x", y_label="y") == ""
    assert paths(line_chart([Line("a", [1], [1.0], 0)], x_label="x", y_label="y"))[0]


def test_numbers_are_short() -> None:
    assert [short_number(n) for n in (0, 1234, 2_500_000, 3e9, 0.00004)] == ["0", "1.234k", "2.5M", "3G", "4e-05"]
