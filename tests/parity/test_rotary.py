"""Rotary tables of the official code at the size of the real models, in each of its types."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from glmkit.models.chatglm2 import ChatGLM2Config, rotate
from glmkit.nn.positions import rope_2d
from glmkit.testing import MODEL_TOLERANCE

from .official import Tensors, tensors_of


@pytest.fixture(scope="module")
def tables(chatglm_golden: Path) -> Tensors:
    return tensors_of(chatglm_golden / "rope_tables.safetensors")


def config(**changed: object) -> ChatGLM2Config:
    sizes = {
        "num_layers": 1,
        "hidden_size": 256,
        "num_heads": 2,
        "num_kv_heads": 1,
        "head_dim": 128,
        "intermediate_size": 8,
    }
    return ChatGLM2Config(**sizes | {"vocab_size": 8, "max_positions": 32768} | changed)


def table(config: ChatGLM2Config, positions: Tensor, dtype: torch.dtype) -> Tensor:
    """cos and sin [P, 32, 2]."""
    rotation = rotate(config, positions[None, None], dtype)
    return torch.stack((rotation.cos, rotation.sin), dim=-1)[0, 0]


@pytest.mark.parametrize(
    ("case", "ratio", "rule"),
    [
        ("v2", 1, "positions"),
        ("v3", 1, "base"),
        ("v2_32k.ratio8", 8, "positions"),
        ("v2_32k.ratio16", 16, "positions"),
        ("v3_32k.ratio50", 50, "base"),
    ],
)
def test_float32_whatever_the_type_of_the_model(tables: Tensors, case: str, ratio: float, rule: str) -> None:
    wanted = tables[f"{case}.dim64.float32"]
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        result = table(config(rope_ratio=ratio, rope_scaling=rule), tables["positions"], dtype)
        torch.testing.assert_close(result, wanted, atol=10 * MODEL_TOLERANCE, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("version", "rule"), [("v2", "positions"), ("v3", "base")])
def test_the_official_tables_bit_for_bit(tables: Tensors, version: str, rule: str, dtype: torch.dtype) -> None:
    result = table(config(rope_scaling=rule, rope_table="reference"), tables["positions"], dtype)
    assert torch.equal(result, tables[f"{version}.dim64.{str(dtype).removeprefix('torch.')}"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_official_tables_of_chatglm_6b_bit_for_bit(tables: Tensors, dtype: torch.dtype) -> None:
    """The official table names each frequency twice, once for each number of a pair."""
    positions = tables["positions_v1"]
    rotation = rope_2d(positions.expand(1, 2, -1), 128, dtype)
    wanted = tables[f"v1.dim64.{str(dtype).removeprefix('torch.')}"]  # [P1, 64, 2]
    for channel in (0, 1):
        result = torch.stack((rotation.cos, rotation.sin), dim=-1)[0, 0, :, channel]
        assert torch.equal(result.repeat(1, 2, 1), wanted)
