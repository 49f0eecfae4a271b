"""A model whose layers are quantized is saved and loaded as any other."""

from pathlib import Path

import pytest
import torch
from torch import nn

import glmkit
from glmkit.core.errors import CorruptFile
from glmkit.kernels.quantized import QuantFormat
from glmkit.nn.quantized import QuantizedLinear
from glmkit.testing import tiny

IDS = torch.tensor([[5, 6, 259, 261, 7, 8]])
FORMATS = [
    QuantFormat(bits=8),
    QuantFormat(bits=4),
    QuantFormat(bits=8, group=32),
    QuantFormat(bits=4, group=32, asymmetric=True),
]


def quantized(name: str, format: QuantFormat) -> glmkit.Model:
    m = tiny(name)
    for path, layer in [(p, part) for p, part in m.module.named_modules() if isinstance(part, nn.Linear)]:
        if path.startswith("blocks."):
            m.module.set_submodule(path, QuantizedLinear.of(layer, format))
    return m


@pytest.mark.parametrize("name", ["chatglm", "chatglm2"])
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_integers_and_scales_come_back_as_they_were(name: str, format: QuantFormat, dtype: str, tmp_path: Path) -> None:
    m = quantized(name, format)
    m.save(tmp_path / "saved")
    back = glmkit.load(tmp_path / "saved", dtype=dtype, device="cpu")
    ours, theirs = m.module.state_dict(), back.module.state_dict()
    assert ours.keys() == theirs.keys()
    for name in [key for key, tensor in ours.items() if tensor.dtype == torch.int8 or key.endswith("_scale")]:
        assert torch.equal(ours[name], theirs[name])
        assert ours[name].dtype == theirs[name].dtype
    assert next(back.module.parameters()).dtype == getattr(torch, dtype)
    if dtype == "float32":
        assert torch.equal(back.logits(IDS), m.logits(IDS))
    layers = [layer for layer in back.module.modules() if isinstance(layer, QuantizedLinear)]
    assert {layer.format for layer in layers} == {format}
    assert len(layers) == 8


def test_integers_without_scales_are_no_quantized_layer(tmp_path: Path) -> None:
    m = tiny("chatglm2")
    m.module.blocks[0].mlp.down.weight = nn.Parameter(torch.zeros(64, 48, dtype=torch.int8), requires_grad=False)
    m.save(tmp_path / "saved")
    with pytest.raises(CorruptFile, match=r"blocks\.0\.mlp\.down\.weight is \[64, 48\]"):
        glmkit.load(tmp_path / "saved")
