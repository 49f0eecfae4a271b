"""ChatGLM2, ChatGLM3 and CodeGeeX2 as `GlmForCausalLM` of transformers, which has the same block under other names.

Its config is written twice over where its versions differ: `rope_parameters` for 5, the older keys for 4.
"""

import json
from pathlib import Path

from glmkit.conversion.statemap import Joined, Rule, StateMap
from glmkit.conversion.views import as_foreign
from glmkit.conversion.weights import Weights, open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import TEXT, Kind, number, optional, record
from glmkit.families.layouts.chatglm import checked, require_value
from glmkit.families.spec import Export, Format
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.models.sizes import EPSILON, HEADS, LAYERS, POSITIONS, ROWS, WIDTH
from glmkit.quantization.row_major import dequantized
from glmkit.text.export import serving_files
from glmkit.text.tokenizer import Tokenizer

_LAYER = "model.layers.{i}."
_BASE = 10000.0  # of the rotary positions of a model whose rope_ratio is 1


def statemap(config: ChatGLM2Config) -> StateMap:
    """What `GlmForCausalLM` calls our weights; it keeps queries, keys and values apart."""
    heads = Joined((config.num_heads * config.head_dim, *[config.num_kv_heads * config.head_dim] * 2))
    return StateMap(
        (
            Rule("embedding.weight", "model.embed_tokens.weight"),
            *(
                Rule(
                    f"blocks.{{i}}.attention.qkv.{leaf}",
                    tuple(f"{_LAYER}self_attn.{x}_proj.{leaf}" for x in "qkv"),
                    heads,
                )
                for leaf in ("weight", "bias")
            ),
            *(
                Rule(f"blocks.{{i}}.{ours}.weight", f"{_LAYER}{theirs}.weight")
                for ours, theirs in (
                    ("attention_norm", "input_layernorm"),
                    ("attention.out", "self_attn.o_proj"),
                    ("mlp_norm", "post_attention_layernorm"),
                    ("mlp.up", "mlp.gate_up_proj"),
                    ("mlp.down", "mlp.down_proj"),
                )
            ),
            Rule("norm.weight", "model.norm.weight"),
            Rule("output.weight", "lm_head.weight"),
        ),
        ignored={"model.rotary_emb.inv_freq": "worked out"},
    )


def text_model(export: Export, layout: str) -> Weights:
    """The dequantized weights, for layouts that hold neither integers nor what is beside a language model.

    Raises UserError for a model with a prefix or a classification head.
    """
    for present, part in ((export.config.num_prefix, "prefix of P-tuning"), (export.config.num_labels, "classifier")):
        if present:
            raise UserError(
                f"{layout} has no place for this model's {part}; convert --to chatglm-hf, or the base model"
            )
    return dequantized(export.weights, export.model)


def config_table(config: ChatGLM2Config, tokenizer: Tokenizer | None) -> JsonObject:
    """config.json of `GlmForCausalLM`."""
    rope: JsonObject = {"rope_type": "default", "rope_theta": _BASE, "partial_rotary_factor": 0.5}
    if config.rope_scaling == "positions" and config.rope_ratio != 1:
        rope |= {"rope_type": "linear", "factor": config.rope_ratio}
    else:
        rope["rope_theta"] = _BASE * config.rope_ratio
    older = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor")}
    if "factor" in rope:
        older["rope_scaling"] = {"type": "linear"} | rope
    return {
        "model_type": "glm",
        "architectures": ["GlmForCausalLM"],
        "num_hidden_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate_size,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_epsilon,
        "hidden_act": "silu",
        "attention_bias": True,
        "attention_dropout": config.dropout,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": 2 if tokenizer is None else tokenizer.special.eod,
        "pad_token_id": 0 if tokenizer is None else tokenizer.special.pad,
        "rope_parameters": rope,
    } | older


def write(directory: Path, export: Export) -> None:
    """config.json, weights, and the tokenizer's files for those who read tokenizer.json, beside our own."""
    weights, tokenizer = text_model(export, "glm-hf"), export.tokenizer
    if tokenizer is not None:
        tokenizer.save(directory)
        for name, text in serving_files(tokenizer, max_length=export.config.max_positions).items():
            (directory / name).write_text(text, encoding="utf-8")
    table = config_table(export.config, tokenizer) | {"torch_dtype": str(weights.main_dtype).removeprefix("torch.")}
    (directory / "config.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    write_weights(directory, "model.safetensors", as_foreign(weights, statemap(export.config)))


_SIZES: dict[str, Kind] = {
    "num_hidden_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "head_dim": WIDTH,
    "intermediate_size": WIDTH,
    "vocab_size": ROWS,
    "max_position_embeddings": POSITIONS,
    "rms_norm_eps": EPSILON,
}
_POSITIVE = number(above=0)
_ROPE = record(
    {"rope_type": optional(TEXT), "type": optional(TEXT)}
    | {name: optional(_POSITIVE) for name in ("rope_theta", "factor", "partial_rotary_factor")}
)
_SCHEMA = _SIZES | {
    "rope_parameters": optional(_ROPE),
    "rope_scaling": optional(_ROPE),
    "rope_theta": _POSITIVE,
    "partial_rotary_factor": _POSITIVE,
}
# name: (what transformers assumes when config.json does not say, what every ChatGLM has)
_AS_CHATGLM = {
    "hidden_act": ("silu", "silu"),
    "tie_word_embeddings": (False, False),
    "attention_bias": (True, True),
    "partial_rotary_factor": (0.5, 0.5),
}


def config_of(table: Table, weights: Weights) -> ChatGLM2Config:
    """Our config from a config.json of `GlmForCausalLM`. Raises UserError for a GLM-4 and what no ChatGLM has."""
    where = checked(table, _SCHEMA, _SIZES, weights)
    if table["vocab_size"] > 150000:
        raise UserError(
            f"{weights.where} is a GLM-4, which glmkit does not read; it reads ChatGLM-6B, 2, 3 and CodeGeeX2"
        )
    rope = table.get("rope_parameters") or {}
    scaling = rope or table.get("rope_scaling") or {}
    require_value(table, where, _AS_CHATGLM)
    require_value(scaling, f"{where}: rope", {"partial_rotary_factor": (0.5, 0.5)})
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind not in ("default", "linear"):
        raise UserError(f"{where} has rotary positions of type {kind!r}, which no ChatGLM has")
    if kind == "linear" and scaling.get("factor") is None:
        raise CorruptFile(f"{where} lacks the factor of its linear rotary positions; copy it again from where it came")
    base = rope.get("rope_theta") or table.get("rope_theta", _BASE)
    fields = {
        "num_layers": table["num_hidden_layers"],
        "hidden_size": table["hidden_size"],
        "num_heads": table["num_attention_heads"],
        "num_kv_heads": table["num_key_value_heads"],
        "head_dim": table["head_dim"],
        "intermediate_size": table["intermediate_size"],
        "vocab_size": table["vocab_size"],
        "max_positions": table["max_position_embeddings"],
        "norm_epsilon": table["rms_norm_eps"],
        "rope_ratio": scaling["factor"] if kind == "linear" else base / _BASE,
        "rope_scaling": "positions" if kind == "linear" else "base",
    }
    return from_mapping(ChatGLM2Config, fields, where)


def _tokenizer(directory: Path, config: ChatGLM2Config, model: str | None) -> tuple[Tokenizer | None, str]:
    return None, f"{directory} has no special_tokens.json: give the directory of the published model's tokenizer"


GLM_HF = Format(
    name="glm-hf",
    recognizes=lambda directory, table: table.get("model_type") == "glm" and "num_hidden_layers" in table,
    open=open_weights,
    config=config_of,
    statemap=statemap,
    tokenizer=_tokenizer,
    write=write,
    prefixes=("module.",),
)
