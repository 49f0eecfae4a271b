"""Pictures of what a model sees and expects, for the gallery.

python docs/gallery/look.py probabilities MODEL TEXT OUT.png    how probable each word is, given all the others
python docs/gallery/look.py attention MODEL TEXT OUT.png        where the tokens of a filled blank look
"""

import argparse
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import glmkit
from glmkit.core.types import AttentionMask
from glmkit.infill.layout import Layout
from glmkit.infill.position_schemes import example
from glmkit.infill.show import spelled
from glmkit.nn.attention import Attention
from glmkit.pictures.style import picture

_SHADES = "cividis"  # the same in grey, and for any colour vision


def draw_probabilities(model: glmkit.Model, text: str, path: Path) -> None:
    """The words of a text in boxes, the darker the less probable, with the probability below."""
    from matplotlib import colormaps

    words = [(match.start(), match.end()) for match in re.finditer(r"\w+", text)]
    blanked = [(f"{text[:start]}[MASK]{text[end:]}", text[start:end]) for start, end in words]
    values = [model.score(context, [word], ended=False)[0] for context, word in blanked]
    low, high = math.log(1e-3), 0.0
    with picture(path, [text], width=8, height=1.2) as (figure, fonts):
        axes = figure.add_subplot()
        axes.axis("off")
        x = 0.0
        for (start, end), value in zip(words, values, strict=True):
            word = fonts.drawn(text[start:end])
            shade = colormaps[_SHADES]((max(value, low) - low) / (high - low))
            light = 0.3 * shade[0] + 0.6 * shade[1] + 0.1 * shade[2] > 0.45
            width = 0.09 * len(word) + 0.22
            box = {"fc": shade, "ec": "none", "boxstyle": "square,pad=0.35"}
            axes.text(x + width / 2, 0.55, word, ha="center", color="black" if light else "white", bbox=box)
            axes.text(x + width / 2, 0.0, f"{math.exp(value):.1%}", ha="center", fontsize=8)
            x += width
        axes.set(xlim=(0, x), ylim=(0, 1), title="p(word | the rest of the text)")


def draw_attention(model: glmkit.Model, text: str, path: Path) -> None:
    """Fills the first blank of a text, and draws how much each token of the filling looks at every token, in each
    layer, as the mean over heads."""
    tokenizer = model.tokenizer
    prompt = model.prompt_format.fill(tokenizer.encode_marked(text))
    filling = [tokenizer.special.sop, *model.infill(text).ids[0]]
    place = next(place for place, id in enumerate(prompt) if id in tokenizer.special.masks)
    size, count = len(prompt), len(filling)
    tokens = np.array([*prompt, *filling])
    layout = Layout(
        tokens=tokens,
        targets=tokens,
        weights=np.zeros(len(tokens), dtype=np.float32),
        position_ids=np.array([*range(size), *[place] * count]),
        block_position_ids=np.array([0] * size + [*range(1, count + 1)]),
        context=size,
    )
    shown = example(layout, model.position_scheme)
    weights = attention_of(model, shown.tokens, shown.positions, size)  # [layers, T, T]
    labels = [spelled(tokenizer, id) for id in tokens]
    with picture(path, labels, width=8, height=1.4 + 0.45 * count * len(weights)) as (figure, fonts):
        all_axes = figure.subplots(len(weights), 1, sharex=True, squeeze=False)[:, 0]
        names = [fonts.drawn(label, str(id)) for label, id in zip(labels, tokens, strict=True)]
        for layer, (axes, values) in enumerate(zip(all_axes, weights, strict=True), start=1):
            image = axes.imshow(values[size:], cmap=_SHADES, vmin=0, vmax=float(weights[:, size:].max()), aspect="auto")
            axes.set_yticks(range(count), names[size:])
            axes.set(ylabel=f"layer {layer}")
            axes.grid(visible=False)
        all_axes[-1].set_xticks(range(len(names)), names, rotation=90)
        figure.suptitle("where the tokens that fill the blank look (share of attention, mean of the heads)")
        figure.colorbar(image, ax=list(all_axes), shrink=0.8)


@torch.inference_mode()
def attention_of(model: glmkit.Model, tokens: np.ndarray, positions: np.ndarray, context: int) -> np.ndarray:
    """The share that each query gives to each key, [layers, T, T], the mean over heads."""
    layers: list[Tensor] = []
    attend = Attention._attend

    def watched(self: Attention, q: Tensor, k: Tensor, v: Tensor, visible: Any) -> Tensor:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        scores = q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])  # [1, H, T, T]
        seen = AttentionMask.prefix([context]).visible(0, q.shape[2])
        layers.append(scores.masked_fill(~seen, -math.inf).softmax(-1)[0].mean(0))
        return attend(self, q, k, v, visible)

    Attention._attend = watched
    try:
        model.logits(torch.from_numpy(tokens)[None], torch.from_numpy(positions)[None], context)
    finally:
        Attention._attend = attend
    return torch.stack(layers).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("probabilities", "attention"))
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    draw = draw_probabilities if options.what == "probabilities" else draw_attention
    draw(glmkit.load(options.model, dtype="float32"), options.text, options.out)


if __name__ == "__main__":
    main()
