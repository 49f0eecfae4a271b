"""ChatGLM-6B: a Transformer over a prompt it reads both ways; its residual stream is the normed input times alpha.

x      = words[token]
a      = norm(x);  x = alpha a + attention(a)
m      = norm(x);  x = alpha m + mlp(m)                       num_layers times
logits = norm(x) @ words^T
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.core.kinds import FLAG, check, one_of, whole
from glmkit.core.renamed import accepts_old_keys
from glmkit.core.types import AttentionMask, Cache, StoredCache
from glmkit.kernels.linear import linear
from glmkit.models.sizes import COUNT, DROPOUT, EPSILON, HEADS, LAYERS, POSITIONS, ROWS, WIDTH, check_sizes
from glmkit.nn.attention import Attention, Rotation, no_rope
from glmkit.nn.cache import KVCache
from glmkit.nn.masks import SDPAMask
from glmkit.nn.mlp import MLP, gelu_tanh
from glmkit.nn.positions import rope_2d
from glmkit.nn.prefix import PrefixedCache, PrefixEncoder, prefix_encoder, projected_prefix_encoder, with_prefix
from glmkit.nn.stack import run_blocks

# sqrt(2 * 28) in models of any depth: the official code never hands the depth to its blocks (facts, 2.5).
ALPHA = math.sqrt(56)


@accepts_old_keys
@dataclass(frozen=True, kw_only=True)
class ChatGLMConfig:
    """Sizes of a ChatGLM-6B, which reads texts of at most `max_positions` tokens.

    `mask`, `gmask` and `sop` are the ids that tell a prompt's blank and where its answer starts. `rope_table`:
    "float32", or "reference" for the table the official code works out in the model's own type. `num_prefix` keys and
    values of P-tuning stand before the text, with two layers behind their table or none.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    mask: int
    gmask: int
    sop: int
    norm_epsilon: float = 1e-5
    rope_table: Literal["float32", "reference"] = "float32"
    dropout: float = 0.0
    num_prefix: int = 0
    prefix_projection: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, _SIZES)
        if self.hidden_size % (4 * self.num_heads):
            raise UserError(
                f"hidden_size {self.hidden_size} must be a multiple of 4 * num_heads {self.num_heads}: both halves of "
                "a head are turned, two numbers at a time"
            )
        for name in ("mask", "gmask", "sop"):
            check(getattr(self, name), whole(0, self.vocab_size - 1), name)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads


_SIZES = {
    "num_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_heads": HEADS,
    "intermediate_size": WIDTH,
    "vocab_size": ROWS,
    "max_positions": POSITIONS,
    "norm_epsilon": EPSILON,
    "rope_table": one_of("float32", "reference"),
    "dropout": DROPOUT,
    "num_prefix": COUNT,
    "prefix_projection": FLAG,
}


class AlphaBlock(nn.Module):
    """alpha norm(x) + attention(norm(x)), then the same with the mlp."""

    residual_alpha = ALPHA

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        size, inner, heads = config.hidden_size, config.intermediate_size, config.num_heads
        qkv, out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.attention_norm = nn.LayerNorm(size, config.norm_epsilon)
        self.attention = Attention(qkv, out, config.head_dim, heads, heads, config.dropout)
        self.mlp_norm = nn.LayerNorm(size, config.norm_epsilon)
        self.mlp = MLP(nn.Linear(size, inner), nn.Linear(inner, size), gelu_tanh)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, visible: SDPAMask, cache: Cache | None, layer: int, rotation: Rotation = no_rope
    ) -> Tensor:
        normed = self.attention_norm(x)
        x = ALPHA * normed + self.dropout(self.attention(normed, visible, cache, layer, rotation))
        normed = self.mlp_norm(x)
        return ALPHA * normed + self.dropout(self.mlp(normed))


class ChatGLM(nn.Module):
    """The model: ids, positions and a mask in, hidden states out; `logits` turns hidden states into scores."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(AlphaBlock(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_epsilon)
        self.prefix = build_prefix(config) if config.num_prefix else None

    def forward(self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None) -> Tensor:
        """Hidden states [B, T, D] of `tokens` [B, T] at `positions` [B, 2, T], after those in the cache."""
        x = self.embedding(tokens)
        rotation = rope_2d(positions, self.config.head_dim, self.table_dtype(x))
        cache = with_prefix(self.prefix, cache, len(tokens))
        return self.norm(run_blocks(self.blocks, x, mask, cache, rotation))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of the next token; the output matrix is the word table."""
        return linear(hidden, self.embedding.weight)

    def new_cache(self, batch: int, capacity: int) -> StoredCache:
        c, weight, room = self.config, self.embedding.weight, capacity + self.config.num_prefix
        cache = KVCache(c.num_layers, batch, c.num_heads, room, c.head_dim, weight.dtype, weight.device)
        return cache if self.prefix is None else PrefixedCache(cache, self.prefix(batch))

    def table_dtype(self, x: Tensor) -> torch.dtype:
        return x.dtype if self.config.rope_table == "reference" else torch.float32


def build_prefix(config: ChatGLMConfig) -> PrefixEncoder:
    """The table alone, or projected: hidden_size -> hidden_size -> the keys and values of all layers."""
    c = config
    width = c.num_layers * 2 * c.hidden_size
    if c.prefix_projection:
        return projected_prefix_encoder(c.num_prefix, c.hidden_size, c.hidden_size, width, c.num_layers, c.head_dim)
    return prefix_encoder(c.num_prefix, width, c.num_layers, c.head_dim)


@torch.no_grad()
def initialize(model: ChatGLM, generator: torch.Generator) -> None:
    """Weights N(0, 0.02); biases 0, norms 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0, 0.02, generator=generator)
        if isinstance(module, nn.Linear):
            module.bias.zero_()
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
