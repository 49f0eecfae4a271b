"""x @ W^T + b for weights in every format: quantized, packed for the compiled kernels, or 16-bit."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.core import machine
from glmkit.kernels import ops
from glmkit.kernels.library import isa, library
from glmkit.kernels.packed import Packed, unpack
from glmkit.kernels.quantized import QuantizedTensor, dequantize

# Rows of W that are dequantized at once: enough that the matrix product runs at full speed, few enough that a
# matrix of the 6B models never stands in memory whole.
ROWS = 2048
FEW_ROWS = {"amx": 32}  # of activations; of more of them torch's products are as fast
# Rows of activations that are summed as each alone; more of them go through tiles, in another order.
ALIKE = {"amx": 5}


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`; a few rows of 16-bit elements on the CPU go to the compiled kernel, which reads faster than torch and
    sums each row for itself, and many rows through float32 where the processor cannot multiply 16 bits."""
    if (
        (most := few_rows(weight))
        and x.dtype == weight.dtype
        and x.device.type == "cpu"
        and x.shape[-1:] == weight.shape[1:]
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and (bias is None or bias.dtype == weight.dtype)
    ):
        if x.numel() <= most * weight.shape[1]:
            return ops.call("linear_fp16", x, weight, bias)
        if not _multiplies_16_bits():
            return _through_float32(x, weight, bias)
    return F.linear(x, weight, bias)


@cache
def _multiplies_16_bits() -> bool:
    """Whether the processor has products of 16-bit elements; without, torch takes six times as long as in float32."""
    return machine.fastest_dtype("cpu") != torch.float32


def _through_float32(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """ROWS rows of the weight at a time are widened, multiplied and rounded once."""
    y, wide = x.new_empty((*x.shape[:-1], len(weight))), x.float()
    for begin in range(0, len(weight), ROWS):
        end = begin + ROWS
        some = None if bias is None else bias[begin:end].float()
        y[..., begin:end] = F.linear(wide, weight[begin:end].float(), some)
    return y


def few_rows(weight: Tensor) -> int:
    """How many rows at a time the compiled kernels multiply by this 16-bit matrix; 0 for none."""
    has_16_bits = weight.dtype in (torch.bfloat16, torch.float16) and weight.is_contiguous()
    if not has_16_bits or weight.device.type != "cpu" or library() is None:
        return 0
    tiles = weight.dtype == torch.bfloat16 and weight.shape[0] >= 16 and weight.shape[1] % 32 == 0
    return FEW_ROWS.get(isa(), 8) if tiles else 8


def quantized_linear(x: Tensor, weight: QuantizedTensor, bits: int, bias: Tensor | None = None) -> Tensor:
    """x [..., columns] times the transpose of the matrix that `weight` means, [..., rows], in the type of x.

    Exact: x is not rounded. Gradients reach x and the bias, never the weight.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        y = _Differentiable.apply(x, *weight, bits)
        return y if bias is None else y + bias
    return portable(x, weight, bits, bias)


def packed_linear(x: Tensor, packed: Packed, bias: Tensor | None = None) -> Tensor:
    """The same through the compiled kernels: x is rounded to 8 bits, 64 columns at a time. Many rows of
    bfloat16 are not where AMX is; weights are rounded to bfloat16 instead. Where the kernels cannot go (gradients,
    another type of x) it is exact."""
    if x.dtype not in ops.KINDS or (torch.is_grad_enabled() and x.requires_grad) or library() is None:
        return quantized_linear(x, unpack(packed), packed.bits, bias)
    tile_blocks, *format = packed
    return ops.call("packed_linear", x, tile_blocks, bias, *format)


def num_rows_alike() -> int:
    """How many rows the compiled products may be given at once so that each gets, to the last bit, what it gets
    alone."""
    return ALIKE.get(isa(), 32)


def portable(x: Tensor, weight: QuantizedTensor, bits: int, bias: Tensor | None) -> Tensor:
    """Through torch: a few rows of the matrix at a time are dequantized in the type of x and multiplied."""
    parts = []
    for begin, part in _parts(weight):
        some = None if bias is None else bias[begin : begin + ROWS]
        parts.append(F.linear(x, dequantize(part, bits, x.dtype), some))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _parts(tensor: QuantizedTensor) -> list[tuple[int, QuantizedTensor]]:
    """ROWS rows of the matrix at a time, with the number of the first."""
    weight, scale, zero = tensor
    return [
        (
            begin,
            QuantizedTensor(rows, scale[begin : begin + ROWS], None if zero is None else zero[begin : begin + ROWS]),
        )
        for begin, rows in zip(range(0, len(weight), ROWS), weight.split(ROWS), strict=True)
    ]


class _Differentiable(torch.autograd.Function):
    """Keeps the integers for the backward pass, not the dequantized matrix."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor, zero: Tensor | None, bits: int) -> Tensor:
        ctx.tensor, ctx.bits = QuantizedTensor(weight, scale, zero), bits
        return portable(x, ctx.tensor, bits, None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        parts = [
            gradient[..., begin : begin + ROWS] @ dequantize(part, ctx.bits, gradient.dtype)
            for begin, part in _parts(ctx.tensor)
        ]
        return sum(parts[1:], parts[0]), None, None, None, None
