"""Where the milliseconds of one token of ChatGLM2-6B go, on this machine: reading weights at the speed of memory, and
everything else, of the blocks and outside of them.

Random weights of its shapes with 2 and with 6 of the 28 blocks, in turns: a block is a quarter of the difference. What
its weights would take at the fastest way known of reading memory, measured between them, is one share of it, the rest
is the other. Outside of the blocks are the output matrix, alike, and what Python does.

    python docs/experiments/milliseconds.py OUT       # leaves OUT/milliseconds.json and .png
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from glmkit.bench.inference import CONTEXT, READ_BYTES, read_memory
from glmkit.bench.interleaved import interleaved
from glmkit.bench.random_models import RandomModel, random_model
from glmkit.core.files import atomic_file
from glmkit.kernels.packed import paged
from glmkit.pictures.style import COLOURS, HATCHES, legend_below, picture

FEW, MORE, TOKENS, ROUNDS = 2, 6, 8, 7
FORMS = {"int4": "4 bits", "int8": "8 bits", None: "16 bits"}
PARTS = ("blocks: reading weights", "blocks: the rest", "output matrix: reading", "output matrix and Python: the rest")


def measure(quantize: str | None) -> dict[str, float]:
    """Milliseconds of a token of all blocks by part."""
    few, more = (random_model("chatglm2-6b", layers, quantize, torch.bfloat16, None) for layers in (FEW, MORE))
    memory = paged(READ_BYTES).fill_(1)
    runs = {"few": writing(few), "more": writing(more), "read": lambda: read_memory(memory)}
    seconds = interleaved(runs, ROUNDS)
    token, byte = {name: seconds[name] / TOKENS for name in ("few", "more")}, seconds["read"] / READ_BYTES
    block = (token["more"] - token["few"]) / (MORE - FEW)
    outside = token["few"] - FEW * block
    block_read, output_read = few.block_bytes / FEW * byte, few.output_bytes * byte
    every = few.all_layers
    values = (every * block_read, every * (block - block_read), output_read, outside - output_read)
    return {part: round(1000 * max(value, 0.0), 2) for part, value in zip(PARTS, values, strict=True)}


def writing(subject: RandomModel) -> Callable[[], None]:
    """Writes `TOKENS` tokens behind those of the round before."""
    cache = subject.model.new_cache(1, CONTEXT + TOKENS * (ROUNDS + 1))
    subject.read(cache, CONTEXT)

    def write() -> None:
        for _ in range(TOKENS):
            subject.read(cache, 1)

    return write


def redraw(folder: Path) -> None:
    """The picture of milliseconds.json once more."""
    forms = json.loads((folder / "milliseconds.json").read_text())["milliseconds"]
    with picture(folder / "milliseconds.png", height=0.5 * len(forms) + 1.6) as (figure, _):
        axes = figure.add_subplot()
        left = [0.0] * len(forms)
        for number, part in enumerate(PARTS):
            widths = [values[part] for values in forms.values()]
            look = {"color": COLOURS[number], "hatch": HATCHES[number], "edgecolor": "white"}
            axes.barh(list(forms), widths, left=left, label=part, **look)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        for place, (whole, values) in enumerate(zip(left, forms.values(), strict=True)):
            share = (values[PARTS[0]] + values[PARTS[2]]) / whole
            axes.annotate(
                f" {whole:.0f} ms, {share:.0%} reading",
                (whole, place),
                va="center",
                textcoords="offset points",
                xytext=(2, 0),
            )
        axes.set(xlabel="milliseconds of a token, ChatGLM2-6B, one row", xlim=(0, 1.3 * max(left)))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        legend_below(figure, columns=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    result = {"threads": torch.get_num_threads(), "milliseconds": {n: measure(form) for form, n in FORMS.items()}}
    with atomic_file(options.out / "milliseconds.json") as partial:
        partial.write_text(json.dumps(result, indent=1) + "\n")
    redraw(options.out)


if __name__ == "__main__":
    main()
