"""GLM's forward pass for one row, written out with loops over heads and queries in float64 (facts 2.2)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

Array = np.ndarray

_LAYER_NORM_EPS = 1e-5


def forward(
    weights: Mapping[str, Array],
    num_layers: int,
    num_heads: int,
    tokens: Sequence[int],
    positions: Sequence[Sequence[int]],
    visible: Sequence[Sequence[bool]],
) -> tuple[Array, Array]:
    """Hidden states [T, D] and logits [T, V]. `weights` under the names of `glmkit.models.glm.GLM`, `visible[q][k]`
    whether query q sees key k."""
    w = {name: np.asarray(tensor, dtype=np.float64) for name, tensor in weights.items()}
    rows = []
    for token, place, step in zip(tokens, *positions, strict=True):
        rows.append(
            w["embedding.words.weight"][token]
            + w["embedding.positions.weight"][place]
            + w["embedding.steps.weight"][step]
        )
    x = np.stack(rows)
    for layer in range(num_layers):
        part = {
            name.removeprefix(f"blocks.{layer}."): t for name, t in w.items() if name.startswith(f"blocks.{layer}.")
        }
        x = x + _attention(part, num_heads, _norm(part, "attention_norm", x), visible)
        inner = _gelu(_linear(part, "mlp.up", _norm(part, "mlp_norm", x)))
        x = x + _linear(part, "mlp.down", inner)
    hidden = _norm(w, "norm", x)
    return hidden, hidden @ w["embedding.words.weight"].T


def _attention(w: Mapping[str, Array], num_heads: int, x: Array, visible: Sequence[Sequence[bool]]) -> Array:
    length, width = x.shape
    size = width // num_heads
    qkv = _linear(w, "attention.qkv", x)
    queries, keys, values = qkv[:, :width], qkv[:, width : 2 * width], qkv[:, 2 * width :]
    out = np.zeros_like(x)
    for head in range(num_heads):
        mine = slice(head * size, (head + 1) * size)
        for q in range(length):
            seen = [k for k in range(length) if visible[q][k]]
            scores = [float(queries[q, mine] @ keys[k, mine]) / math.sqrt(size) for k in seen]
            highest = max(scores)
            shares = [math.exp(score - highest) for score in scores]
            for k, share in zip(seen, shares, strict=True):
                out[q, mine] += share / sum(shares) * values[k, mine]
    return _linear(w, "attention.out", out)


def _linear(w: Mapping[str, Array], name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(w: Mapping[str, Array], name: str, x: Array) -> Array:
    out = np.empty_like(x)
    for row in range(len(x)):
        centred = x[row] - x[row].mean()
        out[row] = centred / math.sqrt((centred**2).mean() + _LAYER_NORM_EPS)
    return out * w[f"{name}.weight"] + w[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    """The tanh form, with sqrt(2 / pi) to the digits the original gives."""
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x)))
