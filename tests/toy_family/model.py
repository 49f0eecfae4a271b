"""A causal decoder with learned positions, as a newcomer would write it: config, model, init."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import AttentionMask, Cache
from glmkit.nn.attention import Attention
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.mlp import MLP
from glmkit.nn.stack import run_blocks


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    num_layers: int
    hidden_size: int
    num_heads: int
    vocab_size: int
    max_positions: int
    dropout: float = 0.0


class Toy(nn.Module):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        size, heads = config.hidden_size, config.num_heads
        self.config = config
        self.words = nn.Embedding(config.vocab_size, size)
        self.places = nn.Embedding(config.max_positions, size)
        self.blocks = nn.ModuleList(
            Block(
                nn.LayerNorm(size),
                Attention(nn.Linear(size, 3 * size), nn.Linear(size, size), size // heads, heads, heads),
                nn.LayerNorm(size),
                MLP(nn.Linear(size, 4 * size), nn.Linear(4 * size, size), F.gelu),
                config.dropout,
            )
            for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None) -> Tensor:
        x = self.words(tokens) + self.places(positions[:, 0])
        return self.norm(run_blocks(self.blocks, x, mask, cache))

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.words.weight)

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        c, weight = self.config, self.words.weight
        return KVCache(
            c.num_layers, batch, c.num_heads, capacity, c.hidden_size // c.num_heads, weight.dtype, weight.device
        )


@torch.no_grad()
def initialize(model: Toy, generator: torch.Generator) -> None:
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.normal_(0, 0.05, generator=generator)
