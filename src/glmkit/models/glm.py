"""GLM (Du et al., ACL 2022): a pre-norm Transformer over tokens with two learned positions.

x      = words[token] + positions[place] + steps[step]
x      = x + attention(norm(x));  x = x + mlp(norm(x))        num_layers times
logits = norm(x) @ words^T
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.errors import UserError
from glmkit.core.kinds import one_of
from glmkit.core.types import AttentionMask, Cache
from glmkit.kernels.linear import linear
from glmkit.models.sizes import COUNT, DROPOUT, HEADS, LAYERS, ROWS, WIDTH, check_sizes
from glmkit.nn.attention import Attention
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.dropout import Dropout
from glmkit.nn.head import PooledHead
from glmkit.nn.mlp import MLP, gelu_tanh
from glmkit.nn.stack import run_blocks


@dataclass(frozen=True, kw_only=True)
class GLMConfig:
    """Sizes of a GLM. `max_positions` is P: the two position tables have P + 1 rows, a text has at most P tokens.

    `gelu`: "tanh" as the published weights were trained, "erf" as the Hugging Face port computes.
    `positions`: how tokens were numbered in training, "two-channel" but for the ablations; the model itself looks up
    whatever numbers it is given. `num_labels`: classes of the head that sorts texts, if there is one.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    vocab_size: int
    max_positions: int
    dropout: float = 0.0
    gelu: Literal["tanh", "erf"] = "tanh"
    positions: Literal["two-channel", "one-channel", "detached"] = "two-channel"
    num_labels: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, _SIZES)
        if self.hidden_size % self.num_heads:
            raise UserError(
                f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}: "
                "heads are equally wide"
            )


_SIZES = {
    "num_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_heads": HEADS,
    "vocab_size": ROWS,
    "max_positions": ROWS,
    "dropout": DROPOUT,
    "gelu": one_of("tanh", "erf"),
    "positions": one_of("two-channel", "one-channel", "detached"),
    "num_labels": COUNT,
}


class TwoChannelEmbedding(nn.Module):
    """A token's word, its place in the corrupted text and its step inside a span, added."""

    def __init__(self, config: GLMConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.positions = nn.Embedding(config.max_positions + 1, config.hidden_size)
        self.steps = nn.Embedding(config.max_positions + 1, config.hidden_size)
        self.dropout = Dropout(config.dropout)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return self.dropout(self.words(tokens) + self.positions(positions[:, 0]) + self.steps(positions[:, 1]))


class GLM(nn.Module):
    """The model: ids, positions and a mask in, hidden states out; `logits` turns hidden states into scores."""

    def __init__(self, config: GLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = TwoChannelEmbedding(config)
        self.blocks = nn.ModuleList(build_block(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.classifier = (
            PooledHead(config.hidden_size, config.num_labels, config.dropout) if config.num_labels else None
        )

    def forward(self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None) -> Tensor:
        """Hidden states [B, T, D] of `tokens` [B, T] at `positions` [B, 2, T], after those in the cache."""
        x = self.embedding(tokens, positions)
        return self.norm(run_blocks(self.blocks, x, mask, cache))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of the next token; the output matrix is the word table."""
        return linear(hidden, self.embedding.words.weight)

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        c, weight = self.config, self.embedding.words.weight
        return KVCache(
            c.num_layers, batch, c.num_heads, capacity, c.hidden_size // c.num_heads, weight.dtype, weight.device
        )


def build_block(config: GLMConfig) -> Block:
    size, heads = config.hidden_size, config.num_heads
    gelu = gelu_tanh if config.gelu == "tanh" else F.gelu
    return Block(
        nn.LayerNorm(size),
        Attention(nn.Linear(size, 3 * size), nn.Linear(size, size), size // heads, heads, heads, config.dropout),
        nn.LayerNorm(size),
        MLP(nn.Linear(size, 4 * size), nn.Linear(4 * size, size), gelu),
        config.dropout,
    )


@torch.no_grad()
def initialize(model: GLM, generator: torch.Generator) -> None:
    """Weights N(0, 0.02), those that write to the residual stream N(0, 0.02 / sqrt(2 L)); biases 0, norms 1 and 0."""
    residual = 0.02 / math.sqrt(2 * model.config.num_layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0, residual if name.endswith((".out", ".down")) else 0.02, generator=generator)
        if isinstance(module, nn.Linear):
            module.bias.zero_()
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
