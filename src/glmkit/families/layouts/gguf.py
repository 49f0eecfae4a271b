"""ChatGLM2, ChatGLM3 and CodeGeeX2 as a GGUF file of llama.cpp's architecture `chatglm`."""

from pathlib import Path

from glmkit.conversion import gguf
from glmkit.conversion.statemap import Rule, StateMap
from glmkit.conversion.views import as_foreign
from glmkit.core.errors import UserError
from glmkit.families.layouts.glm_hf import text_model
from glmkit.families.spec import Export
from glmkit.models.chatglm2 import ChatGLM2Config
from glmkit.text.export import gguf_vocabulary

_TABLES = ("token_embd.weight", "output.weight")

STATEMAP = StateMap(
    (
        Rule("embedding.weight", "token_embd.weight"),
        Rule("blocks.{i}.attention_norm.weight", "blk.{i}.attn_norm.weight"),
        Rule("blocks.{i}.attention.qkv.weight", "blk.{i}.attn_qkv.weight"),
        Rule("blocks.{i}.attention.qkv.bias", "blk.{i}.attn_qkv.bias"),
        Rule("blocks.{i}.attention.out.weight", "blk.{i}.attn_output.weight"),
        Rule("blocks.{i}.mlp_norm.weight", "blk.{i}.ffn_norm.weight"),
        Rule("blocks.{i}.mlp.up.weight", "blk.{i}.ffn_up.weight"),
        Rule("blocks.{i}.mlp.down.weight", "blk.{i}.ffn_down.weight"),
        Rule("norm.weight", "output_norm.weight"),
        Rule("output.weight", "output.weight"),
    )
)


def facts(config: ChatGLM2Config) -> dict[str, gguf.Fact]:
    """The metadata of the model alone. Raises UserError for sizes that llama.cpp cannot run."""
    if config.num_heads * config.head_dim != config.hidden_size:
        raise UserError(
            f"llama.cpp runs a chatglm only if its heads together are as wide as the model: {config.num_heads} x "
            f"{config.head_dim} is not {config.hidden_size}; convert --to glm-hf instead"
        )
    table: dict[str, gguf.Fact] = {
        "{arch}.vocab_size": config.vocab_size,
        "{arch}.context_length": config.max_positions,
        "{arch}.embedding_length": config.hidden_size,
        "{arch}.feed_forward_length": config.intermediate_size,
        "{arch}.block_count": config.num_layers,
        "{arch}.attention.head_count": config.num_heads,
        "{arch}.attention.head_count_kv": config.num_kv_heads,
        "{arch}.attention.layer_norm_rms_epsilon": config.norm_epsilon,
        "{arch}.rope.dimension_count": config.head_dim // 2,
    }
    if config.rope_scaling == "positions" and config.rope_ratio != 1:
        scaled: dict[str, gguf.Fact] = {"type": "linear", "factor": float(config.rope_ratio)}
        return table | {"{arch}.rope.freq_base": 10000.0} | {f"{{arch}}.rope.scaling.{k}": v for k, v in scaled.items()}
    return table | {"{arch}.rope.freq_base": 10000.0 * config.rope_ratio}


def write_gguf(path: Path, export: Export) -> None:
    """Writes the file. Without a tokenizer it has no vocabulary, and llama.cpp takes ids alone."""
    weights, tokenizer = text_model(export, "gguf"), export.tokenizer
    vocabulary: dict[str, gguf.Fact] = {"tokenizer.ggml.model": "no_vocab"}
    if tokenizer is not None:
        vocabulary = gguf_vocabulary(tokenizer, export.config.vocab_size)
    gguf.write_gguf(
        path,
        "chatglm",
        facts(export.config) | vocabulary,
        as_foreign(weights, STATEMAP),
        blocks=export.blocks,
        tables=_TABLES,
    )
