"""How others write a GLM down: the original's files, and the Hugging Face port's, which have the same inner names."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from glmkit.conversion.megatron import HEADS, open_ranks, rank_directory, write_ranks
from glmkit.conversion.statemap import Rule, StateMap
from glmkit.conversion.views import as_foreign
from glmkit.conversion.weights import Weights, open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.json_types import Table
from glmkit.core.kinds import FLAG, check, whole
from glmkit.families.layouts.chatglm import checked, require_value
from glmkit.families.published import named, tokenizer_of
from glmkit.families.spec import Export, Format
from glmkit.models import sizes
from glmkit.models.glm import GLMConfig
from glmkit.text.published import published
from glmkit.text.tokenizer import Tokenizer

_BLOCK = "transformer.layers.{i}."
_WORDS, _POSITIONS = "word_embeddings.weight", "transformer.position_embeddings.weight"
_HEAD = "a classification head, which is not part of the model"
_HEAD_DIM = 64  # of every published model
# What SwissArmyTransformer, in which some of the original's models were handed out too, calls two of the tables.
_SWISSARMY = {
    f"transformer.{_WORDS}": _WORDS,
    "mixins.block_position_embedding.block_position_embeddings.weight": (
        "transformer.block_position_embeddings.weight"
    ),
}

# The fused projection is packed as ours.
STATEMAP = StateMap(
    (
        Rule("embedding.words.weight", _WORDS),
        Rule("embedding.positions.weight", _POSITIONS),
        Rule("embedding.steps.weight", "transformer.block_position_embeddings.weight"),
        *(
            Rule(f"blocks.{{i}}.{ours}.{leaf}", f"{_BLOCK}{theirs}.{leaf}")
            for ours, theirs in (
                ("attention_norm", "input_layernorm"),
                ("attention.qkv", "attention.query_key_value"),
                ("attention.out", "attention.dense"),
                ("mlp_norm", "post_attention_layernorm"),
                ("mlp.up", "mlp.dense_h_to_4h"),
                ("mlp.down", "mlp.dense_4h_to_h"),
            )
            for leaf in ("weight", "bias")
        ),
        Rule("norm.weight", "transformer.final_layernorm.weight"),
        Rule("norm.bias", "transformer.final_layernorm.bias"),
    ),
    ignored={
        "dense.*": _HEAD,
        "out_proj.*": _HEAD,
        "pool_layer.*": _HEAD,
        "multichoice_head.*": _HEAD,
        "prompt_spell.*": "the encoder of P-tuning's prompt, which is not part of the model",
    },
)


def longer(stored: GLMConfig, wanted: GLMConfig) -> Mapping[str, Callable[[Tensor], Tensor]]:
    """Position tables for texts of up to `wanted.max_positions` tokens. Raises UserError for fewer than there are."""
    if wanted.max_positions < stored.max_positions:
        raise UserError(
            f"max_positions can only grow: the model has {stored.max_positions}, asked for {wanted.max_positions}"
        )
    if wanted.max_positions == stored.max_positions:
        return {}
    stretch = partial(stretched, rows=wanted.max_positions + 1)
    return {"embedding.positions.weight": stretch, "embedding.steps.weight": stretch}


def stretched(table: Tensor, rows: int) -> Tensor:
    """A position table [P + 1, D] with more rows, the old ones unchanged.

    New row r is what the old table, stretched to the new length, has there: its rows around r * P / (rows - 1),
    interpolated. So new neighbours differ as little as old ones do, and short texts get what they got before.
    """
    last = len(table) - 1
    place = torch.arange(last + 1, rows, dtype=torch.float64) * last / (rows - 1)
    below = place.floor().long()
    part = (place - below).unsqueeze(1).to(table.device)  # [rows - P - 1, 1]
    new = table[below].double() * (1 - part) + table[(below + 1).clamp(max=last)].double() * part
    return torch.cat([table, new.to(table.dtype)])


def _sizes(config: GLMConfig) -> tuple[int, int, int]:
    return config.num_layers, config.hidden_size, config.vocab_size


def _from_shapes(weights: Weights, where: str, num_heads: int | None) -> GLMConfig:
    """The config that the tensors show, which do not show the heads: of a published size they are known.

    The position table of P + 1 rows decides P: configs say P or P + 1. Raises UserError that asks for `num_heads`.
    """
    names = set(weights.keys())
    if missing := [name for name in (_WORDS, _POSITIONS) if name not in names]:
        raise CorruptFile(f"{weights.where} lacks {' and '.join(missing)}: not the weights of a GLM")
    rows, width = weights.matrix(_WORDS)
    layers = STATEMAP.count_blocks(names)
    if num_heads is None and named((layers, width, rows)) is None:
        raise UserError(
            f"{weights.where} does not say how many heads attention has, and no published model has its {layers} "
            f"layers of width {width} and {rows} vocabulary rows; give num_heads=N (--set num_heads=N)"
        )
    fields = {
        "num_layers": layers,
        "hidden_size": width,
        "num_heads": num_heads or width // _HEAD_DIM,
        "vocab_size": rows,
        "max_positions": weights.matrix(_POSITIONS)[0] - 1,
    }
    return from_mapping(GLMConfig, fields, where)


def _original_config(table: Table, weights: Weights) -> GLMConfig:
    """`table`: the options that were given, as the original's files have no config."""
    where = str(weights.where)
    if "num_heads" in table:
        return _from_shapes(weights, where, check(table["num_heads"], whole(low=1), "num_heads"))
    return _from_shapes(weights, where, weights.facts.get(HEADS))


def _open_original(directory: Path) -> Weights:
    """The ranks under the original's names; SwissArmyTransformer's are turned into those."""
    weights = open_ranks(directory).without_prefix(MEGATRON.prefixes)
    entries = {_SWISSARMY.get(key, key): entry for key, entry in weights.entries.items()}
    if strange := [key for key in entries if key.startswith("mixins.")]:
        raise UserError(
            f"{weights.where} is of SwissArmyTransformer's names, of a model that is no GLM ({strange[0]}); "
            "take its files for transformers (config.json and model.safetensors or pytorch_model.bin)"
        )
    if len(entries) < len(weights.entries):
        raise CorruptFile(f"{weights.where} holds a table under two names: two checkpoints are mixed up")
    return Weights(weights.where, entries, weights.facts)


_SIZES = {
    "num_layers": sizes.LAYERS,
    "hidden_size": sizes.WIDTH,
    "num_attention_heads": sizes.HEADS,
    "vocab_size": sizes.ROWS,
}
_FLAGS = {"relative_encoding": FLAG, "block_position_encoding": FLAG}


def _port_config(table: Table, weights: Weights) -> GLMConfig:
    where = checked(table, _SIZES | _FLAGS, _SIZES, weights)
    require_value(table, where, {"relative_encoding": (False, False), "block_position_encoding": (True, True)})
    shown = _from_shapes(weights, where, table["num_attention_heads"])
    for name in ("num_layers", "hidden_size", "vocab_size"):
        if table[name] != (size := getattr(shown, name)):
            raise CorruptFile(f"{where}: {name} is {table[name]}, the weights have {size}; they do not belong together")
    return shown


def _port_tokenizer(directory: Path, config: GLMConfig, model: str | None) -> tuple[Tokenizer | None, str]:
    return tokenizer_of(directory, _sizes(config), model, port=True)


def _original_tokenizer(directory: Path, config: GLMConfig, model: str | None) -> tuple[Tokenizer | None, str]:
    return tokenizer_of(directory, _sizes(config), model, port=False)


def _write_port(directory: Path, export: Export) -> None:
    """config.json and weights as the port's `save_pretrained` writes them, and the tokenizer's files."""
    config, weights, tokenizer = export.config, export.weights, export.tokenizer
    _check_headless(config)
    if tokenizer is not None:
        tokenizer.save(directory)
        if tokenizer.pieces.kind == "sentencepiece":
            shutil.copy(directory / "tokenizer.model", directory / "cog-pretrain.model")
        if tokenizer.special.gmask == tokenizer.special.eop:
            tokenizer = published("chinese", directory, "task_mask")
            tokenizer.save(directory)
            weights = _with_copied_row(
                weights, "embedding.words.weight", tokenizer.special.eop, tokenizer.special.gmask
            )
    table = {
        "model_type": "glm",
        "architectures": ["GLMForConditionalGeneration"],
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "vocab_size": config.vocab_size,
        "max_sequence_length": config.max_positions,
        "embedding_dropout_prob": config.dropout,
        "attention_dropout_prob": config.dropout,
        "output_dropout_prob": config.dropout,
        "block_position_encoding": True,
        "attention_scale": 1.0,
        "relative_encoding": False,
        "output_predict": True,
        "pool_token": "cls",
        "spell_length": None,
        "spell_func": "lstm",
        "torch_dtype": str(weights.main_dtype).removeprefix("torch."),
    }
    (directory / "config.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    name = "model.safetensors" if export.safetensors else "pytorch_model.bin"
    write_weights(directory, name, as_foreign(weights, STATEMAP, "glm."))


def _with_copied_row(weights: Weights, name: str, source: int, target: int) -> Weights:
    entry = weights.entries[name]

    def read() -> Tensor:
        table = entry.read().clone()
        table[target] = table[source]
        return table

    return Weights(weights.where, weights.entries | {name: replace(entry, read=read)})


def _check_headless(config: GLMConfig) -> None:
    if config.num_labels:
        raise UserError(
            f"the model has a head of {config.num_labels} classes, which other layouts of a GLM have no place for: "
            "keep glmkit's, or convert the model it was trained from"
        )


def _write_original(directory: Path, export: Export) -> None:
    _check_headless(export.config)
    write_ranks(directory, as_foreign(export.weights, STATEMAP), export.ranks, export.config.num_heads)
    if export.tokenizer is not None:
        export.tokenizer.save(directory)


HF_PORT = Format(
    name="glm-hf-port",
    recognizes=lambda directory, table: (
        table.get("model_type") == "glm" and "num_attention_heads" in table and "num_layers" in table
    ),
    open=open_weights,
    config=_port_config,
    statemap=lambda config: STATEMAP,
    tokenizer=_port_tokenizer,
    write=_write_port,
    choices=("safetensors",),
    prefixes=("module.", "model.", "glm."),
)

MEGATRON = Format(
    name="megatron",
    recognizes=lambda directory, table: not table and rank_directory(directory) is not None,
    open=_open_original,
    config=_original_config,
    statemap=lambda config: STATEMAP,
    tokenizer=_original_tokenizer,
    write=_write_original,
    choices=("ranks",),
    options=("num_heads",),
)
