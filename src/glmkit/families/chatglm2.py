"""ChatGLM2-6B, ChatGLM3-6B and CodeGeeX2-6B: their official files, and the row that ties them together."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from glmkit.conversion.statemap import SAME, Packing, PerHead, Rule, StateMap
from glmkit.conversion.weights import Weights, open_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.core.kinds import FLAG, number
from glmkit.families import prefix
from glmkit.families.flops import training_flops
from glmkit.families.layouts import chatglm_write
from glmkit.families.layouts.chatglm import (
    SCHEMA,
    block_rules,
    checked,
    fields_of_prefix,
    require_value,
    rope_scaling,
)
from glmkit.families.layouts.gguf import write_gguf
from glmkit.families.layouts.glm_hf import GLM_HF
from glmkit.families.spec import FamilySpec, Format, MatmulShapes
from glmkit.infill.position_schemes import PositionScheme, Sequential
from glmkit.models.chatglm2 import ChatGLM2, ChatGLM2Config, initialize
from glmkit.models.sizes import HEADS, POSITIONS, ROWS, WIDTH
from glmkit.text.chatglm import official, which
from glmkit.text.prompts import CausalPrompt
from glmkit.text.tokenizer import Tokenizer

_SIX_BILLION = ChatGLM2Config(
    num_layers=28,
    hidden_size=4096,
    num_heads=32,
    num_kv_heads=2,
    head_dim=128,
    intermediate_size=13696,
    vocab_size=65024,
    max_positions=8192,
)
_NANO = ChatGLM2Config(
    num_layers=4,
    hidden_size=192,
    num_heads=6,
    num_kv_heads=2,
    head_dim=32,
    intermediate_size=512,
    vocab_size=4096,
    max_positions=512,
)
_MINI = replace(
    _NANO, num_layers=6, hidden_size=256, num_heads=8, intermediate_size=704, vocab_size=16384, max_positions=1024
)
# The first two are sizes to train. The 32k and 128k models whose rope_ratio no stored copy of their config tells are
# not here; they load all the same.
PRESETS = {
    "chatglm2-nano": _NANO,
    "chatglm2-mini": _MINI,
    "chatglm2-6b": replace(_SIX_BILLION, max_positions=32768, rope_scaling="positions"),
    "chatglm3-6b": _SIX_BILLION,
    "chatglm3-6b-32k": replace(_SIX_BILLION, max_positions=32768, rope_ratio=50.0),
    "codegeex2-6b": replace(_SIX_BILLION, rope_scaling="positions"),
}


def _statemap(qkv: Packing) -> StateMap:
    encoder = "transformer.encoder"
    return StateMap(
        (
            Rule("embedding.weight", "transformer.embedding.word_embeddings.weight"),
            *block_rules(f"{encoder}.layers", "self_attention", qkv),
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


def statemap(config: ChatGLM2Config) -> StateMap:
    """What the official ChatGLM2 and 3 call our weights; keys and values in groups are packed as ours."""
    return _statemap(SAME)


def statemap_by_head(config: ChatGLM2Config) -> StateMap:
    """The same without groups, where queries, keys and values are packed by head."""
    return _statemap(PerHead(config.num_heads))


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


_SIZES = (
    "num_layers",
    "hidden_size",
    "num_attention_heads",
    "kv_channels",
    "ffn_hidden_size",
    "padded_vocab_size",
    "seq_length",
)
_SCHEMA = (
    SCHEMA
    | {"kv_channels": WIDTH, "ffn_hidden_size": WIDTH, "padded_vocab_size": ROWS, "seq_length": POSITIONS}
    | {"multi_query_attention": FLAG, "multi_query_group_num": HEADS, "rope_ratio": number(above=0)}
    | dict.fromkeys(_AS_PUBLISHED, FLAG)
)


def config_of(table: Table, weights: Weights) -> ChatGLM2Config:
    """Our config from the config.json of a ChatGLM2 or 3. Raises UserError for one that is not like the published."""
    groups = ("multi_query_group_num",) if table.get("multi_query_attention") else ()
    where = checked(table, _SCHEMA, (*_SIZES, *groups), weights)
    if table["padded_vocab_size"] > 150000:
        raise UserError(
            f"{weights.where} is a GLM-4, which glmkit does not read; it reads ChatGLM-6B, 2, 3 and CodeGeeX2"
        )
    require_value(table, where, _AS_PUBLISHED)
    head = "classifier_head.weight"
    ratio = table.get("rope_ratio", 1)
    fields = {
        "num_layers": table["num_layers"],
        "hidden_size": table["hidden_size"],
        "num_heads": table["num_attention_heads"],
        "num_kv_heads": table[groups[0]] if groups else table["num_attention_heads"],
        "head_dim": table["kv_channels"],
        "intermediate_size": table["ffn_hidden_size"],
        "vocab_size": table["padded_vocab_size"],
        "max_positions": table["seq_length"],
        "norm_epsilon": table.get("layernorm_epsilon", 1e-5),
        "rope_ratio": ratio,
        "rope_scaling": rope_scaling(table, weights.where) or ("base" if ratio == 1 else "unknown"),
        "num_labels": weights.matrix(head)[0] if head in set(weights.keys()) else 0,
    }
    return from_mapping(ChatGLM2Config, fields | fields_of_prefix(table, weights), where)


def _build(config: ChatGLM2Config) -> ChatGLM2:
    if config.rope_scaling == "unknown":
        raise UserError(
            f"this model has rope_ratio {config.rope_ratio:g}, but whether positions are divided by it, as in "
            "ChatGLM2-6B-32k, or the base multiplied, as in ChatGLM3-6B-32k, cannot be known from its files; "
            'give model="chatglm2-6b-32k" or "chatglm3-6b-32k" (--published), or rope_scaling="positions" or "base" '
            "(--set rope_scaling=positions)"
        )
    return ChatGLM2(config)


def _scheme(config: ChatGLM2Config) -> PositionScheme:
    return Sequential()


def _tokenizer(directory: Path, config: ChatGLM2Config | None, model: str | None) -> tuple[Tokenizer | None, str]:
    if not (directory / "tokenizer.model").is_file():
        return None, f"{directory} has no tokenizer.model: copy it there from the published model"
    decision = which(directory, model=model)
    if decision.model is None:
        return None, decision.question
    return official(decision.model, directory, None if config is None else config.vocab_size), ""


def _is_chatglm2(directory: Path, table: Table) -> bool:
    return table.get("model_type") == "chatglm" and "padded_vocab_size" in table


def matmul_shapes(config: ChatGLM2Config, tokens: int) -> MatmulShapes:
    """The matrix products of one block."""
    d, inner = config.hidden_size, config.intermediate_size
    queries, both = config.num_heads * config.head_dim, 2 * config.num_kv_heads * config.head_dim
    return [(tokens, d, queries + both), (tokens, queries, d), (tokens, d, 2 * inner), (tokens, inner, d)]


def flops_per_token(config: ChatGLM2Config, seq_length: int, targets_per_token: float) -> float:
    """See `training_flops`."""
    width = config.num_heads * config.head_dim
    return training_flops(config, matmul_shapes(config, 1), width, seq_length, targets_per_token)


CHATGLM2_FAMILY = FamilySpec(
    name="chatglm2",
    config=ChatGLM2Config,
    build=_build,
    initialize=initialize,
    positions=_scheme,
    prompt=CausalPrompt,
    presets=PRESETS,
    matmul_shapes=matmul_shapes,
    flops_per_token=flops_per_token,
    formats=(
        Format(
            name="chatglm-hf",
            recognizes=lambda directory, table: (
                _is_chatglm2(directory, table) and bool(table.get("multi_query_attention"))
            ),
            open=open_weights,
            config=config_of,
            statemap=statemap,
            tokenizer=_tokenizer,
            write=partial(chatglm_write.write2, statemap),
        ),
        Format(
            name="chatglm-hf, without groups",
            recognizes=_is_chatglm2,
            open=open_weights,
            config=config_of,
            statemap=statemap_by_head,
            tokenizer=_tokenizer,
        ),
        GLM_HF,
    ),
    file_exports={"gguf": write_gguf},
    options=("rope_table", "rope_ratio", "rope_scaling", "max_positions", "dropout"),
    vocab_weights=("embedding.weight", "output.weight"),
)
