"""Draws what a model finds probable in blanks: python docs/draw_blanks.py MODEL docs/assets/blanks.svg

MODEL is any that fills blanks; the words suit what `glmkit demo` trains. A word's share is its probability in the blank
over that of all WORDS. The picture is an SVG that follows the reader's light or dark theme.
"""

import sys
from html import escape
from pathlib import Path

import torch

import glmkit

SENTENCES = (
    "Open a [MASK] for reading.",
    "Convert a string to an [MASK].",
    "Return [MASK] if the object is a class.",
    "Read a [MASK] from the file.",
)
WORDS = (
    *("number", "name", "value", "length", "list", "string", "file", "object", "class", "directory", "path", "address"),
    *("integer", "True", "False", "None", "error", "message", "dictionary", "type", "size", "index", "item", "data"),
    *("function", "module"),
)
SHOWN = 3
WIDTH, LEFT, WORD, BAR = 720, 24, 150, 420  # the picture, its margin, the column of words, the longest bar
LINE, GAP = 22, 18
STYLE = """
  text { font: 15px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328 }
  .sentence { font-size: 16px } .blank { fill: #0b5cad; font-weight: bold }
  .small { font-size: 13px; fill: #59636e } .bar { fill: #9aa4af } .first { fill: #0b5cad } .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .blank { fill: #6cb6ff } .small { fill: #9198a1 }
    .bar { fill: #59636e } .first { fill: #6cb6ff } .page { fill: #0d1117 }
  }
"""


def shares(model: glmkit.Model, sentence: str) -> list[tuple[str, float]]:
    """The most probable of WORDS in the blank of a sentence, best first, with its share."""
    values = torch.as_tensor(model.score(sentence, WORDS)).softmax(0)
    best = values.argsort(descending=True)[:SHOWN].tolist()
    return [(WORDS[index], values[index].item()) for index in best]


def drawn(sentences: dict[str, list[tuple[str, float]]]) -> str:
    parts, y = [], 36
    for sentence, words in sentences.items():
        marked = escape(sentence).replace("[MASK]", '<tspan class="blank">____</tspan>')
        parts.append(f'<text class="sentence" x="{LEFT}" y="{y}">{marked}</text>')
        for number, (word, share) in enumerate(words):
            y += LINE
            length, kind = max(2, round(BAR * share)), "bar" if number else "first"
            parts.append(
                f'<text x="{LEFT + 16}" y="{y}">{escape(word)}</text>'
                f'<rect class="{kind}" x="{LEFT + WORD}" y="{y - 12}" width="{length}" height="13" rx="2"/>'
                f'<text class="small" x="{LEFT + WORD + length + 8}" y="{y}">{100 * share:.0f} %</text>'
            )
        y += LINE + GAP
    height = y - GAP + 4
    body, page = "\n".join(parts), f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img">\n<style>{STYLE}</style>\n{page}\n{body}\n</svg>\n'
    )


def main() -> None:
    model, target = glmkit.load(sys.argv[1]), Path(sys.argv[2])
    target.write_text(drawn({sentence: shares(model, sentence) for sentence in SENTENCES}), encoding="utf-8")


if __name__ == "__main__":
    main()
