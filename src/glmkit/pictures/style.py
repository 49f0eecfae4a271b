"""The one style of every figure that matplotlib draws: sizes, fonts, colours, bands of seeds, where the legend stands.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; a series also has a marker and a
line of its own, so that a print in grey says the same.
"""

import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from glmkit.core.files import atomic_file
from glmkit.pictures.fonts import Fonts, fonts_for

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
BLACK, GREY, PALE = "#000000", "#767676", "#F2F2F2"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
_MARKERS, _LINES = "osD^vPX", ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), "-")
HATCHES = ("", "//", "..", "xx")  # of bars
WIDTH = 8.0  # inches of one panel; text is 10 points, which stays readable at half that width
DPI = 150


class Look(TypedDict, total=False):
    """How a line of matplotlib is drawn."""

    color: str
    marker: str
    ls: str | tuple[int, tuple[int, ...]]
    lw: float


REFERENCE: Look = {"color": GREY, "ls": (0, (4, 3)), "lw": 1.2}  # of a level to compare with


@contextmanager
def picture(
    path: Path, texts: Iterable[str] = (), *, width: float = WIDTH, height: float = 5.0
) -> "Iterator[tuple[Figure, Fonts]]":
    """A figure of `width` by `height` inches that becomes the PNG `path` when the block ends, and the fonts that have
    the characters of `texts`: those which none has are written by `Fonts.drawn`."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = fonts_for(texts)
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a font in another weight is no news
    style = matplotlib.rc_context(
        {
            "font.family": fonts.families,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "lines.linewidth": 1.8,
            "lines.markersize": 4.5,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "errorbar.capsize": 3,
        }
    )
    with style:
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, fonts
        with atomic_file(path) as partial:
            partial.write_bytes(_png(figure))


def _png(figure: "Figure") -> bytes:
    """A PNG of at most 256 colours: a third of the size, and nothing that an eye sees."""
    from PIL import Image

    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, facecolor="white")
    Image.open(raw).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def series(number: int) -> Look:
    """Colour, marker and line of the curve of this number in a figure."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "ls": _LINES[number % len(_LINES)],
    }


def draw_seeds(axes: "Axes", x: Sequence[float], runs: Sequence[Sequence[float]], number: int, label: str) -> None:
    """The mean of several seeds as the curve of this number, and a band of one standard deviation around it; `runs`
    are the values of each seed at every `x`."""
    import numpy as np

    values = np.asarray(runs, dtype=float)  # [seeds, points]
    mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=len(values) > 1)
    axes.plot(x, mean, label=label, **series(number))
    if len(values) > 1:
        axes.fill_between(x, mean - deviation, mean + deviation, color=series(number)["color"], alpha=0.2, lw=0)


def seeds(count: int) -> str:
    """What a legend says of a band or a bar."""
    return f"{count} seeds: mean ± s.d." if count > 1 else "one seed"


def legend_below(
    figure: "Figure | SubFigure",
    *,
    columns: int = 3,
    title: str | None = None,
    handles: "Sequence[Artist] | None" = None,
) -> None:
    """One legend for the whole figure, outside of the data: the labels of its first panel, unless given."""
    lines, names = figure.axes[0].get_legend_handles_labels()
    if handles is not None:
        lines, names = list(handles), [handle.get_label() for handle in handles]
    if names:
        figure.legend(lines, names, loc="outside lower center", ncols=min(columns, len(names)), title=title)
