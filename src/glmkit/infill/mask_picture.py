"""The attention mask of an example as a picture: token by token where these can be read, else as zones.

text     ###### ......  ......      a zone sees another one whole (#), or not at all (.), or itself and
span 1   ###### /.....  ......      what stands before (/)
span 2   ###### ######  /.....
"""

import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glmkit.core.types import AttentionMask, Example
from glmkit.infill.layout import Layout
from glmkit.infill.show import Spelling, spelled
from glmkit.pictures.style import BLACK, GREY, PALE, SKY, VERMILION, legend_below, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 40  # tokens whose labels can still be read beside a mask
_MOST = 14  # spans that have a zone of their own
_TEXT = (3.5, 0.55)  # least height of the text's zone, where a span has 1, and by the number of spans
_SIDE, _SIZE = 4.9, 7.5  # inches that the zones have across; points of the words in the first
_SHOWN = 34  # characters of a span


@dataclass(frozen=True)
class Zone:
    """Tokens `start` to `stop` that are seen alike: the corrupted text, a span or several, and words about them."""

    name: str
    start: int
    stop: int
    words: str


def draw_mask(layout: Layout, example: Example, path: Path, spelling: Spelling) -> str:
    """Draws which key (across) each query (down) sees, as a PNG.

    Returns what people should know of the picture: how to get a font for tokens whose ids stand there, or "".
    """
    visible = AttentionMask.prefix([example.context]).visible(0, len(example))[0, 0].numpy()
    return (_draw_tokens if len(example) <= _FEW else _draw_zones)(layout, example, path, spelling, visible)


def _draw_tokens(layout: Layout, example: Example, path: Path, spelling: Spelling, visible: np.ndarray) -> str:
    """A cell for each pair of tokens; lines part the corrupted text from the spans."""
    from matplotlib.colors import ListedColormap

    size = len(example)
    texts = [spelled(spelling, id) for id in example.tokens]
    with picture(path, texts, width=7, height=7.2) as (figure, fonts):
        axes = figure.add_subplot()
        axes.imshow(visible, cmap=ListedColormap([PALE, SKY]), vmin=0, vmax=1, interpolation="nearest")
        for place in {example.context, *np.flatnonzero(layout.block_position_ids == 1).tolist()} - {0, size}:
            axes.axhline(place - 0.5, color=VERMILION, lw=1.2)
            axes.axvline(place - 0.5, color=VERMILION, lw=1.2)
        names = [fonts.drawn(text, str(id)) for text, id in zip(texts, example.tokens, strict=True)]
        axes.set_xticks(range(size), names, rotation=90, fontsize=8)
        axes.set_yticks(range(size), names, fontsize=8)
        _finish(axes, layout, example)
        return fonts.note


def zones(layout: Layout, example: Example, spelling: Spelling) -> list[Zone]:
    """The corrupted text (or all of one that has no blanks) and the spans behind it, in the order written; of many the
    middle ones together."""
    starts = [start for start in np.flatnonzero(layout.block_position_ids == 1).tolist() if start]
    bounds = [*starts, len(example)]
    text = Zone("text", 0, bounds[0], spelling.decode(example.tokens[: bounds[0]].tolist()).strip())
    spans = []
    for number, (start, stop) in enumerate(pairwise(bounds), start=1):
        words = " ".join(spelling.decode(example.tokens[start + 1 : stop].tolist()).split())
        words = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
        spans.append(Zone(str(number), start, stop, f"“{words}”, for the blank at {layout.position_ids[start]}"))
    if len(spans) > _MOST:
        many = spans[_MOST - 2 : -1]
        middle = Zone("…", many[0].start, many[-1].stop, f"{len(many)} more, {many[-1].stop - many[0].start} tokens")
        spans = [*spans[: _MOST - 2], middle, spans[-1]]
    return [text, *spans]


def _draw_zones(layout: Layout, example: Example, path: Path, spelling: Spelling, visible: np.ndarray) -> str:
    """A field for each pair of zones, with the words of each zone beside it. Heights are not to scale."""
    parts = zones(layout, example, spelling)
    side = max(_TEXT[0], _TEXT[1] * len(parts))
    sizes = np.array([side] + [1.0] * (len(parts) - 1))
    ends = sizes.cumsum()
    columns = int(72 * _SIDE * side / ends[-1] / (0.6 * _SIZE))  # characters that the text's zone has room for
    with picture(path, [part.words for part in parts], width=8, height=4 + 0.3 * len(parts)) as (figure, fonts):
        axes = figure.add_subplot()
        for row, query in enumerate(parts):
            for column, key in enumerate(parts):
                field = visible[query.start : query.stop, key.start : key.stop]
                corner = (ends[column] - sizes[column], ends[row] - sizes[row])
                _draw_field(axes, field, corner, sizes[column], sizes[row])
        words = textwrap.wrap(fonts.drawn(parts[0].words), columns, max_lines=columns // 3, placeholder=" …")
        axes.text(side / 2, side / 2, "\n".join(words), ha="center", va="center", fontsize=_SIZE, color=BLACK)
        rows = [f"text, {parts[0].stop} tokens", *(fonts.drawn(f"{part.name}: {part.words}") for part in parts[1:])]
        axes.set_yticks(ends - sizes / 2, rows, fontsize=8)
        axes.set_xticks(ends - sizes / 2, [part.name for part in parts], fontsize=8)
        axes.set(xlim=(0, ends[-1]), ylim=(ends[-1], 0))
        _finish(axes, layout, example)
        return fonts.note


def _draw_field(axes: "Axes", visible: np.ndarray, corner: tuple[float, float], width: float, height: float) -> None:
    """One pair of zones: seen whole, not at all, or below the diagonal."""
    from matplotlib.patches import Polygon, Rectangle

    colour = SKY if visible.all() else PALE
    axes.add_patch(Rectangle(corner, width, height, fc=colour, ec="white", lw=2))
    if visible.any() and not visible.all():
        x, y = corner
        axes.add_patch(Polygon([(x, y), (x, y + height), (x + width, y + height)], fc=SKY, ec="white", lw=1))


def _finish(axes: "Axes", layout: Layout, example: Example) -> None:
    """The title, the legend, and no frame."""
    from matplotlib.patches import Patch

    spans = int((layout.block_position_ids == 1).sum())
    way = "read both ways" if example.context else "read from left to right"
    title = f"a text of {len(example)} tokens, {way}"
    if spans and spans < len(example):
        text = int((layout.block_position_ids == 0).sum())
        title = f"corrupted text of {text} tokens, {way}, then {spans} {'span' if spans == 1 else 'spans'}"
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set(xlabel="what is looked at (keys)", ylabel="what looks (queries)", title=title)
    boxes = [Patch(fc=colour, ec=GREY, label=name) for colour, name in ((SKY, "sees"), (PALE, "does not see"))]
    legend_below(axes.figure, columns=2, handles=boxes)
