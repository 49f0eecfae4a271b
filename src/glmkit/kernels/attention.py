"""Attention whose backward pass is five matrix products and one compiled pass between them.

torch's own keeps no scores, and works them out again in the backward pass by products of small pieces, which take a
quarter of a training step where hardware multiplies matrices fast. Here the forward pass is torch's, and the backward

    S  = Q K^T - (L + shift) / scale     of all queries and keys at once; L: log of the sum of exponentials of scores
    G  = dY V^T - delta                  delta: the sum of dY Y over a head
    P  = exp(scale S + shift + bias),  dS = P G scale            one compiled pass, in place
    dV = P^T dY,  dQ = dS K,  dK = dS^T Q

S and G are rounded to bfloat16. L and delta are subtracted within the product, in three more columns of bfloat16 that
hold the 24 bits of a float32 together, and the shift lies halfway between what a query that sees one key alone and one
that sees all alike would have: so what is rounded is small wherever P is not, and a rounding of it too.
"""

import math
from typing import Any

import torch
from torch import Tensor

from glmkit.kernels.library import library
from glmkit.kernels.ops import compiled, misfit, pointer

_COLUMNS = 32  # of numbers that are subtracted: a whole step of the widest matrix instructions
_HELD = 1 << 23  # numbers of scores that are there at once

_operators = torch.library.Library("glmkit", "FRAGMENT")
_operators.define(
    "attention_grad(Tensor(a!) scores, Tensor(b!) gradients, Tensor? bias, int heads, bool causal, float scale,"
    " float shift) -> ()"
)


def _attention_grad_door(
    scores: Tensor, gradients: Tensor, bias: Tensor | None, heads: int, causal: bool, scale: float, shift: float
) -> None:
    for name, tensor in (("scores", scores), ("gradients", gradients)):
        if tensor.dtype != torch.bfloat16 or tensor.ndim != 3 or tensor.shape != scores.shape:
            raise misfit(name, tensor, "[texts * heads, queries, keys] in bfloat16, scores and gradients alike")
        if not tensor.is_contiguous():
            raise ValueError(f"{name} must be contiguous")
    if heads < 1 or len(scores) % heads:
        raise ValueError(f"heads must be a divisor of {len(scores)}, got {heads}")
    if bias is not None:
        texts, wanted = len(scores) // heads, scores.shape[1:]
        if bias.dtype != torch.bfloat16 or bias.shape != (texts, *wanted) or bias.stride()[1:] != (wanted[1], 1):
            raise misfit("bias", bias, f"{[texts, *wanted]} in bfloat16, each text contiguous")


def _attention_grad(
    scores: Tensor, gradients: Tensor, bias: Tensor | None, heads: int, causal: bool, scale: float, shift: float
) -> None:
    _attention_grad_door(scores, gradients, bias, heads, causal, scale, shift)
    if not scores.numel():
        return
    matrices, queries, keys = scores.shape
    compiled().attention_grad(
        scores=pointer(scores),
        gradients=pointer(gradients),
        bias=None if bias is None else pointer(bias),
        apart=0 if bias is None else bias.stride(0),
        together=heads,
        matrices=matrices,
        queries=queries,
        keys=keys,
        causal=causal,
        scale=scale,
        shift=shift,
        threads=torch.get_num_threads(),
    )


_operators.impl("attention_grad", _attention_grad, "CPU")
torch.library.register_fake("glmkit::attention_grad", _attention_grad_door, lib=_operators)


class _Attention(torch.autograd.Function):
    """softmax(scale Q K^T + bias) V."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool) -> Tensor:
        served = q.shape[1] // k.shape[1]  # heads of a group
        keys, values = (one.unsqueeze(2).expand(-1, -1, served, -1, -1).flatten(1, 2) for one in (k, v))
        y, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, keys, values, 0.0, causal, attn_mask=bias
        )
        ctx.save_for_backward(q, k, v, bias, y, log_sum)
        ctx.causal = causal
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, y, log_sum = ctx.saved_tensors
        (dy,) = gradients
        return *attention_gradients(q, k, v, bias, ctx.causal, y, log_sum, dy), None, None


def attention_gradients(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, y: Tensor, log_sum: Tensor, dy: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of q [B, H, T, D], k and v [B, G, K, D] for that of y [B, H, T, D], all bfloat16.

    `log_sum` [B, H, T] of the scores in float32, as the forward pass leaves it. The H / G heads of a group of keys are
    one matrix to the products, one below the other, so that their sums over queries are sums over the group too.
    """
    texts, heads, queries, size = q.shape
    groups, keys, scale = k.shape[1], k.shape[2], 1 / math.sqrt(size)
    shift = -math.log(keys) / 2
    delta = (dy.float() * y.float()).sum(-1)
    wide_q, wide_dy = _less(q, (log_sum + shift) / scale), _less(dy, delta)  # [B, H, T, D + 32]
    wide_k, wide_v = _with_ones(k), _with_ones(v)  # [B, G, K, D + 32]
    dq, dk, dv = (torch.empty(tensor.shape, dtype=tensor.dtype) for tensor in (q, k, v))
    some = max(1, min(texts, _HELD // (heads * queries * keys)))
    memory = torch.empty(2, some * groups, heads // groups * queries, keys, dtype=q.dtype)
    for begin in range(0, texts, some):
        part = slice(begin, min(begin + some, texts))
        one_q, one_dy, wq, wdy, own_dq = (  # [B G, H / G T, D]
            tensor[part].unflatten(1, (groups, -1)).flatten(2, 3).flatten(0, 1)
            for tensor in (q, dy, wide_q, wide_dy, dq)
        )
        one_k, wk, wv, own_dk, own_dv = (tensor[part].flatten(0, 1) for tensor in (k, wide_k, wide_v, dk, dv))
        scores, gradients = memory[:, : len(one_q)]
        torch.bmm(wq, wk.mT, out=scores)
        torch.bmm(wdy, wv.mT, out=gradients)
        own = None if bias is None else bias[part, 0]
        by_head = [tensor.view(-1, queries, keys) for tensor in (scores, gradients)]
        torch.ops.glmkit.attention_grad(*by_head, own, heads, causal, scale, shift)
        torch.bmm(scores.mT, one_dy, out=own_dv)
        torch.bmm(gradients, one_k, out=own_dq)
        torch.bmm(gradients.mT, one_q, out=own_dk)
    return dq, dk, dv


def _less(x: Tensor, number: Tensor) -> Tensor:
    """x [..., D] with columns that take `number` [...], float32, from a product with what `_with_ones` made."""
    wide = _widened(x)
    left = -number
    for column in range(3):
        wide[..., x.shape[-1] + column] = left
        left = left - wide[..., x.shape[-1] + column]
    return wide


def _with_ones(x: Tensor) -> Tensor:
    wide = _widened(x)
    wide[..., x.shape[-1] : x.shape[-1] + 3] = 1
    return wide


def _widened(x: Tensor) -> Tensor:
    """x [..., D] and _COLUMNS zeros behind it."""
    wide = x.new_zeros(*x.shape[:-1], x.shape[-1] + _COLUMNS)
    wide[..., : x.shape[-1]] = x
    return wide


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool) -> Tensor:
    """What queries [B, H, T, D] read from keys and values [B, G, K, D], [B, H, T, D]; `bias` [B, 1, T, K]."""
    y: Tensor = _Attention.apply(q, k, v, bias, causal)
    return y


def has_fast_backward(q: Tensor, dropout: float) -> bool:
    """Whether `attention` is for q: bfloat16 on the CPU that wants gradients, nothing dropped."""
    return (
        q.dtype == torch.bfloat16
        and q.device.type == "cpu"
        and q.requires_grad
        and torch.is_grad_enabled()
        and not dropout
        and not torch.compiler.is_compiling()
        and library() is not None
    )
