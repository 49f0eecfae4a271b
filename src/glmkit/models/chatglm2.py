"""ChatGLM2-6B, ChatGLM3-6B and CodeGeeX2-6B: a causal pre-norm Transformer with rotary positions.

x      = words[token]
x      = x + attention(norm(x));  x = x + mlp(norm(x))        num_layers times; norm is RMSNorm, mlp SwiGLU
logits = norm(x) @ output^T
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.core.kinds import FLAG, number, one_of
from glmkit.core.renamed import accepts_old_keys
from glmkit.core.types import AttentionMask, Cache, StoredCache
from glmkit.models.sizes import COUNT, DROPOUT, EPSILON, HEADS, LAYERS, POSITIONS, ROWS, WIDTH, check_sizes
from glmkit.nn.attention import Attention, Rotation
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.mlp import MLP, swiglu
from glmkit.nn.pooling import last
from glmkit.nn.positions import interleaved_rope
from glmkit.nn.prefix import PrefixedCache, PrefixEncoder, prefix_encoder, projected_prefix_encoder, with_prefix
from glmkit.nn.stack import run_blocks


@accepts_old_keys
@dataclass(frozen=True, kw_only=True)
class ChatGLM2Config:
    """Sizes of a ChatGLM2 or 3. `num_kv_heads` keys and values serve `num_heads` queries; positions are below
    `max_positions`.

    `rope_ratio`: how many times farther than 10000-based rotary positions the model reads. `rope_scaling`: by what
    means, "positions" divided by it (ChatGLM2-6B-32k) or the "base" multiplied by it (ChatGLM3-6B-32k); "unknown"
    when a checkpoint does not tell, which no model can be built of.
    `rope_table`: "float32", or "reference" for the table the official code works out in the model's own type.
    `num_prefix` keys and values of P-tuning stand before the text, with two layers behind their table or none.
    `num_labels`: classes of the sequence classification head, if there is one.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    norm_epsilon: float = 1e-5
    rope_ratio: float = 1.0
    rope_scaling: Literal["positions", "base", "unknown"] = "base"
    rope_table: Literal["float32", "reference"] = "float32"
    dropout: float = 0.0
    num_prefix: int = 0
    prefix_projection: bool = False
    num_labels: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, _SIZES)
        if self.num_heads % self.num_kv_heads:
            raise UserError(
                f"num_heads {self.num_heads} must be a multiple of num_kv_heads {self.num_kv_heads}: each group of "
                "keys and values serves as many queries"
            )
        if self.head_dim % 4:
            raise UserError(
                f"head_dim must be a multiple of 4, got {self.head_dim}: half of a head is turned, two at a time"
            )


_SIZES = {
    "num_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_heads": HEADS,
    "num_kv_heads": HEADS,
    "head_dim": WIDTH,
    "intermediate_size": WIDTH,
    "vocab_size": ROWS,
    "max_positions": POSITIONS,
    "norm_epsilon": EPSILON,
    "rope_ratio": number(above=0),
    "rope_scaling": one_of("positions", "base", "unknown"),
    "rope_table": one_of("float32", "reference"),
    "dropout": DROPOUT,
    "num_prefix": COUNT,
    "prefix_projection": FLAG,
    "num_labels": COUNT,
}


class ChatGLM2(nn.Module):
    """The model: ids, positions and a mask in, hidden states out; `logits` turns hidden states into scores."""

    def __init__(self, config: ChatGLM2Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(build_block(config) for _ in range(config.num_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.norm_epsilon)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.prefix = build_prefix(config) if config.num_prefix else None
        self.classifier = nn.Linear(config.hidden_size, config.num_labels) if config.num_labels else None

    def forward(self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None) -> Tensor:
        """Hidden states [B, T, D] of `tokens` [B, T] at `positions` [B, 1, T], after those in the cache."""
        x = self.embedding(tokens)
        rotation = rotate(self.config, positions, x.dtype)
        cache = with_prefix(self.prefix, cache, len(tokens))
        return self.norm(run_blocks(self.blocks, x, mask, cache, rotation))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of the next token."""
        return self.output(hidden)

    def classify(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Scores [B, num_labels] of texts by their last real token; `real` [B, T] says which are no padding."""
        assert self.classifier is not None, "the model has no classification head"
        return self.classifier(last(hidden, real))

    def new_cache(self, batch: int, capacity: int) -> StoredCache:
        c, weight, room = self.config, self.embedding.weight, capacity + self.config.num_prefix
        cache = KVCache(c.num_layers, batch, c.num_kv_heads, room, c.head_dim, weight.dtype, weight.device)
        return cache if self.prefix is None else PrefixedCache(cache, self.prefix(batch))


def build_block(config: ChatGLM2Config) -> Block:
    size, head_dim, heads, groups = config.hidden_size, config.head_dim, config.num_heads, config.num_kv_heads
    qkv = nn.Linear(size, (heads + 2 * groups) * head_dim)
    out = nn.Linear(heads * head_dim, size, bias=False)
    up = nn.Linear(size, 2 * config.intermediate_size, bias=False)
    down = nn.Linear(config.intermediate_size, size, bias=False)
    return Block(
        nn.RMSNorm(size, config.norm_epsilon),
        Attention(qkv, out, head_dim, heads, groups, config.dropout),
        nn.RMSNorm(size, config.norm_epsilon),
        MLP(up, down, swiglu),
        config.dropout,
    )


def build_prefix(config: ChatGLM2Config) -> PrefixEncoder:
    """The table alone, or projected: width -> hidden_size -> width."""
    c = config
    width = c.num_layers * 2 * c.num_kv_heads * c.head_dim
    if c.prefix_projection:
        return projected_prefix_encoder(c.num_prefix, width, c.hidden_size, width, c.num_layers, c.head_dim)
    return prefix_encoder(c.num_prefix, width, c.num_layers, c.head_dim)


def rotate(config: ChatGLM2Config, positions: Tensor, dtype: torch.dtype) -> Rotation:
    """The rotation of queries and keys at `positions` [B, 1, T] in a model of `dtype`: half of each head, in
    interleaved pairs.

    The official ChatGLM2 works out angles in the model's type, ChatGLM3 in float32; both store the table in it.
    """
    stored = dtype if config.rope_table == "reference" else torch.float32
    places, size = positions[:, 0], config.head_dim // 2
    if config.rope_scaling == "positions":
        return interleaved_rope(places, size, scale=config.rope_ratio, working=stored, stored=stored)
    return interleaved_rope(places, size, base=10000.0 * config.rope_ratio, stored=stored)


@torch.no_grad()
def initialize(model: ChatGLM2, generator: torch.Generator) -> None:
    """Weights N(0, 0.02), those that write to the residual stream N(0, 0.02 / sqrt(2 L)); biases 0, norms 1."""
    residual = 0.02 / math.sqrt(2 * model.config.num_layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0, residual if name.endswith((".out", ".down")) else 0.02, generator=generator)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
        if isinstance(module, nn.RMSNorm):
            module.reset_parameters()
