"""What the official files of ChatGLM-6B and of ChatGLM2 and 3 have in common, and what tells the latter two apart."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from glmkit.convert.statemap import SAME, Packing, Rule
from glmkit.convert.weights import Weights
from glmkit.core.errors import UserError, short
from glmkit.core.kinds import FLAG, TEXT, Kind, optional
from glmkit.core.strict_json import check_table
from glmkit.families import prefix
from glmkit.models.sizes import COUNT, EPSILON, HEADS, LAYERS, WIDTH
from glmkit.text.chatglm import recognise

Table = Mapping[str, Any]  # config.json


def block_rules(block: str, attention: str, qkv: Packing) -> list[Rule]:
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


# Fields of config.json that both have, as both are read.
SCHEMA: Mapping[str, Kind] = {
    "num_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "layernorm_epsilon": EPSILON,
    "pre_seq_len": optional(COUNT),
    "prefix_projection": optional(FLAG),
    "transformers_version": optional(TEXT),
    "quantization_embeddings": FLAG,
}
_REMEDY = "; copy it again from where the model came"


def checked(table: Table, schema: Mapping[str, Kind], required: Iterable[str], weights: Weights) -> str:
    """The path of the config.json that belongs to the weights, for messages. Raises CorruptFile when a required field
    of it is absent, or one is not of its kind."""
    where = str((weights.where if weights.where.is_dir() else weights.where.parent) / "config.json")
    check_table(table, schema, where, _REMEDY, required)
    return where


def insist(table: Table, where: str, values: Mapping[str, tuple[Any, Any]]) -> None:
    """Raises UserError unless config.json has the values; of each name the one it means when absent, and the wanted."""
    for name, (default, wanted) in values.items():
        if (found := table.get(name, default)) != wanted:
            raise UserError(
                f"{where}: {name} = {short(found)}, which no published model has; glmkit reads {short(wanted)}"
            )


def fields_of_prefix(table: Table, weights: Weights) -> dict[str, Any]:
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
    return _rule_of(repository.name) or versions.get(table.get("transformers_version") or "")


def _rule_of(names: str) -> Literal["positions", "base"] | None:
    found = re.search(r"chatglm2|codegeex2|chatglm3", names, re.IGNORECASE)
    return None if found is None else "base" if found[0].lower() == "chatglm3" else "positions"
