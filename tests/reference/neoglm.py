"""NeoGLM's forward pass for one row, from its definition: loops over heads, queries and pairs, in float64."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from glmkit.models.neoglm import NeoGLMConfig

Array = np.ndarray


def forward(
    weights: Mapping[str, Array],
    config: NeoGLMConfig,
    tokens: Sequence[int],
    positions: Sequence[Sequence[int]],
    visible: Sequence[Sequence[bool]],
) -> tuple[Array, Array]:
    """Hidden states [T, D] and logits [T, V]. `weights` under the names of the model, `visible[q][k]` whether query q
    sees key k."""
    w = {name: np.asarray(tensor, dtype=np.float64) for name, tensor in weights.items()}
    words = w["embedding.words.weight"]
    x = np.stack([words[token] for token in tokens])
    for layer in range(config.num_layers):
        start = f"blocks.{layer}."
        part = {name.removeprefix(start): tensor for name, tensor in w.items() if name.startswith(start)}
        x = x + _attention(part, config, _norms(config.norm.kind, config, x), positions, visible)
        x = x + _mlp(part, config, _norms(config.norm.kind, config, x))
    hidden = _norms(config.norm.kind, config, x)
    return hidden, hidden @ words.T


def _attention(
    w: Mapping[str, Array],
    config: NeoGLMConfig,
    x: Array,
    positions: Sequence[Sequence[int]],
    visible: Sequence[Sequence[bool]],
) -> Array:
    size = config.hidden_size // config.num_heads
    queries, keys, values = (x @ w[f"attention.qkv.{name}.weight"].T for name in "qkv")
    out = np.zeros((len(x), config.num_heads * size))
    for head in range(config.num_heads):
        own, group = head * size, head // (config.num_heads // config.num_kv_heads) * size
        turned = [
            [_turned(config, one[t, at : at + size], positions[0][t], positions[1][t]) for t in range(len(x))]
            for one, at in ((queries, own), (keys, group))
        ]
        for q in range(len(x)):
            seen = [k for k in range(len(x)) if visible[q][k]]
            scores = [float(turned[0][q] @ turned[1][k]) / math.sqrt(size) for k in seen]
            highest = max(scores)
            shares = [math.exp(score - highest) for score in scores]
            for k, share in zip(seen, shares, strict=True):
                out[q, own : own + size] += share / sum(shares) * values[k, group : group + size]
    return out @ w["attention.out.weight"].T


def _turned(config: NeoGLMConfig, head: Array, place: int, step: int) -> Array:
    """A query or key of one head: normalized, then its first pairs turned by the place, the last by the step."""
    head = head if config.norm.qk == "none" else _norm(config.norm.qk, config, head)
    of_place = int(len(head) * config.rope.place_share)
    out = np.empty_like(head)
    for start, size, position in ((0, of_place, place), (of_place, len(head) - of_place, step)):
        for pair in range(size // 2):
            angle = position * config.rope.base ** (-2 * pair / size)
            a, b = head[start + 2 * pair], head[start + 2 * pair + 1]
            out[start + 2 * pair] = a * math.cos(angle) - b * math.sin(angle)
            out[start + 2 * pair + 1] = a * math.sin(angle) + b * math.cos(angle)
    return out


def _mlp(w: Mapping[str, Array], config: NeoGLMConfig, x: Array) -> Array:
    if config.mlp.kind == "swiglu":
        gate = x @ w["mlp.up.gate.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (x @ w["mlp.up.value.weight"].T)
    else:
        inner = x @ w["mlp.up.weight"].T
        inner = np.maximum(inner, 0) ** 2 if config.mlp.kind == "relu2" else _gelu(inner)
    return inner @ w["mlp.down.weight"].T


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _norms(kind: str, config: NeoGLMConfig, x: Array) -> Array:
    return np.stack([_norm(kind, config, row) for row in x])


def _norm(kind: str, config: NeoGLMConfig, row: Array) -> Array:
    centered = row - row.mean() if kind == "layer" else row
    return centered / math.sqrt((centered**2).mean() + config.norm.epsilon)
