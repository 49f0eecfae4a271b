"""The ChatGLM families: `chatglm` is ChatGLM-6B; `chatglm2` is ChatGLM2-6B, ChatGLM3-6B and CodeGeeX2-6B.

All of them call themselves "chatglm" in config.json, as GLM-4 does; what else is in there tells them apart.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from glmkit.convert.statemap import SAME, Packing, PerHead, Rule, StateMap
from glmkit.convert.weights import Weights, open_weights
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families import chatglm_files, prefix
from glmkit.families.gguf import write_gguf
from glmkit.families.glm_hf import GLM_HF
from glmkit.families.spec import FamilySpec, Format
from glmkit.infill.geometry import Answering, Geometry, Sequential
from glmkit.models import chatglm, chatglm2
from glmkit.models.chatglm import ChatGLM, ChatGLMConfig
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config
from glmkit.text.chatglm import official, recognise
from glmkit.text.tokenizer import Tokenizer

Table = Mapping[str, Any]

_SIX_BILLION = ChatGLM2Config(
    num_layers=28,
    hidden_size=4096,
    num_heads=32,
    num_groups=2,
    head_dim=128,
    inner_size=13696,
    vocab_size=65024,
    max_positions=8192,
)
# The 32k and 128k models whose rope_ratio no stored copy of their config tells are not here; they load all the same.
PRESETS2 = {
    "chatglm2-6b": replace(_SIX_BILLION, max_positions=32768, long_context="positions"),
    "chatglm3-6b": _SIX_BILLION,
    "chatglm3-6b-32k": replace(_SIX_BILLION, max_positions=32768, rope_ratio=50.0),
    "codegeex2-6b": replace(_SIX_BILLION, long_context="positions"),
}
PRESETS = {
    "chatglm-6b": ChatGLMConfig(
        num_layers=28,
        hidden_size=4096,
        num_heads=32,
        inner_size=16384,
        vocab_size=130528,
        max_positions=2048,
        mask=130000,
        gmask=130001,
        sop=130004,
    )
}


def _block_rules(block: str, attention: str, qkv: Packing) -> list[Rule]:
    """The rules of a block; those of scales count in quantised checkpoints alone."""
    names = (
        ("attention_norm", "input_layernorm", SAME),
        ("attention.qkv", f"{attention}.query_key_value", qkv),
        ("attention.out", f"{attention}.dense", SAME),
        ("mlp_norm", "post_attention_layernorm", SAME),
        ("mlp.up", "mlp.dense_h_to_4h", SAME),
        ("mlp.down", "mlp.dense_4h_to_h", SAME),
    )
    return [
        Rule(f"blocks.{{i}}.{ours}.{leaf}", f"{block}.{{i}}.{theirs}.{leaf}", packing)
        for ours, theirs, packing in names
        for leaf in ("weight", "bias", "weight_scale")
    ]


def statemap(config: ChatGLMConfig) -> StateMap:
    """What the official ChatGLM-6B calls our weights. It packs queries, keys and values by head."""
    return StateMap(
        (
            Rule("embedding.weight", "transformer.word_embeddings.weight"),
            *_block_rules("transformer.layers", "attention", PerHead(config.num_heads)),
            Rule("norm.weight", "transformer.final_layernorm.weight"),
            Rule("norm.bias", "transformer.final_layernorm.bias"),
            *prefix.RULES,
        ),
        ignored={
            "lm_head.weight": "a second copy of the word table",
            "transformer.layers.{i}.attention.rotary_emb.inv_freq": "worked out; the official code ignores it too",
        },
    )


def _statemap2(qkv: Packing) -> StateMap:
    encoder = "transformer.encoder"
    return StateMap(
        (
            Rule("embedding.weight", "transformer.embedding.word_embeddings.weight"),
            *_block_rules(f"{encoder}.layers", "self_attention", qkv),
            Rule("norm.weight", f"{encoder}.final_layernorm.weight"),
            Rule("output.weight", "transformer.output_layer.weight"),
            *prefix.RULES,
            Rule("classifier.weight", "classifier_head.weight"),
            Rule("classifier.bias", "classifier_head.bias"),
        ),
        ignored={
            "transformer.rotary_pos_emb.inv_freq": "worked out; the official code ignores it too",
            "lm_head.weight": "a stray copy in fine-tuned exports; the output matrix is transformer.output_layer",
        },
    )


def statemap2(config: ChatGLM2Config) -> StateMap:
    """What the official ChatGLM2 and 3 call our weights; keys and values in groups are packed as ours."""
    return _statemap2(SAME)


def statemap2_by_head(config: ChatGLM2Config) -> StateMap:
    """The same without groups, where queries, keys and values are packed by head."""
    return _statemap2(PerHead(config.num_heads))


def config_of(table: Table, weights: Weights) -> ChatGLMConfig:
    """Our config from the config.json of a ChatGLM-6B. Raises UserError for one that is not like the published."""
    where = weights.where
    if table["vocab_size"] > 150000:
        raise UserError(
            f"{where} is the first ChatGLM-6B, whose ids are 20000 higher to make room for images; "
            f"use the later release, which has 130528 rows instead of {table['vocab_size']}"
        )
    _insist(table, where, {"position_encoding_2d": (True, True), "quantization_embeddings": (False, False)})
    ids = (_need(table, name, where) for name in ("mask_token_id", "gmask_token_id", "bos_token_id"))
    mask, gmask, sop = ids
    return ChatGLMConfig(
        num_layers=_need(table, "num_layers", where),
        hidden_size=_need(table, "hidden_size", where),
        num_heads=_need(table, "num_attention_heads", where),
        inner_size=_need(table, "inner_hidden_size", where),
        vocab_size=table["vocab_size"],
        max_positions=table.get("max_sequence_length", 2048),
        mask=mask,
        gmask=gmask,
        sop=sop,
        norm_epsilon=table.get("layernorm_epsilon", 1e-5),
        **_prefix_fields(table, weights),
    )


def config2_of(table: Table, weights: Weights) -> ChatGLM2Config:
    """Our config from the config.json of a ChatGLM2 or 3. Raises UserError for one that is not like the published."""
    where = weights.where
    if table["padded_vocab_size"] > 150000:
        raise UserError(f"{where} is a GLM-4, which glmkit does not read; it reads ChatGLM-6B, 2, 3 and CodeGeeX2")
    _insist(table, where, _AS_PUBLISHED)
    heads = _need(table, "num_attention_heads", where)
    head = "classifier_head.weight"
    ratio = float(table.get("rope_ratio", 1))
    return ChatGLM2Config(
        num_layers=_need(table, "num_layers", where),
        hidden_size=_need(table, "hidden_size", where),
        num_heads=heads,
        num_groups=table["multi_query_group_num"] if table.get("multi_query_attention") else heads,
        head_dim=_need(table, "kv_channels", where),
        inner_size=_need(table, "ffn_hidden_size", where),
        vocab_size=table["padded_vocab_size"],
        max_positions=_need(table, "seq_length", where),
        norm_epsilon=table.get("layernorm_epsilon", 1e-5),
        rope_ratio=ratio,
        long_context=long_context(table, where) or ("base" if ratio == 1 else "unknown"),
        num_labels=weights.shape(head)[0] if head in set(weights.keys()) else 0,
        **_prefix_fields(table, weights),
    )


# name: (what the official code assumes when config.json does not say, the only value that was ever published)
_AS_PUBLISHED = {
    "add_bias_linear": (False, False),
    "add_qkv_bias": (False, True),
    "rmsnorm": (True, True),
    "post_layer_norm": (True, True),
    "apply_residual_connection_post_layernorm": (False, False),
    "fp32_residual_connection": (False, False),
    "interleaved_qkv": (False, False),
    "quantization_embeddings": (False, False),
}


def _insist(table: Table, where: Path, values: Mapping[str, tuple[Any, Any]]) -> None:
    for name, (default, wanted) in values.items():
        if (found := table.get(name, default)) != wanted:
            raise UserError(
                f"{where}: config.json has {name} = {found}, which no published model has; glmkit reads {wanted}"
            )


def _need(table: Table, name: str, where: Path) -> Any:
    if name not in table:
        raise CorruptFile(f"{where}: config.json lacks {name}; copy it again from the published model")
    return table[name]


def _prefix_fields(table: Table, weights: Weights) -> dict[str, Any]:
    """The config's fields about a prefix: the weights tell, and config.json must not promise more."""
    keys = set(weights.keys())
    if f"{prefix.FOREIGN}embedding.weight" not in keys:
        if table.get("pre_seq_len"):
            raise UserError(
                f"{weights.where} has pre_seq_len = {table['pre_seq_len']} in config.json but no prefix; "
                "remove pre_seq_len, load, and lay the P-tuning checkpoint over it with m.with_prefix(path)"
            )
        return {"num_prefix": 0}
    if keys and all(key.startswith(prefix.FOREIGN) for key in keys):
        raise UserError(
            f"{weights.where} holds only a prefix; load the base model and lay it over with m.with_prefix(path)"
        )
    return prefix.prefix_fields(weights)


def long_context(table: Table, where: Path) -> Literal["positions", "base"] | None:
    """How a model reads farther, by the first evidence of whether it is a ChatGLM2 or a ChatGLM3; None without any.

    config.json does not say it. Looked at: the names in it, the code and the tokenizer that lie beside it, the name of
    the directory (of the repository in a hub's cache), and the transformers version that the publisher had.
    """
    directory = where if where.is_dir() else where.parent
    code = directory / "modeling_chatglm.py"  # read as text, never run
    if rule := _rule_of(f"{table.get('_name_or_path', '')} {table.get('auto_map', '')}"):
        return rule
    if code.is_file():
        return (
            "base" if re.search(r"base\s*\*\s*(self\.)?rope_ratio", code.read_text(encoding="utf-8")) else "positions"
        )
    if "rotary_percent" in table:  # CodeGeeX2 alone has it
        return "positions"
    with suppress(UserError):
        return "base" if recognise(directory) == "chatglm3" else "positions"
    repository = directory.parents[1] if directory.parent.name == "snapshots" else directory
    versions: dict[str, Literal["positions", "base"]] = {"4.27.1": "positions", "4.30.2": "base"}
    return _rule_of(repository.name) or versions.get(table.get("transformers_version", ""))


def _rule_of(names: str) -> Literal["positions", "base"] | None:
    found = re.search(r"chatglm2|codegeex2|chatglm3", names, re.IGNORECASE)
    return None if found is None else "base" if found[0].lower() == "chatglm3" else "positions"


def _build2(config: ChatGLM2Config) -> ChatGLM2:
    if config.long_context == "unknown":
        raise UserError(
            f"this model has rope_ratio {config.rope_ratio:g}, but whether positions are divided by it, as in "
            "ChatGLM2-6B-32k, or the base multiplied, as in ChatGLM3-6B-32k, cannot be known from its files; "
            'load it with long_context="positions" or "base"'
        )
    return ChatGLM2(config)


def _geometry(config: ChatGLMConfig) -> Geometry:
    return Answering(mask=config.mask, gmask=config.gmask, sop=config.sop)


def _geometry2(config: ChatGLM2Config) -> Geometry:
    return Sequential()


def _tokenizer(directory: Path, config: Any, model: str | None) -> tuple[Tokenizer | None, str]:
    if not (directory / "ice_text.model").is_file():
        return None, f"{directory} has no ice_text.model: copy it there from the published ChatGLM-6B"
    return official("chatglm", directory), ""


def _tokenizer2(directory: Path, config: Any, model: str | None) -> tuple[Tokenizer | None, str]:
    if not (directory / "tokenizer.model").is_file():
        return None, f"{directory} has no tokenizer.model: copy it there from the published model"
    try:
        kind = recognise(directory) if model is None else model.split("-")[0]
    except CorruptFile:
        raise
    except UserError as error:  # it is there, and nothing says whose it is
        return None, str(error)
    return official(kind, directory), ""


def _is_chatglm(directory: Path, table: Table) -> bool:
    return table.get("model_type") == "chatglm" and "vocab_size" in table and "inner_hidden_size" in table


def _is_chatglm2(directory: Path, table: Table) -> bool:
    return table.get("model_type") == "chatglm" and "padded_vocab_size" in table


_READ_BOTH_WAYS = (
    "its prompt is read in both directions and numbered in two channels, which neither GlmForCausalLM nor llama.cpp "
    "does; load it with glmkit, or convert --to chatglm-hf for the official code"
)

CHATGLM_FAMILY = FamilySpec(
    name="chatglm",
    config=ChatGLMConfig,
    build=ChatGLM,
    initialise=chatglm.initialise,
    geometry=_geometry,
    presets=PRESETS,
    formats=(
        Format(
            name="chatglm-hf",
            recognises=_is_chatglm,
            open=open_weights,
            config=config_of,
            statemap=statemap,
            tokenizer=_tokenizer,
            write=partial(chatglm_files.write, statemap),
        ),
    ),
    options=("rope_table", "max_positions", "dropout"),
    tables=("embedding.weight",),
    nowhere={"glm-hf": _READ_BOTH_WAYS, "gguf": _READ_BOTH_WAYS},
)

CHATGLM2_FAMILY = FamilySpec(
    name="chatglm2",
    config=ChatGLM2Config,
    build=_build2,
    initialise=chatglm2.initialise,
    geometry=_geometry2,
    presets=PRESETS2,
    formats=(
        Format(
            name="chatglm-hf",
            recognises=lambda directory, table: (
                _is_chatglm2(directory, table) and bool(table.get("multi_query_attention"))
            ),
            open=open_weights,
            config=config2_of,
            statemap=statemap2,
            tokenizer=_tokenizer2,
            write=partial(chatglm_files.write2, statemap2),
        ),
        Format(
            name="chatglm-hf, without groups",
            recognises=_is_chatglm2,
            open=open_weights,
            config=config2_of,
            statemap=statemap2_by_head,
            tokenizer=_tokenizer2,
        ),
        GLM_HF,
    ),
    files={"gguf": write_gguf},
    options=("rope_table", "rope_ratio", "long_context", "max_positions", "dropout"),
    tables=("embedding.weight", "output.weight"),
)
