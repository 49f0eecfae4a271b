"""The compiled kernels as torch operators, so that `torch.compile` and `torch.export` can see through them."""

from collections.abc import Callable

import torch
from torch import Tensor

from glmkit.kernels.library import library
from glmkit.kernels.packed import tile_block_shape
from glmkit.kernels.signatures import Functions

KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}

_operators = torch.library.Library("glmkit", "DEF")
_operators.define(
    "packed_linear(Tensor x, Tensor tile_blocks, Tensor? bias, bool zeros, int bits, int group, int rows, int columns)"
    " -> Tensor"
)
_operators.define("linear_fp16(Tensor x, Tensor weight, Tensor? bias) -> Tensor")
_operators.define("rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor")
_operators.define("swiglu(Tensor x) -> Tensor")
_operators.define("gelu(Tensor x, Tensor? gradients) -> Tensor")
_operators.define("apply_rope(Tensor heads, Tensor cos, Tensor sin) -> Tensor")


def activation_group_size(group: int) -> int:
    """Columns of an activation that share a scale: 64, but never more than share one of the weights (`group`, 0: all).

    It depends on the weights alone, so that how a row is rounded does not depend on the rows beside it (decision 8).
    """
    return min(64, group or 64)


# An operator is a door and a kernel. The door makes the tensor of the result and raises ValueError for arguments that
# do not fit together; a compiler asks it for shapes. The compiled code behind the kernel checks nothing.


def _packed_door(
    x: Tensor, tile_blocks: Tensor, bias: Tensor | None, zeros: bool, bits: int, group: int, rows: int, columns: int
) -> Tensor:
    wanted = tile_block_shape(rows, columns, bits, group, zeros)
    if x.dtype not in KINDS or x.ndim == 0 or x.shape[-1] != columns:
        raise misfit("x", x, f"[..., {columns}] in float32, bfloat16 or float16")
    if tile_blocks.dtype != torch.uint8 or tile_blocks.shape != wanted:
        raise misfit("tile_blocks", tile_blocks, f"{[*wanted]} in uint8")
    if bias is not None and bias.shape != (rows,):
        raise misfit("bias", bias, f"[{rows}]")
    return x.new_empty((*x.shape[:-1], rows))


def _packed_linear(
    x: Tensor, tile_blocks: Tensor, bias: Tensor | None, zeros: bool, bits: int, group: int, rows: int, columns: int
) -> Tensor:
    y = _packed_door(x, tile_blocks, bias, zeros, bits, group, rows, columns)
    if not y.numel() or not columns:
        return _of_nothing(y, bias)
    x, count = x.contiguous(), x.numel() // columns
    bias = None if bias is None else bias.to(x.dtype).contiguous()
    compiled().linear(
        tile_blocks=pointer(tile_blocks),
        zeros=zeros,
        bits=bits,
        rows=rows,
        columns=columns,
        group=group,
        block=activation_group_size(group),
        x=pointer(x),
        kind=KINDS[x.dtype],
        m=count,
        bias=None if bias is None else pointer(bias),
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


def _linear_fp16_door(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.dtype not in (torch.bfloat16, torch.float16) or weight.ndim != 2:
        raise misfit("weight", weight, "[rows, columns] in bfloat16 or float16")
    rows, columns = weight.shape
    if x.dtype != weight.dtype or x.ndim == 0 or x.shape[-1] != columns:
        raise misfit("x", x, f"[..., {columns}] in the weight's type")
    if bias is not None and (bias.shape != (rows,) or bias.dtype != weight.dtype):
        raise misfit("bias", bias, f"[{rows}] in the weight's type")
    return x.new_empty((*x.shape[:-1], rows))


def _linear_fp16(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = _linear_fp16_door(x, weight, bias)
    if not y.numel() or not x.numel():
        return _of_nothing(y, bias)
    x, weight = x.contiguous(), weight.contiguous()
    bias = None if bias is None else bias.contiguous()
    rows, columns = weight.shape
    compiled().linear_fp16(
        w=pointer(weight),
        kind=KINDS[weight.dtype],
        rows=rows,
        columns=columns,
        x=pointer(x),
        m=x.numel() // columns,
        bias=None if bias is None else pointer(bias),
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


def _norm_door(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    if x.dtype != torch.bfloat16 or x.ndim == 0:
        raise misfit("x", x, "[..., columns] in bfloat16")
    if weight.dtype != torch.bfloat16 or weight.shape != x.shape[-1:]:
        raise misfit("weight", weight, f"[{x.shape[-1]}] in bfloat16")
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    y = _norm_door(x, weight, epsilon)
    if not y.numel():
        return y
    x, weight, columns = x.contiguous(), weight.contiguous(), x.shape[-1]
    compiled().rms_norm(
        x=pointer(x),
        weight=pointer(weight),
        epsilon=epsilon,
        rows=x.numel() // columns,
        columns=columns,
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


def _swiglu_door(x: Tensor) -> Tensor:
    if x.dtype != torch.bfloat16 or x.ndim == 0 or x.shape[-1] % 2:
        raise misfit("x", x, "[..., an even number] in bfloat16")
    return x.new_empty((*x.shape[:-1], x.shape[-1] // 2))


def _swiglu(x: Tensor) -> Tensor:
    y = _swiglu_door(x)
    if not y.numel():
        return y
    x, inner = x.contiguous(), x.shape[-1] // 2
    compiled().swiglu(x=pointer(x), rows=y.numel() // inner, inner=inner, y=pointer(y), threads=torch.get_num_threads())
    return y


def _gelu_door(x: Tensor, gradients: Tensor | None) -> Tensor:
    if x.dtype != torch.bfloat16:
        raise misfit("x", x, "in bfloat16")
    if gradients is not None and (gradients.dtype != torch.bfloat16 or gradients.shape != x.shape):
        raise misfit("gradients", gradients, f"{[*x.shape]} in bfloat16")
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _gelu(x: Tensor, gradients: Tensor | None) -> Tensor:
    y = _gelu_door(x, gradients)
    x, gradients = x.contiguous(), None if gradients is None else gradients.contiguous()
    compiled().gelu(
        x=pointer(x),
        gradients=None if gradients is None else pointer(gradients),
        count=x.numel(),
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


def _apply_rope_door(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    if heads.dtype != torch.bfloat16 or heads.ndim != 4:
        raise misfit("heads", heads, "[B, H, T, head_dim] in bfloat16")
    rows, _, length, size = heads.shape
    for name, table in (("cos", cos), ("sin", sin)):
        fits = table.ndim == 4 and table.shape[0] in (1, rows) and table.shape[1] == 1 and table.shape[2] == length
        if table.dtype != torch.float32 or not fits or 2 * table.shape[3] > size or table.shape[3] != cos.shape[3]:
            raise misfit(name, table, f"[{rows}, 1, {length}, at most {size // 2}] in float32, cos and sin alike")
    return heads.new_empty(heads.transpose(1, 2).shape).transpose(1, 2)


def _apply_rope(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    y = _apply_rope_door(heads, cos, sin)
    if not y.numel():
        return y
    x = heads.transpose(1, 2)  # [B, T, H, head_dim], as projections leave them
    rows, length, count, size = x.shape
    apart = x.stride(1) if length > 1 else x.stride(0)  # the stride of a dimension of 1 may be anything
    if x.stride()[2:] != (size, 1) or x.stride(0) != length * apart:
        x, apart = x.contiguous(), count * size
    cos, sin = (table.expand(rows, 1, length, -1).contiguous() for table in (cos, sin))
    compiled().apply_rope(
        x=pointer(x),
        apart=apart,
        cos=pointer(cos),
        sin=pointer(sin),
        tokens=rows * length,
        heads=count,
        size=size,
        pairs=cos.shape[-1],
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


def misfit(name: str, tensor: Tensor, wanted: str) -> ValueError:
    return ValueError(f"{name} must be {wanted}, got {[*tensor.shape]} in {str(tensor.dtype).removeprefix('torch.')}")


def _of_nothing(y: Tensor, bias: Tensor | None) -> Tensor:
    """The product of no columns: zero, and the bias."""
    return y.zero_() if bias is None else y.copy_(bias.expand_as(y))


def pointer(tensor: Tensor) -> int:
    """Where the numbers of a tensor lie in this processor's memory."""
    if tensor.device.type != "cpu":
        raise ValueError(f"the compiled kernels compute on the CPU; a tensor is on {tensor.device}")
    return tensor.data_ptr()


def compiled() -> Functions:
    kernels = library()
    assert kernels is not None, "callers look first whether the compiled kernels are there"
    return kernels.functions


_KERNELS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "packed_linear": (_packed_linear, _packed_door),
    "linear_fp16": (_linear_fp16, _linear_fp16_door),
    "rms_norm": (_rms_norm, _norm_door),
    "swiglu": (_swiglu, _swiglu_door),
    "gelu": (_gelu, _gelu_door),
    "apply_rope": (_apply_rope, _apply_rope_door),
}
for _name, (_kernel, _door) in _KERNELS.items():
    _operators.impl(_name, _kernel, "CPU")
    torch.library.register_fake(f"glmkit::{_name}", _door, lib=_operators)


def call(name: str, x: Tensor, *others: object) -> Tensor:
    """The operator `name`. A plain tensor outside of a compiler goes to the kernel without torch's dispatcher, which
    costs more than a small kernel itself."""
    if type(x) is Tensor and not torch.compiler.is_compiling():
        return _KERNELS[name][0](x, *others)
    return getattr(torch.ops.glmkit, name).default(x, *others)


def has_fast_path(x: Tensor, *weights: Tensor) -> bool:
    """Whether x is what the small kernels are for: bfloat16 on the CPU, without gradients."""
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.numel() > 0
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights)))
        and library() is not None
    )
