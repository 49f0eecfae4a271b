"""How the official ChatGLM-6B, ChatGLM2 and ChatGLM3 are written: config.json, weights and tokenizer as published.

Nothing in the directory names code to run: config.json has no auto_map. Those who want the official code put it there.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.views import as_foreign
from glmkit.conversion.weights import Weights, in_memory
from glmkit.conversion.write import write_weights
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject, Table
from glmkit.families.spec import Export, OwnConfig
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.quantization.plan import formats
from glmkit.text.chatglm import added_marks

Maps = Callable[[OwnConfig], StateMap]

# What the files of each version say they are; that tells ChatGLM2 and 3 apart.
_NAMES = {name: f"THUDM/{name}-6b" for name in ("chatglm", "chatglm2", "chatglm3", "codegeex2")}


def write(statemap: Maps, directory: Path, export: Export) -> None:
    """The directory of an official ChatGLM-6B."""
    config, bits = export.config, _bits(export)
    tokenizer, weights = export.tokenizer, as_foreign(export.weights, statemap(config))
    words = weights.entries["transformer.word_embeddings.weight"]
    frequencies = _frequencies(config.hidden_size // config.num_heads // 2, words.dtype)
    tables = {
        f"transformer.layers.{i}.attention.rotary_emb.inv_freq": frequencies.clone() for i in range(config.num_layers)
    }
    weights = _with(weights, tables)
    weights.entries["lm_head.weight"] = replace(words)  # the official files hold the word table twice
    _write(
        directory,
        export,
        weights,
        bits,
        "chatglm",
        {
            "num_layers": config.num_layers,
            "hidden_size": config.hidden_size,
            "num_attention_heads": config.num_heads,
            "inner_hidden_size": config.intermediate_size,
            "vocab_size": config.vocab_size,
            "max_sequence_length": config.max_positions,
            "layernorm_epsilon": config.norm_epsilon,
            "position_encoding_2d": True,
            "mask_token_id": config.mask,
            "gmask_token_id": config.gmask,
            "bos_token_id": config.sop,
            "eos_token_id": config.sop + 1 if tokenizer is None else tokenizer.special.eop,
            "pad_token_id": 3 if tokenizer is None else tokenizer.special.pad,
        },
    )


def write2(statemap: Maps, directory: Path, export: Export) -> None:
    """The directory of an official ChatGLM2, ChatGLM3 or CodeGeeX2."""
    config, bits = export.config, _bits(export)
    tokenizer, weights = export.tokenizer, as_foreign(export.weights, statemap(config))
    kind = weights.dtype("transformer.embedding.word_embeddings.weight")
    weights = _with(weights, {"transformer.rotary_pos_emb.inv_freq": _frequencies(config.head_dim // 2, kind)})
    table = {
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "multi_query_attention": True,
        "multi_query_group_num": config.num_kv_heads,
        "kv_channels": config.head_dim,
        "ffn_hidden_size": config.intermediate_size,
        "padded_vocab_size": config.vocab_size,
        "seq_length": config.max_positions,
        "layernorm_epsilon": config.norm_epsilon,
        "hidden_dropout": config.dropout,
        "attention_dropout": config.dropout,
        "eos_token_id": 2 if tokenizer is None else tokenizer.special.eod,
        "pad_token_id": 0 if tokenizer is None else tokenizer.special.pad,
    } | _AS_PUBLISHED
    table |= {"rope_ratio": config.rope_ratio} if config.rope_ratio != 1 else {}
    table |= {"num_labels": config.num_labels} if config.num_labels else {}
    _write(directory, export, weights, bits, _version(config) if tokenizer is None else tokenizer.chat, table)


_AS_PUBLISHED = {
    "add_bias_linear": False,
    "add_qkv_bias": True,
    "apply_query_key_layer_scaling": True,
    "apply_residual_connection_post_layernorm": False,
    "attention_softmax_in_fp32": True,
    "bias_dropout_fusion": True,
    "fp32_residual_connection": False,
    "original_rope": True,
    "post_layer_norm": True,
    "rmsnorm": True,
    "tie_word_embeddings": False,
}


def _version(config: ChatGLM2Config) -> str | None:
    """Of a model without a tokenizer: whose it is, if how it reads farther tells."""
    if config.rope_scaling == "positions":
        return "chatglm2"
    return "chatglm3" if config.rope_ratio != 1 else None


def _write(directory: Path, export: Export, weights: Weights, bits: int, version: str | None, table: Table) -> None:
    config, name = export.config, _NAMES.get(version or "")
    whole: JsonObject = {"_name_or_path": name} if name else {}
    whole |= {"model_type": "chatglm", "architectures": ["ChatGLMModel"]} | dict(table)
    whole |= {"use_cache": True, "torch_dtype": str(weights.main_dtype).removeprefix("torch.")}
    if bits:
        whole |= {"quantization_bit": bits, "quantization_embeddings": False}
    if config.num_prefix:
        whole |= {"pre_seq_len": config.num_prefix, "prefix_projection": config.prefix_projection}
    _json(directory / "config.json", whole)
    if export.tokenizer is not None:
        export.tokenizer.save(directory)
        kept: JsonObject = {"remove_space": False, "do_lower_case": False, "tokenizer_class": "ChatGLMTokenizer"}
        if added := added_marks(export.tokenizer):
            _json(directory / "added_tokens.json", added)
            kept["added_tokens_decoder"] = {str(id): {"content": text} | _PLAIN for text, id in added.items()}
        _json(directory / "tokenizer_config.json", ({"name_or_path": name} if name else {}) | kept)
    write_weights(directory, "model.safetensors", weights)


# How the published code reads a token that was added: wherever it stands in a text.
_PLAIN = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}


def _bits(export: Export) -> int:
    """The bits of a quantized model, else 0. Raises UserError for a format that the official layout cannot hold."""
    result = set(formats(export.model).values())
    if any(format.group or format.asymmetric for format in result) or len(result) > 1:
        raise UserError(
            "the official layout has one scale a row, not one a group; convert the model that was quantized"
        )
    return result.pop().bits if result else 0


def _frequencies(size: int, dtype: torch.dtype) -> Tensor:
    """Rotary frequencies as the official files hold them: rounded to float16, and never scaled."""
    return (1 / 10000 ** (torch.arange(0, size, 2) / size)).half().to(dtype)


def _with(weights: Weights, tensors: Mapping[str, Tensor]) -> Weights:
    return Weights(weights.where, weights.entries | in_memory(tensors, weights.where).entries)


def _json(path: Path, table: Table) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
