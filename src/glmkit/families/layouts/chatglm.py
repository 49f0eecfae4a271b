"""What the official files of ChatGLM-6B and of ChatGLM2 and 3 have in common, and what tells the latter two apart."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from glmkit.conversion.statemap import SAME, Packing, Rule
from glmkit.conversion.weights import Weights
from glmkit.core.errors import UserError, argument, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import FLAG, TEXT, Kind, optional
from glmkit.core.strict_json import check_table
from glmkit.families import prefix
from glmkit.families.spec import NAMED
from glmkit.models.sizes import COUNT, EPSILON, HEADS, LAYERS, WIDTH
from glmkit.text.chatglm import which


def block_rules(block: str, attention: str, qkv: Packing) -> list[Rule]:
    """The rules of a block; those of scales count in quantized checkpoints alone."""
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
SCHEMA: dict[str, Kind] = {
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


def require_value(table: Table, where: str, values: Mapping[str, tuple[object, object]]) -> None:
    """Raises UserError unless config.json has the values; of each name the one it means when absent, and the wanted."""
    for name, (default, wanted) in values.items():
        if (value := table.get(name, default)) != wanted:
            raise UserError(
                f"{where}: {name} = {short(value)}, which no published model has; glmkit reads {short(wanted)}"
            )


def fields_of_prefix(table: Table, weights: Weights) -> JsonObject:
    """The config's fields about a prefix: the weights tell, and config.json must not promise more."""
    keys = set(weights.keys())
    if f"{prefix.EXTERNAL}embedding.weight" not in keys:
        if table.get("pre_seq_len"):
            raise UserError(
                f"{weights.where} has pre_seq_len = {table['pre_seq_len']} in config.json but no prefix; "
                f"remove pre_seq_len, and give the P-tuning checkpoint beside it: {argument('adapter', 'DIR')}"
            )
        return {"num_prefix": 0}
    if keys and all(key.startswith(prefix.EXTERNAL) for key in keys):
        raise UserError(
            f"{weights.where} holds only a prefix; load the base model and give this as {argument('adapter')}"
        )
    return prefix.prefix_fields(weights)


def rope_scaling(table: Table, where: Path) -> Literal["positions", "base"] | None:
    """How a model reads farther: ChatGLM2 divides positions, ChatGLM3 multiplies the base; config.json does not say it.

    None where it cannot be known which of them it is (`glmkit.text.which`).
    """
    directory = where if where.is_dir() else where.parent
    decision = which(directory, table, table.get(NAMED))
    rules: set[Literal["positions", "base"]] = {
        "base" if sign.model == "chatglm3" else "positions" for sign in decision.signs
    }
    return rules.pop() if len(rules) == 1 else None
