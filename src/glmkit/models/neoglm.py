"""NeoGLM: GLM's blanks and two channels of positions, in a Transformer of today's parts.

x      = words[token]
x      = x + attention(norm(x));  x = x + mlp(norm(x))        num_layers times
logits = norm(x) @ words^T

Queries and keys are normalized, then turned by their place in the text and by their step inside a span. No layer has a
bias and no norm a weight. Queries, keys, values, gate and value are matrices of their own, and each part is a choice of
the config.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError
from glmkit.core.kinds import number
from glmkit.core.types import AttentionMask, Cache, StoredCache
from glmkit.kernels.linear import linear
from glmkit.models.sizes import COUNT, DROPOUT, EPSILON, HEADS, LAYERS, POSITIONS, ROWS, WIDTH
from glmkit.nn.attention import Attention, Rotation
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.head import PooledHead
from glmkit.nn.linear import JoinedLinear
from glmkit.nn.mlp import MLP, gelu_tanh, relu2, swiglu
from glmkit.nn.positions import NormedRotation, two_channel_rope
from glmkit.nn.prefix import PrefixedCache, PrefixEncoder, prefix_encoder, projected_prefix_encoder, with_prefix
from glmkit.nn.stack import run_blocks


@dataclass(frozen=True, kw_only=True)
class NormConfig:
    """`kind`: LayerNorm or RMSNorm, both without weights. `qk`: that of queries and keys."""

    kind: Literal["layer", "rms"] = "layer"
    qk: Literal["layer", "rms", "none"] = "layer"
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_settings(self, {"epsilon": EPSILON}, "norm.")


@dataclass(frozen=True, kw_only=True)
class RopeConfig:
    """`place_share` of a head's elements turn by the place in the text, the others by the step inside a span."""

    base: float = 10000.0
    place_share: float = 0.75

    def __post_init__(self) -> None:
        check_settings(self, {"base": number(low=2), "place_share": number(above=0, below=1)}, "rope.")


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """`kind`: the activation; SwiGLU has a gate beside the values."""

    intermediate_size: int
    kind: Literal["relu2", "swiglu", "gelu"] = "relu2"

    def __post_init__(self) -> None:
        check_settings(self, {"intermediate_size": WIDTH}, "mlp.")


@dataclass(frozen=True, kw_only=True)
class NeoGLMConfig:
    """Sizes and parts of a NeoGLM, which reads texts of at most `max_positions` tokens.

    `num_kv_heads` keys and values serve `num_heads` queries. `residual_init`: how matrices that write to the residual
    stream begin, at zero, or as GLM's do, smaller the more there are. `num_prefix` keys and values of P-tuning stand
    before the text, with two layers behind their table or none. `num_labels`: classes of the head that sorts texts, if
    there is one.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int
    max_positions: int
    mlp: MLPConfig
    norm: NormConfig = field(default_factory=NormConfig)
    rope: RopeConfig = field(default_factory=RopeConfig)
    residual_init: Literal["zero", "scaled"] = "zero"
    dropout: float = 0.0
    num_prefix: int = 0
    prefix_projection: bool = False
    num_labels: int = 0

    def __post_init__(self) -> None:
        check_settings(self, _SIZES)
        if self.hidden_size % self.num_heads:
            raise UserError(
                f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}: "
                "heads are equally wide"
            )
        if self.num_heads % self.num_kv_heads:
            raise UserError(
                f"num_heads {self.num_heads} must be a multiple of num_kv_heads {self.num_kv_heads}: each group of "
                "keys and values serves as many queries"
            )
        if self.head_dim % 2 or self.head_dim < 4:
            raise UserError(
                f"hidden_size {self.hidden_size} and num_heads {self.num_heads} make heads of {self.head_dim}: give "
                "sizes that make it even and at least 4, since a head is turned in pairs, some by each channel"
            )
        place = self.head_dim * self.rope.place_share
        if place % 2 or not 0 < place < self.head_dim:
            pairs = min(max(round(place / 2), 1), self.head_dim // 2 - 1)
            raise UserError(
                f"rope.place_share {self.rope.place_share:g} is {place:g} of the {self.head_dim} elements of a head, "
                f"which are turned in pairs: give {2 * pairs / self.head_dim:.10g}"
            )

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def rotated(self) -> tuple[int, int]:
        """How many elements of a head turn by the place, and by the step."""
        place = int(self.head_dim * self.rope.place_share)
        return place, self.head_dim - place


_SIZES = {
    "num_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_heads": HEADS,
    "num_kv_heads": HEADS,
    "vocab_size": ROWS,
    "max_positions": POSITIONS,
    "dropout": DROPOUT,
    "num_prefix": COUNT,
    "num_labels": COUNT,
}


class WordEmbedding(nn.Module):
    """The words alone: where they stand is for attention to see."""

    def __init__(self, config: NeoGLMConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.dropout(self.words(tokens))


class NeoGLM(nn.Module):
    """The model: ids, positions and a mask in, hidden states out; `logits` turns hidden states into scores."""

    def __init__(self, config: NeoGLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = WordEmbedding(config)
        self.blocks = nn.ModuleList(build_block(config) for _ in range(config.num_layers))
        self.norm = build_norm(config)
        self.prefix = build_prefix(config) if config.num_prefix else None
        self.classifier = (
            PooledHead(config.hidden_size, config.num_labels, config.dropout) if config.num_labels else None
        )

    def forward(self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None) -> Tensor:
        """Hidden states [B, T, D] of `tokens` [B, T] at `positions` [B, 2, T], after those in the cache."""
        x = self.embedding(tokens)
        rotation = rotate(self.config, positions)
        cache = with_prefix(self.prefix, cache, len(tokens))
        return self.norm(run_blocks(self.blocks, x, mask, cache, rotation))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of the next token; the output matrix is the word table."""
        return linear(hidden, self.embedding.words.weight)

    def new_cache(self, batch: int, capacity: int) -> StoredCache:
        c, weight, room = self.config, self.embedding.words.weight, capacity + self.config.num_prefix
        cache = KVCache(c.num_layers, batch, c.num_kv_heads, room, c.head_dim, weight.dtype, weight.device)
        return cache if self.prefix is None else PrefixedCache(cache, self.prefix(batch))


def build_norm(config: NeoGLMConfig) -> nn.Module:
    kind = nn.LayerNorm if config.norm.kind == "layer" else nn.RMSNorm
    return kind(config.hidden_size, config.norm.epsilon, elementwise_affine=False)


def build_block(config: NeoGLMConfig) -> Block:
    size, groups = config.hidden_size, config.num_kv_heads * config.head_dim
    linear = partial(nn.Linear, bias=False)
    qkv = JoinedLinear(q=linear(size, size), k=linear(size, groups), v=linear(size, groups))
    attention = Attention(
        qkv, linear(size, size), config.head_dim, config.num_heads, config.num_kv_heads, config.dropout
    )
    return Block(build_norm(config), attention, build_norm(config), build_mlp(config), config.dropout)


def build_mlp(config: NeoGLMConfig) -> MLP:
    size, inner = config.hidden_size, config.mlp.intermediate_size
    linear = partial(nn.Linear, bias=False)
    down = linear(inner, size)
    if config.mlp.kind == "swiglu":
        return MLP(JoinedLinear(gate=linear(size, inner), value=linear(size, inner)), down, swiglu)
    return MLP(linear(size, inner), down, _ACTIVATIONS[config.mlp.kind])


_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu2": relu2,
    "gelu": gelu_tanh,
}


def build_prefix(config: NeoGLMConfig) -> PrefixEncoder:
    """The table alone, or projected: hidden_size -> hidden_size -> the keys and values of all layers."""
    c = config
    width = c.num_layers * 2 * c.num_kv_heads * c.head_dim
    if c.prefix_projection:
        return projected_prefix_encoder(c.num_prefix, c.hidden_size, c.hidden_size, width, c.num_layers, c.head_dim)
    return prefix_encoder(c.num_prefix, width, c.num_layers, c.head_dim)


def rotate(config: NeoGLMConfig, positions: Tensor) -> Rotation:
    """What happens to queries and keys at `positions` [B, 2, T]: the norm, if any, then the rotation."""
    rotation = two_channel_rope(positions, config.rotated, config.rope.base)
    if config.norm.qk == "none":
        return rotation
    return NormedRotation(config.norm.qk, config.norm.epsilon, rotation)


@torch.no_grad()
def initialize(model: NeoGLM, generator: torch.Generator) -> None:
    """Weights N(0, 0.02), those that write to the residual stream zero or N(0, 0.02 / sqrt(2 L)); biases, which the
    head and a projected prefix alone have, 0."""
    zero = model.config.residual_init == "zero"
    residual = 0.0 if zero else 0.02 / math.sqrt(2 * model.config.num_layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            writes = name.endswith(("attention.out", "mlp.down"))
            module.weight.normal_(0, residual if writes else 0.02, generator=generator)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
