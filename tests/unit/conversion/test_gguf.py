"""GGUF files hold what was written, each matrix in its type."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glmkit.conversion import gguf as writing
from glmkit.conversion.weights import in_memory


@pytest.fixture
def gguf() -> Any:
    return pytest.importorskip("gguf", reason="needs the package gguf: pip install glmkit[gguf]")


def test_types_and_facts(gguf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_CHUNK", 200)  # three rows of 64 at a time
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "bf": torch.randn(7, 64, generator=generator).bfloat16(),
        "half": torch.randn(7, 64, generator=generator).half(),
        "full": torch.randn(2, 3, generator=generator),
        "norm": torch.randn(5, generator=generator).half(),
    }
    facts = {
        "{arch}.number": 7,
        "{arch}.share": 0.5,
        "{arch}.yes": True,
        "some.text": "语言",
        "some.list": ["a", "▁b"],
        "some.numbers": [1.5, -2.0],
        "some.ids": [3, 1],
    }
    path = tmp_path / "m.gguf"
    writing.write_gguf(path, "chatglm", facts, in_memory(tensors, tmp_path))
    reader = gguf.GGUFReader(path)
    for name, value in facts.items():
        assert reader.fields[name.format(arch="chatglm")].contents() == value
    result = {tensor.name: tensor for tensor in reader.tensors}
    assert {name: tensor.tensor_type.name for name, tensor in result.items()} == {
        "bf": "BF16",
        "half": "F16",
        "full": "F32",
        "norm": "F32",
    }
    for name, tensor in tensors.items():
        numbers = gguf.dequantize(result[name].data, result[name].tensor_type)
        assert np.array_equal(numbers, tensor.float().numpy()), name
        assert result[name].shape.tolist() == list(tensor.shape)[::-1]


@pytest.mark.parametrize("blocks", writing.BLOCKS)
def test_blocks(gguf: Any, blocks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_CHUNK", 200)
    tensors = {"table": torch.randn(9, 64), "plain": torch.randn(9, 64), "odd": torch.randn(4, 33)}
    writing.write_gguf(
        tmp_path / "m.gguf", "chatglm", {}, in_memory(tensors, tmp_path), blocks=blocks, tables=["table"]
    )
    result = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    kinds = {"table": "Q8_0", "plain": blocks.upper(), "odd": "F16"}
    for name, kind in kinds.items():
        assert result[name].tensor_type.name == kind
        whole = gguf.quantize(tensors[name].numpy(), gguf.GGMLQuantizationType[kind])
        assert np.array_equal(
            result[name].data.view(np.uint8), whole.view(np.uint8).reshape(result[name].data.shape[0], -1)
        )
