"""The memory table of docs/chatglm2.md, worked out again from the tensors."""

from pathlib import Path

import pytest
from torch import nn

from glmkit.conversion import gguf as writing
from glmkit.families.assemble import blank
from glmkit.families.registry import family
from glmkit.kernels.quantized import QuantFormat
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.plan import PLANS, Plan

PAGE = Path(__file__).parents[3] / "docs/chatglm2.md"
AS_PUBLISHED = {bits: Plan(format=QuantFormat(bits=bits), output_bits=16) for bits in (8, 4)}
ROWS = {
    "float32": (4, None),
    "bfloat16, float16": (2, None),
    "official int8 (codes as published)": (2, AS_PUBLISHED[8]),
    "official int4 (codes as published)": (2, AS_PUBLISHED[4]),
    '`quantize="int8"`': (2, PLANS["int8"]),
    '`quantize="int4"`': (2, PLANS["int4"]),
}
# Bytes a number in gguf: of the tables, of the other matrices.
BLOCKS = {"gguf f16": (2, 2), "gguf q8_0": (34 / 32, 34 / 32), "gguf q4_0, tables in q8_0": (34 / 32, 18 / 32)}


def written(row: str) -> list[str]:
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def size(model: nn.Module, item: int, plan: Plan | None) -> int:
    codes: dict[str, int] = {}
    for name, part in model.named_modules():
        form = plan.format_of(name, part.in_features) if plan is not None and isinstance(part, nn.Linear) else None
        if form is not None:
            held = QuantizedLinear(part.in_features, part.out_features, form, bias=False, device="meta")
            codes[f"{name}.weight"] = sum(buffer.nbytes for buffer in held.buffers())
    return sum(codes.get(name, item * weight.numel()) for name, weight in model.named_parameters())


@pytest.mark.parametrize("row", ROWS)
def test_weights(row: str) -> None:
    models = [blank(family(name).build, family(name).presets[f"{name}-6b"]) for name in ("chatglm2", "chatglm")]
    assert written(row) == [f"{size(model, *ROWS[row]) / 2**30:.2f} GiB" for model in models]


@pytest.mark.parametrize("row", BLOCKS)
def test_gguf(row: str) -> None:
    model = blank(family("chatglm2").build, family("chatglm2").presets["chatglm2-6b"])
    table, matrix = BLOCKS[row]
    sizes = {name: (4 if weight.ndim == 1 else matrix) * weight.numel() for name, weight in model.named_parameters()}
    sizes |= {name: int(table * model.get_parameter(name).numel()) for name in family("chatglm2").vocab_weights}
    assert written(row) == [f"{sum(sizes.values()) / 2**30:.2f} GiB", ""]
    assert set(writing.BLOCKS) == {"q8_0", "q4_0"}
