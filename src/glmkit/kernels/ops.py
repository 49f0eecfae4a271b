"""The compiled kernels as torch operators, so that `torch.compile` and `torch.export` can see through them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glmkit.kernels.library import library

KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}

_operators = torch.library.Library("glmkit", "DEF")
_operators.define(
    "packed_linear(Tensor x, Tensor records, Tensor? bias, bool zeros, int bits, int group, int rows) -> Tensor"
)
_operators.define("half_vector(Tensor x, Tensor weight, Tensor? bias) -> Tensor")
_operators.define("rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor")
_operators.define("swiglu(Tensor x) -> Tensor")
_operators.define("turn(Tensor heads, Tensor cos, Tensor sin) -> Tensor")


def block_of(rows: int, group: int, columns: int) -> int:
    """Columns of an activation that share a scale: 32 for a few rows, 64, then 128 for more, never more than a group
    has."""
    most = 32 if rows <= 5 else 64 if rows <= 32 else 128
    return min(most, group or (128 if -(-columns // 64) % 2 == 0 else 64))


def _packed_linear(
    x: Tensor, records: Tensor, bias: Tensor | None, zeros: bool, bits: int, group: int, rows: int
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
        records.data_ptr(),
        zeros,
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


def _rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    found = library()
    assert found is not None
    x = x.contiguous()
    y, columns = torch.empty_like(x), x.shape[-1]
    found.rms_norm(
        x.data_ptr(), weight.data_ptr(), epsilon, x.numel() // columns, columns, y.data_ptr(), torch.get_num_threads()
    )
    return y


def _swiglu(x: Tensor) -> Tensor:
    found = library()
    assert found is not None
    x = x.contiguous()
    inner = x.shape[-1] // 2
    y = x.new_empty((*x.shape[:-1], inner))
    found.swiglu(x.data_ptr(), y.numel() // inner, inner, y.data_ptr(), torch.get_num_threads())
    return y


def _turn(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    found = library()
    assert found is not None
    x = heads.transpose(1, 2)  # [B, T, H, head_dim], as projections leave them
    rows, length, count, size = x.shape
    if x.stride()[2:] != (size, 1) or x.stride(0) != length * x.stride(1):
        x = x.contiguous()
    cos, sin = (table.expand(rows, 1, length, -1).contiguous() for table in (cos, sin))
    y = x.new_empty(x.shape)
    found.turn(
        x.data_ptr(),
        x.stride(1),
        cos.data_ptr(),
        sin.data_ptr(),
        rows * length,
        count,
        size,
        cos.shape[-1],
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return y.transpose(1, 2)


def _packed_shape(
    x: Tensor, records: Tensor, bias: Tensor | None, zeros: bool, bits: int, group: int, rows: int
) -> Tensor:
    return x.new_empty((*x.shape[:-1], rows))


def _half_shape(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


def _norm_shape(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return torch.empty_like(x)


def _swiglu_shape(x: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], x.shape[-1] // 2))


def _turn_shape(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return heads.new_empty(heads.transpose(1, 2).shape).transpose(1, 2)


_KERNELS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "packed_linear": (_packed_linear, _packed_shape),
    "half_vector": (_half_vector, _half_shape),
    "rms_norm": (_rms_norm, _norm_shape),
    "swiglu": (_swiglu, _swiglu_shape),
    "turn": (_turn, _turn_shape),
}
for _name, (_kernel, _shape) in _KERNELS.items():
    _operators.impl(_name, _kernel, "CPU")
    torch.library.register_fake(f"glmkit::{_name}", _shape, lib=_operators)


def call(name: str, x: Tensor, *others: Any) -> Tensor:
    """The operator `name`. A plain tensor outside of a compiler goes to the kernel without torch's dispatcher, which
    costs more than a small kernel itself."""
    if type(x) is Tensor and not torch.compiler.is_compiling():
        return _KERNELS[name][0](x, *others)
    return getattr(torch.ops.glmkit, name).default(x, *others)


def streamed(x: Tensor, *weights: Tensor) -> bool:
    """Whether x is what the small kernels are for: bfloat16 on the CPU, without gradients."""
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.numel() > 0
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights)))
        and library() is not None
    )
