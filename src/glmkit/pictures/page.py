"""A page that stands alone: one HTML file without scripts and without anything from elsewhere, in light and in dark,
on a telephone and on a desk."""

import html
from collections.abc import Sequence

from glmkit.pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

# The policy keeps the page from asking anybody for anything, whatever text of a run it shows.
_HEAD = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
"""
# Blue and black on dark would not be seen; the others are the same in both.
_LIGHT = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#000000")
_DARK = (SKY, "#F0854A", "#2FC39A", PURPLE, ORANGE, "#4A9FE0", "#FFFFFF")
_DASHES = ("", "7 4", "8 3 2 3", "2 3", "9 3 2 3 2 3", "12 4", "")
_STYLE = (
    """
:root { --ink: #1b1b1b; --dim: #5a5a5a; --page: #ffffff; --line: #d9d9d9; --field: #f4f4f4; --faint: """
    + GREY
    + "; "
    + "".join(f"--c{number}: {colour}; " for number, colour in enumerate(_LIGHT))
    + """}
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --dim: #a8a8a8; --page: #16181b; --line: #3a3d42;
  --field: #212429; --faint: #8a8a8a; """
    + "".join(f"--c{number}: {colour}; " for number, colour in enumerate(_DARK))
    + """} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.4rem 0; }
.dim { color: var(--dim); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--dim); font-size: 14px; }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.line { fill: none; stroke-width: 2; }
.faint { stroke: var(--faint); stroke-width: 1; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; padding: 0; margin: 0.3rem 0; }
.legend svg { width: 28px; display: inline-block; margin-right: 0.4rem; vertical-align: middle; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th { font-weight: 600; }
th:first-child, td:first-child { white-space: nowrap; overflow-wrap: normal; }
.words td { min-width: 6rem; max-width: 30rem; white-space: pre-wrap; }
code, td.value { font-family: ui-monospace, monospace; font-size: 0.9em; }
details { background: var(--field); padding: 0.5rem 0.8rem; border-radius: 6px; margin: 0.5rem 0; }
summary { cursor: pointer; }
"""
    + "".join(
        f"path.c{number} {{ stroke: var(--c{number}); stroke-dasharray: {dashes or 'none'}; }}\n"
        f"circle.c{number} {{ fill: var(--c{number}); }}\n"
        for number, dashes in enumerate(_DASHES)
    )
)


def page(title: str, sections: Sequence[str], language: str = "en") -> str:
    """The whole file; `sections` are markup."""
    head = _HEAD.format(language=language, title=html.escape(title), style=_STYLE)
    return head + "\n".join(filter(None, sections)) + "\n</main>\n</body>\n</html>\n"


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], kind: str = "") -> str:
    """A table that scrolls by itself where the page is narrow; "" without rows."""
    if not rows:
        return ""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table class="{kind}"><tr>{top}</tr>{body}</table></div>'


def folded(summary: str, content: str) -> str:
    """`content` behind a line that opens it."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"
