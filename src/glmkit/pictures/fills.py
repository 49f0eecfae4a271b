"""A text whose blanks were filled, as an SVG: the words in their places, and what else was probable there."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from glmkit.pictures.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

_WIDTH, _MARGIN, _SIZE = 760, 24, 18  # pixels
_ADVANCE = 0.6 * _SIZE  # of a character of a monospaced font; twice that of a Chinese one
_LINE = 38
_CARDS, _CARD, _ROW = 3, 232, 26  # cards beside one another, width of one, height of its rows
_BAR = 84
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_STYLE = """
text { font: 18px "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace; fill: #1b1b1b; }
.small { font-size: 14px; }
.page { fill: #ffffff; }
.track { fill: #e6e6e6; }
@media (prefers-color-scheme: dark) { text { fill: #e8e8e8; } .page { fill: #16181b; } .track { fill: #3a3d42; } }
"""


@dataclass(frozen=True)
class FilledBlank:
    """What a blank was filled with, and what is most probable there with its probability, best first."""

    chosen: str
    likely: tuple[tuple[str, float], ...]


def fill_picture(parts: Sequence[str], blanks: Sequence[FilledBlank]) -> str:
    """The SVG: `parts` are the text before, between and after the blanks."""
    body, bottom = _text(parts, blanks)
    top = bottom + 30
    for number, blank in enumerate(blanks):
        x = _MARGIN + number % _CARDS * (_CARD + 8)
        y = top + number // _CARDS * (_ROW * 4 + 26)
        body += _card(number, blank, x, y)
    height = top + -(-len(blanks) // _CARDS) * (_ROW * 4 + 26)
    words = "".join(part + (blanks[number].chosen if number < len(blanks) else "") for number, part in enumerate(parts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img"><title>{html.escape(words)}</title><style>{_STYLE}</style>'
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>{"".join(body)}</svg>\n'
    )


def _text(parts: Sequence[str], blanks: Sequence[FilledBlank]) -> tuple[list[str], int]:
    """The words of the text in lines, the filled ones in boxes; and where its last line ends."""
    x, y = float(_MARGIN), _MARGIN + _SIZE
    body = []
    for word, number in _words(parts, blanks):
        width = _width(word)
        padding = 8 if number is not None else 0
        if x > _MARGIN and x + width + 2 * padding > _WIDTH - _MARGIN and not word.isspace():
            x, y = float(_MARGIN), y + _LINE
        if word.isspace() and x == _MARGIN:
            continue
        if number is not None:
            colour = _COLOURS[number % len(_COLOURS)]
            body.append(
                f'<rect x="{x:.1f}" y="{y - 21}" width="{width + 2 * padding:.1f}" height="29" rx="6" fill="{colour}" '
                f'fill-opacity="0.22" stroke="{colour}" stroke-width="1.5"/>'
            )
        if not word.isspace():
            body.append(_written(word, x + padding, y))
        x += width + 2 * padding
    return body, y + 12


def _words(parts: Sequence[str], blanks: Sequence[FilledBlank]) -> Iterator[tuple[str, int | None]]:
    """Words, white space and wide characters one by one, each with the number of the blank it fills."""
    for number, part in enumerate(parts):
        word = ""
        for character in part:
            apart = character.isspace() or _is_wide(character)
            if word and (apart or word.isspace() or _is_wide(word)):
                yield word, None
                word = ""
            word += " " if character.isspace() else character
        if word:
            yield word, None
        if number < len(blanks):
            yield " ".join(blanks[number].chosen.split()) or "∅", number


def _card(number: int, blank: FilledBlank, x: float, y: float) -> list[str]:
    """The most probable fillings of one blank, each with a bar."""
    colour = _COLOURS[number % len(_COLOURS)]
    body = [f'<rect x="{x}" y="{y - 12}" width="14" height="14" rx="3" fill="{colour}"/>']
    body.append(f'<text class="small" x="{x + 22}" y="{y}">{number + 1}</text>')
    for row, (word, probability) in enumerate(blank.likely, start=1):
        at = y + row * _ROW
        body.append(
            _written(_short(word), x, at, "small", 14 / _SIZE, bold=bool(word) and blank.chosen.startswith(word))
        )
        left = x + 96
        body.append(f'<rect class="track" x="{left}" y="{at - 11}" width="{_BAR}" height="12" rx="3"/>')
        body.append(
            f'<rect x="{left}" y="{at - 11}" width="{max(1, _BAR * probability):.1f}" height="12" rx="3" '
            f'fill="{colour}"/>'
        )
        body.append(f'<text class="small" x="{left + _BAR + 6}" y="{at}">{probability:.0%}</text>')
    return body


def _written(word: str, x: float, y: float, kind: str = "", scale: float = 1.0, *, bold: bool = False) -> str:
    """A word as wide as it was reckoned to be, whatever font draws it."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y}" textLength="{_width(word) * scale:.1f}" '
        f'lengthAdjust="spacingAndGlyphs"{weight}>{html.escape(word)}</text>'
    )


def _short(word: str) -> str:
    """A filling in the room of a card."""
    word = " ".join(word.split()) or "∅"
    while _width(word) > 90 * _SIZE / 14:
        word = f"{word.removesuffix('…')[:-1]}…"
    return word


def _width(text: str) -> float:
    return sum(2 * _ADVANCE if _is_wide(character) else _ADVANCE for character in text)


def _is_wide(text: str) -> bool:
    return east_asian_width(text[-1]) in "WF"
