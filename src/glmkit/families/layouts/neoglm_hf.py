"""NeoGLM as `transformers` reads it, with a modelling file of its own beside the weights (modeling_neoglm.py).

None of its classes fits. `GlmForCausalLM` and `NemotronForCausalLM` (ReLU^2) turn heads by one number a token and do
not normalize queries and keys; `CohereForCausalLM` and `Olmo2ForCausalLM` do, and turn them by one number too. Each of
them is causal: none reads a context both ways and numbers a span by its blank and its step.
"""

import json
import shutil
from pathlib import Path

from glmkit.conversion.statemap import Rule, StateMap
from glmkit.conversion.views import as_foreign
from glmkit.conversion.weights import Weights, open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import TEXT, Kind, list_of, number, whole
from glmkit.families.layouts.chatglm import checked
from glmkit.families.spec import Export, Format
from glmkit.models.neoglm import NeoGLMConfig
from glmkit.models.sizes import EPSILON, HEADS, LAYERS, POSITIONS, ROWS, WIDTH
from glmkit.quantization.row_major import dequantized
from glmkit.text.export import infill_files
from glmkit.text.tokenizer import Tokenizer

CODE = Path(__file__).with_name("modeling_neoglm.py")
_LAYER = "layers.{i}."


def statemap(config: NeoGLMConfig) -> StateMap:
    """What the modelling file calls our weights."""
    gated = config.mlp.kind == "swiglu"
    up = (("mlp.up.gate", "mlp.gate_proj"), ("mlp.up.value", "mlp.up_proj")) if gated else (("mlp.up", "mlp.up_proj"),)
    names = (
        *((f"attention.qkv.{name}", f"self_attn.{name}_proj") for name in "qkv"),
        ("attention.out", "self_attn.o_proj"),
        *up,
        ("mlp.down", "mlp.down_proj"),
    )
    return StateMap(
        (
            Rule("embedding.words.weight", "embed_tokens.weight"),
            *(Rule(f"blocks.{{i}}.{ours}.weight", f"{_LAYER}{theirs}.weight") for ours, theirs in names),
        ),
        ignored={"lm_head.weight": "the word table once more"},
    )


def config_table(config: NeoGLMConfig, tokenizer: Tokenizer | None) -> JsonObject:
    """config.json for the modelling file."""
    table: JsonObject = {
        "model_type": "neoglm",
        "architectures": ["NeoGLMForCausalLM"],
        "auto_map": {
            "AutoConfig": f"{CODE.stem}.NeoGLMConfig",
            "AutoModelForCausalLM": f"{CODE.stem}.NeoGLMForCausalLM",
        },
        "num_hidden_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "intermediate_size": config.mlp.intermediate_size,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_positions,
        "mlp": config.mlp.kind,
        "norm": config.norm.kind,
        "qk_norm": config.norm.qk,
        "norm_epsilon": config.norm.epsilon,
        "rotary": list(config.rotated),
        "rotary_base": config.rope.base,
        "tie_word_embeddings": False,  # there is no second matrix to tie
    }
    if tokenizer is not None:
        special = tokenizer.special
        table |= {"blank_token_ids": list(special.masks), "sop_token_id": special.sop, "pad_token_id": special.pad}
        table |= {"eos_token_id": [special.eop, special.eod]}
    return table


def write(directory: Path, export: Export) -> None:
    """config.json, modelling file, weights, our tokenizer and, of one that was trained here, its files for others."""
    config, tokenizer = export.config, export.tokenizer
    for present, part in ((config.num_prefix, "prefix of P-tuning"), (config.num_labels, "classifier")):
        if present:
            raise UserError(f"neoglm-hf has no place for this model's {part}; convert the model it was trained from")
    weights = dequantized(export.weights, export.model)
    if tokenizer is not None:
        tokenizer.save(directory)
        for name, text in infill_files(tokenizer, max_length=config.max_positions).items():
            (directory / name).write_text(text, encoding="utf-8")
    table = config_table(config, tokenizer) | {"torch_dtype": str(weights.main_dtype).removeprefix("torch.")}
    (directory / "config.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    shutil.copy(CODE, directory)
    write_weights(directory, "model.safetensors", as_foreign(weights, statemap(config)))


_SCHEMA: dict[str, Kind] = {
    "num_hidden_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "intermediate_size": WIDTH,
    "vocab_size": ROWS,
    "max_position_embeddings": POSITIONS,
    "mlp": TEXT,
    "norm": TEXT,
    "qk_norm": TEXT,
    "norm_epsilon": EPSILON,
    "rotary": list_of(whole(2), least=2),
    "rotary_base": number(low=2),
}


def config_of(table: Table, weights: Weights) -> NeoGLMConfig:
    """Our config from that of the modelling file. Raises UserError for sizes that do not fit together."""
    where = checked(table, _SCHEMA, _SCHEMA, weights)
    fields: JsonObject = {
        "num_layers": table["num_hidden_layers"],
        "hidden_size": table["hidden_size"],
        "num_heads": table["num_attention_heads"],
        "num_kv_heads": table["num_key_value_heads"],
        "vocab_size": table["vocab_size"],
        "max_positions": table["max_position_embeddings"],
        "mlp": {"kind": table["mlp"], "intermediate_size": table["intermediate_size"]},
        "norm": {"kind": table["norm"], "qk": table["qk_norm"], "epsilon": table["norm_epsilon"]},
        "rope": {"base": table["rotary_base"], "place_share": table["rotary"][0] / sum(table["rotary"])},
    }
    config = from_mapping(NeoGLMConfig, fields, where)
    if tuple(table["rotary"]) != config.rotated:
        raise UserError(f"{where}: rotary = {table['rotary']} is not the width of a head, {config.head_dim}")
    return config


def _tokenizer(directory: Path, config: NeoGLMConfig, model: str | None) -> tuple[Tokenizer | None, str]:
    return None, f"{directory} has no special_tokens.json: give the directory of its tokenizer"


NEOGLM_HF = Format(
    name="neoglm-hf",
    recognizes=lambda directory, table: table.get("model_type") == "neoglm",
    open=open_weights,
    config=config_of,
    statemap=statemap,
    tokenizer=_tokenizer,
    write=write,
    prefixes=("module.",),
)
