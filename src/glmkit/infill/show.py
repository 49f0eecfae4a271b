"""A training example for people: the text with its blanks, the arrays of its layout, the mask as a picture."""

from pathlib import Path
from typing import Protocol

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from glmkit.core.files import atomic_file
from glmkit.core.fonts import fonts_for
from glmkit.core.types import AttentionMask, Example
from glmkit.infill.layout import Layout

_COLOURS = ("green", "yellow", "magenta", "cyan", "red", "blue")
_SEEN, _UNSEEN = "#4a90c8", "#f2f2f2"
_FEW = 40  # tokens whose labels can still be read beside a mask


class Spelling(Protocol):
    """How ids are written for people."""

    def decode(self, ids: list[int]) -> str: ...


class Shown:
    """An example as rich renders it, in whatever width the terminal has."""

    def __init__(self, layout: Layout, example: Example, spelling: Spelling, eop: int) -> None:
        self.layout, self.example, self.spelling, self.eop = layout, example, spelling, eop

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(
            f"{len(self.example)} tokens, {self.example.context} of them context, "
            f"{int((self.example.weights > 0).sum())} to predict",
            style="dim",
        )
        yield Text()
        yield self._text()
        yield Text()
        yield from self._rows(options.max_width)

    def _text(self) -> Text:
        """The corrupted text, each blank in its colour with what was there."""
        if not self.layout.context:
            return Text(self.spelling.decode(self.layout.tokens.tolist()))
        text = Text()
        spans = spans_of(self.layout, self.eop)
        for place, id in enumerate(self.layout.tokens[: self.layout.context].tolist()):
            if place in spans:
                number, ids = spans[place]
                text.append(self.spelling.decode([id]), style=f"bold {_colour(number)}")
                text.append(f"{{{self.spelling.decode(ids).strip()}}}", style=_colour(number))
            else:
                text.append(self.spelling.decode([id]))
        return text

    def _rows(self, width: int) -> list[Text]:
        """Tokens, targets and positions one under the other, cut into lines of `width`."""
        e = self.example
        numbers = _span_numbers(self.layout)
        columns = []
        for t in range(len(e)):
            counts = e.weights[t] > 0
            target = self._token(e.targets[t]) if counts else ""
            cells = [self._token(e.tokens[t]), target, *(str(p) for p in e.positions[:, t])]
            columns.append((cells, _colour(int(numbers[t])) if numbers[t] >= 0 else ""))
        names = ["token", "target", *("place", "step")[: len(e.positions)]]
        return _lines(names, columns, width)

    def _token(self, id: int) -> str:
        return _spelled(self.spelling, id)


def spans_of(layout: Layout, eop: int) -> dict[int, tuple[int, list[int]]]:
    """For the place of each blank: the number of its span, and the ids that were there. Empty without Part B."""
    results: dict[int, tuple[int, list[int]]] = {}
    numbers = _span_numbers(layout)
    for number in range(int(numbers.max(initial=-1)) + 1):
        where = np.flatnonzero(numbers == number)
        ids = [id for id in layout.targets[where].tolist() if id != eop]
        results[int(layout.position_ids[where[0]])] = (number, ids)
    return results


def _span_numbers(layout: Layout) -> np.ndarray:
    """The number of the span each token is in, -1 in the corrupted text."""
    return np.where(layout.block_position_ids > 0, np.cumsum(layout.block_position_ids == 1) - 1, -1)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _lines(names: list[str], columns: list[tuple[list[str], str]], width: int) -> list[Text]:
    head = max(map(len, names)) + 1
    lines: list[Text] = []
    block: list[Text] = []
    for cells, style in columns:
        size = max(map(cell_len, cells)) + 1
        if not block or cell_len(block[0].plain) + size > width:
            lines += [*block, Text()] if block else []
            block = [Text(f"{name:<{head}}", style="dim") for name in names]
        for line, cell in zip(block, cells, strict=True):
            line.append(cell + " " * (size - cell_len(cell)), style=style)
    return [*lines, *block]


def draw_mask(layout: Layout, example: Example, path: Path, spelling: Spelling) -> str:
    """Draws which key (across) each query (down) sees, as a PNG; lines part the corrupted text from the spans.

    Returns what people should know of the picture: how to get a font for tokens whose ids stand there, or "".
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    size, note = len(example), ""
    visible = AttentionMask.prefix([example.context]).visible(0, size)[0, 0].numpy()
    figure = Figure(figsize=(7, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(visible, cmap=ListedColormap([_UNSEEN, _SEEN]), vmin=0, vmax=1, interpolation="nearest")
    for place in {example.context, *np.flatnonzero(layout.block_position_ids == 1).tolist()}:
        axes.axhline(place - 0.5, color="tab:red", lw=1)
        axes.axvline(place - 0.5, color="tab:red", lw=1)
    if size <= _FEW:
        spelled = [_spelled(spelling, id) for id in example.tokens]
        fonts = fonts_for(spelled)
        note = fonts.note
        names = [fonts.drawn(text, str(id)) for text, id in zip(spelled, example.tokens, strict=True)]
        axes.set_xticks(range(size), names, rotation=90, fontsize=8, fontfamily=fonts.families)
        axes.set_yticks(range(size), names, fontsize=8, fontfamily=fonts.families)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlabel="token that is looked at (key)",
        ylabel="token that looks (query)",
        title=f"corrupted text of {example.context} tokens, then the spans",
    )
    boxes = [Patch(fc=colour, ec="0.5", label=name) for colour, name in ((_SEEN, "sees"), (_UNSEEN, "does not see"))]
    figure.legend(handles=boxes, loc="outside lower center", ncols=2, frameon=False)
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    return note


def _spelled(spelling: Spelling, id: int) -> str:
    return spelling.decode([int(id)]).replace(" ", "·").replace("\n", "⏎")
