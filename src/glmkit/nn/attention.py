"""Attention over a mask and a rotation that are worked out once for all layers."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import AttentionMask, Cache


class SDPAMask(NamedTuple):
    """What `scaled_dot_product_attention` needs to know: a bias to add to the scores [B, 1, T, K], or that the mask
    is plainly causal, or neither when every key is visible. One tensor serves every layer and head."""

    bias: Tensor | None
    causal: bool


def sdpa_mask(
    mask: AttentionMask, start: int, length: int, dtype: torch.dtype, device: torch.device, prefix: int = 0
) -> SDPAMask:
    """The mask for queries start .. start+length-1 over all keys so far, in the form the kernels run fastest on.

    Every query sees the `prefix` keys before those of the first token. Hidden keys get the lowest finite number
    instead of -inf: a padding query that sees nothing then stays finite, as in the original, and cannot spread NaN.
    """
    if mask.segments is None and not mask.begin.any():
        if length == 1 or bool((mask.context >= start + length).all()):
            return SDPAMask(None, False)
        if start + prefix == 0 and bool((mask.context <= 1).all()):
            return SDPAMask(None, True)
    visible = mask.visible(start, length, device)
    if prefix:
        visible = F.pad(visible, (prefix, 0), value=True)  # [B, 1, length, prefix + start + length]
    bias = torch.zeros(visible.shape, dtype=dtype, device=device)
    return SDPAMask(bias.masked_fill_(~visible, torch.finfo(dtype).min), False)


def compute_dtype(x: Tensor) -> torch.dtype:
    """The type attention runs in: autocast's where it is on, else that of the activations."""
    return torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype


Rotation = Callable[[Tensor], Tensor]  # heads [B, H, T, head_dim] -> the same, rotated by their tokens' positions


def no_rope(heads: Tensor) -> Tensor:
    """The rotation of models that add positions to embeddings."""
    return heads


class Attention(nn.Module):
    """Attention with one fused projection, packed [all queries | all keys | all values].

    `num_kv_heads` keys and values serve `num_heads` queries: query head h looks at group h // (num_heads /
    num_kv_heads).
    """

    def __init__(
        self, qkv: nn.Module, out: nn.Module, head_dim: int, num_heads: int, num_kv_heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.head_dim, self.num_heads, self.num_kv_heads = head_dim, num_heads, num_kv_heads
        self.dropout = dropout
        self.qkv = qkv
        self.out = out

    def forward(
        self, x: Tensor, visible: SDPAMask, cache: Cache | None, layer: int, rotation: Rotation = no_rope
    ) -> Tensor:
        length, heads, groups = x.shape[1], self.num_heads, self.num_kv_heads
        qkv = self.qkv(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # [B, H + 2 G, T, head_dim]
        qk, v = qkv.split((heads + groups, groups), dim=1)
        q, k = rotation(qk).split((heads, groups), dim=1)
        if cache is not None:
            k, v = cache.append(layer, k, v)  # [B, G, K, head_dim]
        if length == 1:  # the queries of a group see the same keys, so they are read as tokens of one head
            q = q.reshape(-1, groups, heads // groups, self.head_dim)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=visible.bias,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=visible.causal,
            enable_gqa=q.shape[1] != groups,
        )
        return self.out(y.reshape(-1, heads, length, self.head_dim).transpose(1, 2).flatten(2))
