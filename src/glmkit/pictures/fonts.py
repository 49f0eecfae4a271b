"""Which of this machine's fonts have the characters of a text, by the glyphs in their files; for labels of pictures.

A character that no font has is never drawn as a box: `drawn` writes an escape, or what is given in its place.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry

FONT = "GLMKIT_FONT"  # the environment variable that names a font file
_BASE = "DejaVu Sans"  # comes with matplotlib
_NOBODYS = 0x378  # no character: what has a glyph for it draws boxes for all that are


@dataclass(frozen=True)
class Fonts:
    """`families`: for matplotlib, each for what those before it lack. `missing`: characters that none of them has.
    `unread`: what GLMKIT_FONT says where that is no font; a picture is no reason to end a run."""

    families: list[str]
    missing: frozenset[str]
    unread: str = ""

    def drawn(self, text: str, instead: str | None = None) -> str:
        """`text` as matplotlib draws it and no formula; `instead`, or escapes, where characters are missing."""
        if instead is not None and not self.missing.isdisjoint(text):
            return instead
        whole = "".join(f"\\u{ord(c):04x}" if c in self.missing else c for c in text)
        return whole.replace("$", r"\$")

    @property
    def note(self) -> str:
        """How to get a font for what is missing, in one line; "" where nothing is."""
        shown = "".join(sorted(c for c in self.missing if c.isprintable()))[:8]
        if not shown:
            return ""
        bad = f"{FONT}={self.unread} is no font file that can be read (.ttf, .otf, .ttc), and " if self.unread else ""
        return (
            f"{bad}no font on this machine has {shown}, so escapes or ids stand in the picture; install one "
            f"(Debian: apt install fonts-noto-cjk) or name a font file by {FONT}"
        )


def fonts_for(texts: Iterable[str]) -> Fonts:
    """The fonts that the characters of some texts need: matplotlib's own, that of GLMKIT_FONT, then any installed."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    wanted = {ord(c) for text in texts for c in text}
    families = [_BASE]
    left = wanted - _characters(font_manager.findfont(_BASE))
    named, unread = os.environ.get(FONT, ""), ""
    if left and named:
        try:
            font_manager.fontManager.addfont(named)
            families.append(FT2Font(named).family_name)
        except (RuntimeError, OSError):
            unread = named
        left -= _glyphs(named)
    known = _installed() if left else []
    while left:
        best = max(known, key=lambda font: (len(left & _glyphs(font.fname)), *_plain(font)), default=None)
        if best is None or not left & _glyphs(best.fname):
            break
        families.append(best.name)
        left -= _glyphs(best.fname)
    return Fonts(families, frozenset(map(chr, left)), unread)


def _installed() -> "list[FontEntry]":
    """The fonts that matplotlib knows, and those that came to this machine since it last looked."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {font.fname for font in manager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            manager.addfont(path)
        except (RuntimeError, OSError):  # FreeType cannot read it
            continue
    return list(manager.ttflist)


def _plain(font: "FontEntry") -> tuple[bool, bool, int, str]:
    """Of fonts with the same characters the upright regular one of the shortest name."""
    return font.style == "normal", font.weight in (400, "normal", "regular"), -len(font.name), font.name


def _glyphs(path: str) -> frozenset[int]:
    """The characters of a font file that may have gone or be damaged since it was listed."""
    try:
        return _characters(path)
    except (RuntimeError, OSError):
        return frozenset()


@lru_cache(maxsize=1024)
def _characters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    characters = frozenset(FT2Font(path).get_charmap())
    return frozenset() if _NOBODYS in characters else characters
