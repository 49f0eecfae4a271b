"""ChatGLM-6B: its official files, and the row that ties it together."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from glmkit.conversion.statemap import PerHead, Rule, StateMap
from glmkit.conversion.weights import Weights, open_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.core.kinds import FLAG
from glmkit.families import prefix
from glmkit.families.flops import training_flops
from glmkit.families.layouts import chatglm_write
from glmkit.families.layouts.chatglm import SCHEMA, block_rules, checked, fields_of_prefix, require_value
from glmkit.families.spec import FamilySpec, Format, MatmulShapes, rows_for
from glmkit.infill.position_schemes import Answering, PositionScheme
from glmkit.models.chatglm import ChatGLM, ChatGLMConfig, initialize
from glmkit.models.sizes import POSITIONS, ROWS, WIDTH
from glmkit.text.chatglm import official
from glmkit.text.prompts import PrefixPrompt
from glmkit.text.special import ID
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.which import called

PRESETS = {
    "chatglm-6b": ChatGLMConfig(
        num_layers=28,
        hidden_size=4096,
        num_heads=32,
        intermediate_size=16384,
        vocab_size=130528,
        max_positions=2048,
        mask=130000,
        gmask=130001,
        sop=130004,
    )
}


def statemap(config: ChatGLMConfig) -> StateMap:
    """What the official ChatGLM-6B calls our weights. It packs queries, keys and values by head."""
    return StateMap(
        (
            Rule("embedding.weight", "transformer.word_embeddings.weight"),
            *block_rules("transformer.layers", "attention", PerHead(config.num_heads)),
            Rule("norm.weight", "transformer.final_layernorm.weight"),
            Rule("norm.bias", "transformer.final_layernorm.bias"),
            *prefix.RULES,
        ),
        ignored={
            "lm_head.weight": "a second copy of the word table",
            "transformer.layers.{i}.attention.rotary_emb.inv_freq": "worked out; the official code ignores it too",
        },
    )


_SIZES = ("num_layers", "hidden_size", "num_attention_heads", "inner_hidden_size", "vocab_size")
_IDS = ("mask_token_id", "gmask_token_id", "bos_token_id")
_SCHEMA = (
    SCHEMA
    | {"inner_hidden_size": WIDTH, "vocab_size": ROWS, "max_sequence_length": POSITIONS, "position_encoding_2d": FLAG}
    | dict.fromkeys(_IDS, ID)
)


def config_of(table: Table, weights: Weights) -> ChatGLMConfig:
    """Our config from the config.json of a ChatGLM-6B. Raises UserError for one that is not like the published."""
    where = checked(table, _SCHEMA, (*_SIZES, *_IDS), weights)
    if table["vocab_size"] > 150000:
        raise UserError(
            f"{weights.where} is the first ChatGLM-6B, whose ids are 20000 higher to make room for images; "
            f"use the later release, which has 130528 rows instead of {table['vocab_size']}"
        )
    require_value(table, where, {"position_encoding_2d": (True, True), "quantization_embeddings": (False, False)})
    fields = {
        "num_layers": table["num_layers"],
        "hidden_size": table["hidden_size"],
        "num_heads": table["num_attention_heads"],
        "intermediate_size": table["inner_hidden_size"],
        "vocab_size": table["vocab_size"],
        "max_positions": table.get("max_sequence_length", 2048),
        "mask": table["mask_token_id"],
        "gmask": table["gmask_token_id"],
        "sop": table["bos_token_id"],
        "norm_epsilon": table.get("layernorm_epsilon", 1e-5),
    }
    return from_mapping(ChatGLMConfig, fields | fields_of_prefix(table, weights), where)


def _scheme(config: ChatGLMConfig) -> PositionScheme:
    return Answering(mask=config.mask, gmask=config.gmask, sop=config.sop)


def _tokenizer(directory: Path, config: ChatGLMConfig | None, model: str | None) -> tuple[Tokenizer | None, str]:
    if not (directory / "ice_text.model").is_file():
        return None, f"{directory} has no ice_text.model: copy it there from the published ChatGLM-6B"
    if model is not None and called(model) != "chatglm":
        raise UserError(f"{directory} is a ChatGLM-6B by its config.json, not {model}; leave out the name")
    return official("chatglm", directory, None if config is None else config.vocab_size), ""


def _open_tied(directory: Path) -> Weights:
    """The weights of a ChatGLM-6B; of a file that kept one copy of the word table, under its other name, too."""
    weights = open_weights(directory)
    words, head = "transformer.word_embeddings.weight", "lm_head.weight"
    named = {words if key == head and words not in weights.entries else key: e for key, e in weights.entries.items()}
    return Weights(weights.where, named)


def _is_chatglm(directory: Path, table: Table) -> bool:
    return table.get("model_type") == "chatglm" and "vocab_size" in table and "inner_hidden_size" in table


_READ_BOTH_WAYS = (
    "its prompt is read in both directions and numbered in two channels, which neither GlmForCausalLM nor llama.cpp "
    "does; load it with glmkit, or convert --to chatglm-hf for the official code"
)


def matmul_shapes(config: ChatGLMConfig, tokens: int) -> MatmulShapes:
    """The matrix products of one block."""
    d, inner = config.hidden_size, config.intermediate_size
    return [(tokens, d, 3 * d), (tokens, d, d), (tokens, d, inner), (tokens, inner, d)]


def flops_per_token(config: ChatGLMConfig, seq_length: int, targets_per_token: float) -> float:
    """See `training_flops`."""
    return training_flops(config, matmul_shapes(config, 1), config.hidden_size, seq_length, targets_per_token)


def _for_tokenizer(config: ChatGLMConfig, tokenizer: Tokenizer) -> ChatGLMConfig:
    """The config for the ids of a tokenizer: rows for them, and its blanks and starts of answers."""
    special = tokenizer.special
    return replace(rows_for(config, tokenizer), mask=special.mask, gmask=special.gmask, sop=special.sop)


CHATGLM_FAMILY = FamilySpec(
    name="chatglm",
    config=ChatGLMConfig,
    build=ChatGLM,
    initialize=initialize,
    positions=_scheme,
    prompt=PrefixPrompt,
    presets=PRESETS,
    matmul_shapes=matmul_shapes,
    flops_per_token=flops_per_token,
    for_tokenizer=_for_tokenizer,
    formats=(
        Format(
            name="chatglm-hf",
            recognizes=_is_chatglm,
            open=_open_tied,
            config=config_of,
            statemap=statemap,
            tokenizer=_tokenizer,
            write=partial(chatglm_write.write, statemap),
        ),
    ),
    options=("rope_table", "max_positions", "dropout"),
    vocab_weights=("embedding.weight",),
    unsupported_exports={"glm-hf": _READ_BOTH_WAYS, "gguf": _READ_BOTH_WAYS},
)
