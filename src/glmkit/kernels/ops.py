"""The compiled kernels as torch operators, so that `torch.compile` and `torch.export` can see through them."""

import torch
from torch import Tensor

from glmkit.kernels.library import library

KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
FEW = 8  # rows up to which a kernel reads the weights as a stream: those are small enough to quantise finely

_operators = torch.library.Library("glmkit", "DEF")
_operators.define(
    "packed_linear(Tensor x, Tensor codes, Tensor scale, Tensor? zero, Tensor? bias, int bits, int group, int rows)"
    " -> Tensor"
)
_operators.define("half_vector(Tensor x, Tensor weight, Tensor? bias) -> Tensor")


def block_of(rows: int, group: int, columns: int) -> int:
    """Columns of an activation that share a scale: 32 for a few rows, 128 for many, never more than a group has."""
    most = 32 if rows <= FEW else 128
    return min(most, group or (128 if -(-columns // 64) % 2 == 0 else 64))


def _packed_linear(
    x: Tensor, codes: Tensor, scale: Tensor, zero: Tensor | None, bias: Tensor | None, bits: int, group: int, rows: int
) -> Tensor:
    found = library()
    assert found is not None
    x = x.contiguous()
    columns = x.shape[-1]
    count = x.numel() // columns if columns else 0
    y = x.new_empty((*x.shape[:-1], rows))
    if bias is not None and bias.dtype != x.dtype:
        bias = bias.to(x.dtype)
    found.linear(
        codes.data_ptr(),
        scale.data_ptr(),
        None if zero is None else zero.data_ptr(),
        bits,
        rows,
        columns,
        group,
        block_of(count, group, columns),
        x.data_ptr(),
        KINDS[x.dtype],
        count,
        None if bias is None else bias.data_ptr(),
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return y


def _half_vector(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found = library()
    assert found is not None
    x = x.contiguous()
    y = x.new_empty((*x.shape[:-1], weight.shape[0]))
    found.half_vector(
        weight.data_ptr(),
        KINDS[weight.dtype],
        weight.shape[0],
        weight.shape[1],
        x.data_ptr(),
        None if bias is None else bias.data_ptr(),
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return y


_operators.impl("packed_linear", _packed_linear, "CPU")
_operators.impl("half_vector", _half_vector, "CPU")


def _packed_shape(
    x: Tensor, codes: Tensor, scale: Tensor, zero: Tensor | None, bias: Tensor | None, bits: int, group: int, rows: int
) -> Tensor:
    return x.new_empty((*x.shape[:-1], rows))


def _half_shape(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


torch.library.register_fake("glmkit::packed_linear", _packed_shape, lib=_operators)
torch.library.register_fake("glmkit::half_vector", _half_shape, lib=_operators)
packed_linear = torch.ops.glmkit.packed_linear.default
half_vector = torch.ops.glmkit.half_vector.default
