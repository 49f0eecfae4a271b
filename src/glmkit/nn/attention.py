"""Attention over a mask that is worked out once for all layers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import AttentionMask, Cache


class Visibility(NamedTuple):
    """What `scaled_dot_product_attention` needs to know: a bias to add to the scores [B, 1, T, K], or that the mask
    is plainly causal, or neither when every key is visible. One tensor serves every layer and head."""

    bias: Tensor | None
    causal: bool


def visibility(mask: AttentionMask, start: int, length: int, dtype: torch.dtype, device: torch.device) -> Visibility:
    """The mask for queries start .. start+length-1 over all keys so far, in the form the kernels run fastest on.

    Hidden keys get the lowest finite number instead of -inf: a padding query that sees nothing then stays finite,
    as in the original, and cannot spread NaN.
    """
    if mask.segments is None and not mask.begin.any():
        if length == 1 or bool((mask.context >= start + length).all()):
            return Visibility(None, False)
        if start == 0 and bool((mask.context <= 1).all()):
            return Visibility(None, True)
    visible = mask.visible(start, length, device)
    bias = torch.zeros(visible.shape, dtype=dtype, device=device)
    return Visibility(bias.masked_fill_(~visible, torch.finfo(dtype).min), False)


class Attention(nn.Module):
    """Multi-head attention with one fused projection, packed [all queries | all keys | all values]."""

    def __init__(self, hidden_size: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = hidden_size // num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, visible: Visibility, cache: Cache | None, layer: int) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, head_dim]
        if cache is not None:
            k, v = cache.append(layer, k, v)  # [B, H, K, head_dim]
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible.bias, dropout_p=dropout, is_causal=visible.causal)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))
