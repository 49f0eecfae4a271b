"""What each way of storing weights costs in quality: KL divergence from bfloat16 of the same trained models and text.

All linear layers of the blocks are quantized; the embedding (which is the output matrix of a GLM, too) is not. Ours are
computed by the kernels, activations rounded to 8 bits. Q4_0 and Q8_0 are those of GGUF (by the package `gguf`),
dequantized in bfloat16: once with activations as they are, which no engine does, and once rounded to 8 bits in blocks
of 32, as llama.cpp does. The first half of a text is what GPTQ is calibrated on, the second what all are judged on.

    python docs/experiments/precision.py OUT en=MODEL,TEXT zh=MODEL,TEXT       # leaves OUT/precision.json and .png
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glmkit import api
from glmkit.core.errors import MissingExtra
from glmkit.core.files import atomic_file
from glmkit.kernels.quantized import QuantFormat
from glmkit.nn.accelerate import accelerate
from glmkit.nn.quantized import QuantizedLinear
from glmkit.pictures.style import COLOURS, HATCHES, legend_below, picture
from glmkit.quantization.calibration import MOST, calibrate
from glmkit.quantization.evaluation import Passage, compare, log_probs, passages
from glmkit.quantization.plan import Plan

JUDGED = 32  # passages, 128 predicted tokens each
INT4 = QuantFormat(bits=4, group=64, asymmetric=True)
Make = Callable[[api.Model, list[Passage]], float]  # changes a model, says its bits a weight


def ours(format: QuantFormat, scheme: str = "search") -> Make:
    def make(model: api.Model, text: list[Passage]) -> float:
        plan = Plan(format=format, scheme="search" if scheme == "gptq" else scheme)  # type: ignore[arg-type]
        if scheme == "gptq":
            calibrate(model.module, partial(logits, model), plan, text)
        else:
            for name, layer in linears(model):
                built = plan.quantize(name, layer, layer.weight.detach())
                assert built is not None
                model.module.set_submodule(name, built)
            accelerate(model.module, torch.bfloat16)
        parts = [part for part in model.module.modules() if isinstance(part, QuantizedLinear)]
        held = sum(tensor.nbytes for part in parts for tensor in part.quantized_weight if tensor is not None)
        return 8 * held / sum(part.in_features * part.out_features for part in parts)

    return make


def theirs(kind: str, rounded: bool) -> Make:
    try:
        from gguf import quants
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    except ImportError:
        raise MissingExtra("gguf", "gguf") from None

    def make(model: api.Model, text: list[Passage]) -> float:
        form = GGMLQuantizationType[kind]
        for _, layer in linears(model):
            codes = quants.quantize(layer.weight.detach().float().numpy(), form)
            layer.weight.data = torch.from_numpy(quants.dequantize(codes, form)).to(layer.weight.dtype)
            if rounded:
                layer.register_forward_pre_hook(round_activations)
        block, size = GGML_QUANT_SIZES[form]
        return 8 * size / block

    return make


def round_activations(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor]:
    """Inputs as 8-bit numbers with a float16 scale for each 32 of them."""
    x = given[0]
    blocks = x.float().unflatten(-1, (-1, 32))
    scale = (blocks.abs().amax(-1, keepdim=True) / 127).half().float().clamp(min=1e-7)
    return (((blocks / scale).round() * scale).flatten(-2).to(x.dtype),)


def linears(model: api.Model) -> list[tuple[str, nn.Linear]]:
    return [(name, part) for name, part in model.module.named_modules() if isinstance(part, nn.Linear)]


def parts(model: api.Model, text: str, most: int) -> list[Passage]:
    ids = model.tokenizer.encode(text)
    return passages(ids, model.prompt_format, model.position_scheme, model.config.max_positions, most)


def logits(model: api.Model, passage: Passage) -> Tensor:
    return model.logits(passage.ids, passage.positions, passage.context)


def predicted(model: api.Model, text: list[Passage]) -> list[Tensor]:
    return log_probs(model.module, partial(logits, model), text)


def rows() -> dict[str, Make]:
    return {
        "int8, groups of 128": ours(QuantFormat(bits=8, group=128)),
        "int8, a scale a row (published ChatGLM)": ours(QuantFormat(bits=8), "rtn"),
        "Q8_0": theirs("Q8_0", False),
        "Q8_0, activations rounded": theirs("Q8_0", True),
        "int4, groups of 32": ours(QuantFormat(bits=4, group=32, asymmetric=True)),
        "int4, groups of 64": ours(INT4),
        "int4, groups of 128": ours(QuantFormat(bits=4, group=128, asymmetric=True)),
        "int4, groups of 64, rtn": ours(INT4, "rtn"),
        "int4, groups of 64, gptq": ours(INT4, "gptq"),
        "int4, groups of 64, symmetric": ours(QuantFormat(bits=4, group=64)),
        "int4, a scale a row (published ChatGLM)": ours(QuantFormat(bits=4), "rtn"),
        "Q4_0": theirs("Q4_0", False),
        "Q4_0, activations rounded": theirs("Q4_0", True),
    }


def measure(path: str, text: str) -> dict[str, Any]:
    """Row -> its bits a weight, perplexity, KL divergence and how often the first choice is the same."""
    model = api.load(path, dtype="bfloat16", device="cpu")
    half = len(text) // 2
    first, second = parts(model, text[:half], MOST), parts(model, text[half:], JUDGED)
    before = predicted(model, second)
    results: dict[str, Any] = {}
    for name, make in rows().items():
        changed = api.load(path, dtype="bfloat16", device="cpu")
        bits = make(changed, first)
        quality = compare(second, before, predicted(changed, second))
        results[name] = {
            "bits": bits,
            "perplexity": quality.perplexity[1],
            "divergence": quality.divergence,
            "agreement": quality.agreement,
        }
        print(f"{name:<42} {bits:5.2f} bits  KL {quality.divergence:.5f}  ppl {quality.perplexity[1]:.3f}", flush=True)
    exact = api.load(path, dtype="float32", device="cpu")
    quality = compare(second, before, predicted(exact, second))
    results["float32"] = {"bits": 32, "perplexity": quality.perplexity[1], "divergence": quality.divergence}
    return {"tokens": quality.tokens, "perplexity": quality.perplexity[0], "rows": results}


def draw(result: dict[str, Any], path: Path) -> None:
    names = [name for name in next(iter(result.values()))["rows"] if name != "float32"]
    with picture(path, width=9, height=5.7) as (figure, _):
        axes = figure.add_subplot()
        for number, (language, table) in enumerate(result.items()):
            places = [row + (number - (len(result) - 1) / 2) * 0.35 for row in range(len(names))]
            widths = [table["rows"][name]["divergence"] for name in names]
            axes.barh(places, widths, 0.33, label=language, color=COLOURS[number], hatch=HATCHES[number], ec="white")
        rows = next(iter(result.values()))["rows"]
        axes.set_yticks(range(len(names)), [f"{name}  ({rows[name]['bits']:.2f} bits)" for name in names])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("KL divergence from bfloat16, nats a token (log scale; shorter is better)")
        axes.grid(visible=False, axis="y")
        figure.suptitle("What each precision costs: the same trained models, the same text")
        legend_below(figure)


def redraw(folder: Path) -> None:
    """The picture of precision.json once more."""
    draw(json.loads((folder / "precision.json").read_text(encoding="utf-8")), folder / "precision.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL,TEXT")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for given in options.models:
        name, _, paths = given.partition("=")
        model, _, text = paths.partition(",")
        results[name] = measure(model, Path(text).read_text(encoding="utf-8"))
    with atomic_file(options.out / "precision.json") as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(results, options.out / "precision.png")


if __name__ == "__main__":
    main()
