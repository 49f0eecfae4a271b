"""x @ W^T + b for weights in every form: quantised, packed for the compiled kernels, or 16-bit."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.kernels import ops
from glmkit.kernels.codes import Codes, dequantise
from glmkit.kernels.library import library
from glmkit.kernels.packed import Packed, unpack

# Rows of W that are spelled out at once: enough that the matrix product runs at full speed, few enough that a
# matrix of the 6B models never stands in memory whole.
ROWS = 2048


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`; one row of 16-bit numbers on the CPU goes to the compiled kernel, which reads faster than torch."""
    if (
        x.numel() == weight.shape[1] == x.shape[-1]
        and weight.dtype in (torch.bfloat16, torch.float16)
        and x.dtype == weight.dtype
        and x.device.type == weight.device.type == "cpu"
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and weight.is_contiguous()
        and (bias is None or bias.dtype == weight.dtype)
        and library() is not None
    ):
        return ops.call("half_vector", x, weight, bias)
    return F.linear(x, weight, bias)


def quantised_linear(x: Tensor, codes: Codes, bits: int, bias: Tensor | None = None) -> Tensor:
    """x [..., columns] times the transpose of the matrix that `codes` mean, [..., rows], in the type of x.

    Exact: x is not rounded. Gradients reach x and the bias, never the codes.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        y = _Differentiable.apply(x, codes.weight, codes.scale, codes.zero, bits)
        return y if bias is None else y + bias
    return portable(x, codes, bits, bias)


def packed_linear(x: Tensor, packed: Packed, bias: Tensor | None = None) -> Tensor:
    """The same through the compiled kernels: x is rounded to 8 bits, 64 columns at a time. Many rows of
    bfloat16 are not where AMX is; weights are rounded to bfloat16 instead. Where the kernels cannot go (gradients,
    another type of x) it is exact."""
    if x.dtype not in ops.KINDS or (torch.is_grad_enabled() and x.requires_grad) or library() is None:
        return quantised_linear(x, unpack(packed), packed.bits, bias)
    records, *form = packed
    return ops.call("packed_linear", x, records, bias, *form)


def portable(x: Tensor, codes: Codes, bits: int, bias: Tensor | None) -> Tensor:
    """Through torch: a few rows of the matrix at a time are spelled out in the type of x and multiplied."""
    parts = []
    for begin, part in _parts(codes):
        some = None if bias is None else bias[begin : begin + ROWS]
        parts.append(F.linear(x, dequantise(part, bits, x.dtype), some))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _parts(codes: Codes) -> list[tuple[int, Codes]]:
    """The codes of ROWS rows at a time, with the number of the first."""
    zero = codes.zero
    return [
        (begin, Codes(weight, codes.scale[begin : begin + ROWS], None if zero is None else zero[begin : begin + ROWS]))
        for begin, weight in zip(range(0, len(codes.weight), ROWS), codes.weight.split(ROWS), strict=True)
    ]


class _Differentiable(torch.autograd.Function):
    """Keeps the codes for the way back, not the matrix they mean."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor, zero: Tensor | None, bits: int) -> Tensor:
        ctx.codes, ctx.bits = Codes(weight, scale, zero), bits
        return portable(x, ctx.codes, bits, None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        parts = [
            gradient[..., begin : begin + ROWS] @ dequantise(part, ctx.bits, gradient.dtype)
            for begin, part in _parts(ctx.codes)
        ]
        return sum(parts[1:], parts[0]), None, None, None, None
