"""The original's tiny model as a glmkit one: parameters renamed, values untouched."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

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
