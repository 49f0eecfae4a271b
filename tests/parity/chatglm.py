"""The official tiny ChatGLM checkpoints as glmkit's models: parameters renamed, values untouched."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config

_RENAMED = {
    "transformer.embedding.word_embeddings": "embedding",
    "transformer.encoder.layers": "blocks",
    "input_layernorm": "attention_norm",
    "self_attention.query_key_value": "attention.qkv",
    "self_attention.dense": "attention.out",
    "post_attention_layernorm": "mlp_norm",
    "mlp.dense_h_to_4h": "mlp.up",
    "mlp.dense_4h_to_h": "mlp.down",
    "transformer.encoder.final_layernorm": "norm",
    "transformer.output_layer": "output",
}


def rename(name: str) -> str:
    for theirs, ours in _RENAMED.items():
        name = name.replace(theirs, ours)
    return name


def config2(directory: Path) -> ChatGLM2Config:
    table = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return ChatGLM2Config(
        num_layers=table["num_layers"],
        hidden_size=table["hidden_size"],
        num_heads=table["num_attention_heads"],
        num_groups=table["multi_query_group_num"],
        head_dim=table["kv_channels"],
        inner_size=table["ffn_hidden_size"],
        vocab_size=table["padded_vocab_size"],
        max_positions=table["seq_length"],
        norm_epsilon=table["layernorm_epsilon"],
        rope_ratio=table.get("rope_ratio", 1),
        long_context="positions" if "chatglm2" in table["_name_or_path"] else "base",
    )


def build2(directory: Path) -> ChatGLM2:
    weights: Mapping[str, Tensor] = load_file(directory / "model.safetensors")
    model = ChatGLM2(config2(directory)).float()
    model.load_state_dict({rename(k): v.float() for k, v in weights.items() if "inv_freq" not in k})
    return model.eval()
