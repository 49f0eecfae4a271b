"""Line charts as SVG for a page that stands alone: no script, no font of their own, colours by class, so that the
page's style says what they are in light and in dark."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 480, 290  # units of the drawing, which is as wide as the page lets it be
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 10, 44
MOST_POINTS = 400  # of a line: more than a page has pixels for
_STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten


@dataclass(frozen=True)
class Line:
    """A curve by its points; `number` chooses colour and dashes, None is the faint one behind the others. A value that
    is not finite interrupts it."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    number: int | None = None


def line_chart(lines: Sequence[Line], *, x_label: str, y_label: str) -> str:
    """A chart with its legend below it, as markup; "" where no line has a point."""
    points = {line.name: _thinned(line) for line in lines}
    drawn = [line for line in lines if points[line.name]]
    if not drawn:
        return ""
    xs = [x for line in drawn for x, _ in points[line.name]]
    ys = [y for line in drawn for _, y in points[line.name]]
    place_x = _scale(*_range(xs), _LEFT, _WIDTH - _RIGHT)
    place_y = _scale(*_range(ys), _HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(f"{y_label}, {x_label}")}">']
    for y in ticks(*_range(ys)):
        at = place_y(y)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{short_number(y)}</text>')
    for x in ticks(*_range(xs)):
        at = place_x(x)
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{short_number(x)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{html.escape(x_label)}</text>')
    for line in drawn:
        path = [(place_x(x), place_y(y)) for x, y in points[line.name]]
        parts.append(f'<path class="line {_look(line)}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in path)}"/>')
        if len(path) <= 40 and line.number is not None:
            parts += [f'<circle class="{_look(line)}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in path]
    legend = "".join(
        f'<li><svg viewBox="0 0 28 10" aria-hidden="true"><path class="line {_look(line)}" d="M1 5H27"/></svg>'
        f"{html.escape(line.name)}</li>"
        for line in drawn
    )
    if [line.name for line in drawn] == [y_label]:
        legend = ""  # the caption has said it
    caption = f"<figcaption>{html.escape(y_label)}</figcaption>"
    return f'<figure>{caption}{"".join(parts)}</svg><ul class="legend">{legend}</ul></figure>'


def _look(line: Line) -> str:
    return "faint" if line.number is None else f"c{line.number % 7}"


def _thinned(line: Line) -> list[tuple[float, float]]:
    """The finite points of a line; of too many the means of neighbours."""
    points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None and math.isfinite(y)]
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return points
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    """Numbers from `low` to `high` as places from `start` to `stop`."""
    return lambda value: start + (value - low) * (stop - start) / (high - low)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest of some numbers; around one alone there is room."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` + 1 round numbers from `low` to `high`."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = power * next(step for step in _STEPS if step * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def short_number(value: float) -> str:
    """A number as people read it beside an axis: 1.2M, 30k, 0.25, 4e-05."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"
