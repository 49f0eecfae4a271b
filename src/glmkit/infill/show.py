"""A training example for people: the text with its blanks, and the arrays of its layout."""

from typing import Protocol

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from glmkit.core.types import Example
from glmkit.infill.layout import Layout

_COLOURS = ("green", "yellow", "magenta", "cyan", "red", "blue")


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
        return spelled(self.spelling, id)


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


def spelled(spelling: Spelling, id: int) -> str:
    """A token as it can be read by itself."""
    return spelling.decode([int(id)]).replace(" ", "·").replace("\n", "⏎")
