"""Attention over a mask and a rotation that are worked out once for all layers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import Cache
from glmkit.kernels.attention import attention, has_fast_backward
from glmkit.kernels.cache_rows import attend_rows
from glmkit.kernels.dropout import dropout, has_fast_dropout
from glmkit.kernels.library import library
from glmkit.nn.masks import SDPAMask
from glmkit.nn.ragged import RaggedCache


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
        heads, groups = self.num_heads, self.num_kv_heads
        qkv = self.qkv(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # [B, H + 2 G, T, head_dim]
        qk, v = qkv.split((heads + groups, groups), dim=1)
        q, k = rotation(qk).split((heads, groups), dim=1)
        if isinstance(cache, RaggedCache):
            y = self._rows_apart(q, k, v, cache, layer)
        else:
            if cache is not None:
                k, v = cache.append(layer, k, v)  # [B, G, K, head_dim]
            y = self._attend(q, k, v, visible)
        return self.out(y.transpose(1, 2).flatten(2))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, visible: SDPAMask) -> Tensor:
        """What queries [B, H, T, head_dim] read from keys and values [B, G, K, head_dim]."""
        groups, shape = self.num_kv_heads, q.shape
        if shape[2] == 1:  # the queries of a group see the same keys, so they are read as tokens of one head
            q = q.reshape(-1, groups, self.num_heads // groups, self.head_dim)
        dropout = self.dropout if self.training else 0.0
        if shape[2] > 1 and has_fast_backward(q, dropout):
            return attention(q, k, v, visible.bias, visible.causal)
        if dropout and has_fast_dropout(q):
            return _attention_with_dropout(q, k, v, visible, dropout)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=visible.bias,
            dropout_p=dropout,
            is_causal=visible.causal,
            enable_gqa=q.shape[1] != groups,
        )
        return y.reshape(shape)

    def _rows_apart(self, q: Tensor, k: Tensor, v: Tensor, cache: RaggedCache, layer: int) -> Tensor:
        """The same for tokens of several rows [1, H, N, head_dim], each before the keys of its own row."""
        rows = cache.few if self._by_kernel(q) else None
        runs = cache.all if rows is None else cache.prompts
        y = torch.empty_like(q)
        if rows is not None:
            columns = cache.columns if runs else slice(None)
            few = [heads[0, :, columns].transpose(0, 1) for heads in (q, k, v)]  # [N, heads, head_dim]
            y[0, :, columns] = attend_rows(few[0], few[1], few[2], rows, layer).transpose(0, 1)
        for run in runs:
            (first, count), own = run, run.columns
            queries, keys, values = (_as_rows(heads[0, :, own], count) for heads in (q, k, v))
            if first.cache is not None:
                keys, values = first.cache.append(layer, keys, values)
            attended = self._attend(queries, keys, values, cache.mask(first, q.dtype, q.device))
            _as_rows(y[0, :, own], count).copy_(attended)
        return y

    def _by_kernel(self, q: Tensor) -> bool:
        """Whether the compiled kernel attends for single tokens."""
        return (
            q.dtype in (torch.float32, torch.bfloat16)
            and self.head_dim % 16 == 0
            and q.device.type == "cpu"
            and not torch.is_grad_enabled()
            and library() is not None
        )


def _attention_with_dropout(q: Tensor, k: Tensor, v: Tensor, visible: SDPAMask, p: float) -> Tensor:
    """dropout(softmax(q k^T / sqrt(head_dim) + bias)) v, as torch spells it out too where something is dropped."""
    served = q.shape[1] // k.shape[1]
    k, v = (one.repeat_interleave(served, 1) for one in (k, v))
    scores = (q @ k.mT).mul_(q.shape[-1] ** -0.5)
    if visible.bias is not None:
        scores.add_(visible.bias)
    elif visible.causal:
        scores.masked_fill_(scores.new_ones(scores.shape[-2:], dtype=torch.bool).triu_(1), -math.inf)
    return dropout(scores.softmax(-1), p) @ v


def _as_rows(heads: Tensor, count: int) -> Tensor:
    """Of `count` rows side by side [H, count * T, head_dim] each by itself: [count, H, T, head_dim]."""
    return heads.unflatten(1, (count, -1)).transpose(0, 1)
