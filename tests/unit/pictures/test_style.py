"""One style for every figure: series that can be told apart in grey, bands of seeds, one legend, whole files."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from glmkit.core.errors import Unwritable
from glmkit.pictures.style import BLACK, COLOURS, PALE, SKY, draw_seeds, legend_below, picture, seeds, series
from tests.full_disk import room_for


def luminance(colour: str) -> float:
    """Of a colour by WCAG 2, from 0 (black) to 1."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_series_differ_without_their_colours() -> None:
    looks = [series(number) for number in range(len(COLOURS))]
    assert len({(look["marker"], str(look["ls"])) for look in looks}) == len(looks)
    assert len({look["color"] for look in looks}) == len(looks)
    assert series(0) == series(len(COLOURS))


def test_words_and_masks_can_be_read_in_grey() -> None:
    assert contrast(SKY, PALE) > 1.9
    assert contrast(BLACK, SKY) > 7


@pytest.mark.parametrize("count", [1, 3])
def test_a_band_is_one_deviation_around_the_mean_of_seeds(count: int) -> None:
    axes = Figure().add_subplot()
    runs = np.arange(count)[:, None] + np.array([[1.0, 2.0, 4.0]])
    draw_seeds(axes, [0, 1, 2], runs.tolist(), 1, "name")
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_ydata(), runs.mean(axis=0))
    assert len(axes.collections) == (count > 1)
    if count > 1:
        edges = axes.collections[0].get_paths()[0].vertices
        assert edges[:, 1].min() == pytest.approx(runs.mean(axis=0)[0] - 1)
    assert seeds(count) == ("3 seeds: mean ± s.d." if count > 1 else "one seed")


def test_a_figure_is_written_whole_with_one_legend_beside_its_data(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    with picture(path, width=4, height=3) as (figure, _):
        for number, axes in enumerate(figure.subplots(1, 2)):
            axes.plot([0, 1], [0, 1], label="a line", **series(number))
        legend_below(figure)
    assert Image.open(path).size == (600, 450)
    assert len(figure.legends) == 1
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert figure.legends[0].get_window_extent().y1 <= min(box.y0 for box in boxes)
    before = path.read_bytes()
    with room_for(100), pytest.raises(Unwritable), picture(path):
        pass
    assert path.read_bytes() == before
