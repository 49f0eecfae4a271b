"""The original's tiny model as a glmkit one: parameters renamed, values untouched."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from glmkit.core.types import AttentionMask
from glmkit.models.glm import GLM, GLMConfig

_RENAMED = {
    "word_embeddings": "embedding.words",
    "transformer.position_embeddings": "embedding.positions",
    "transformer.block_position_embeddings": "embedding.steps",
    "transformer.layers": "blocks",
    "input_layernorm": "attention_norm",
    "attention.query_key_value": "attention.qkv",
    "attention.dense": "attention.out",
    "post_attention_layernorm": "mlp_norm",
    "mlp.dense_h_to_4h": "mlp.up",
    "mlp.dense_4h_to_h": "mlp.down",
    "transformer.final_layernorm": "norm",
}


def rename(name: str) -> str:
    """The original's parameter name as glmkit's."""
    for theirs, ours in _RENAMED.items():
        name = name.replace(theirs, ours)
    return name


def weights(golden: Path) -> dict[str, Tensor]:
    return {rename(name): tensor for name, tensor in load_file(golden / "model/model.safetensors").items()}


def build(weights: Mapping[str, Tensor], gelu: str = "tanh", dtype: torch.dtype = torch.float32) -> GLM:
    config = GLMConfig(num_layers=3, hidden_size=64, num_heads=4, vocab_size=512, max_positions=64, gelu=gelu)
    model = GLM(config).to(dtype)
    model.load_state_dict(weights)
    return model.eval()


@dataclass(frozen=True, kw_only=True)
class TableMask(AttentionMask):
    """Any mask at all, as a table [B, 1, Q, K]: the model asks a mask nothing but what is visible."""

    table: Tensor

    def visible(self, start: int, length: int, device: torch.device | str = "cpu") -> Tensor:
        return self.table[:, :, start : start + length, : start + length].bool()


def table_mask(table: Tensor) -> TableMask:
    rows, length = table.shape[0], table.shape[-1]
    none = torch.zeros(rows, dtype=torch.long)
    return TableMask(context=none, begin=none, segments=torch.zeros(rows, length, dtype=torch.long), table=table)
