"""One token of each row through all blocks at once, where the compiled kernels know every part of them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from glmkit.core.types import Cache
from glmkit.kernels import fused_decode as kernel
from glmkit.kernels import ops
from glmkit.kernels.packed import Packed
from glmkit.nn.attention import Attention, Rotation
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.linear import FusedRMSNorm, GemvLinear
from glmkit.nn.masks import SDPAMask
from glmkit.nn.mlp import MLP, swiglu
from glmkit.nn.positions import InterleavedRope
from glmkit.nn.quantized import QuantizedLinear


def fused_decode(
    blocks: Iterable[nn.Module], x: Tensor, visible: SDPAMask, cache: Cache | None, rotation: Rotation
) -> Tensor | None:
    """What x [B, 1, D] becomes in the blocks, as if they were called one after the other, to the rounding of attention.

    None where that is not possible: more tokens or hidden ones, gradients, adapters, hooks, another kind of part or
    number. The parts are looked at every time, since they may have been replaced since the last.
    """
    if (
        x.shape[1] != 1
        or visible != SDPAMask(None, False)
        or type(cache) is not KVCache
        or not isinstance(rotation, InterleavedRope)
        or rotation.cos.dtype != torch.float32
        or torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or not ops.has_fast_path(x)
    ):
        return None
    known = [_known(block, len(x)) for block in blocks]
    entries, sizes = [entry for entry, _ in known if entry is not None], {size for _, size in known}
    if len(entries) < len(known) or len(sizes) != 1:
        return None
    for layer, entry in enumerate(entries):
        keys, values = cache.room(layer, cache.length + 1)
        if not _holds(keys, len(x), sizes) or not _holds(values, len(x), sizes):
            return None
        entry.keys, entry.values, entry.capacity = keys.data_ptr(), values.data_ptr(), keys.shape[2]
    cos, sin = (table.expand(len(x), 1, 1, -1).flatten(0, 2).contiguous() for table in (rotation.cos, rotation.sin))
    return kernel.fused_decode(entries, x, cos, sin, cache.length, sizes.pop())


_UNKNOWN = None, kernel.Sizes(0, 0, 0, 0.0)


def _known(block: nn.Module, rows: int) -> tuple[kernel.Block | None, kernel.Sizes]:
    """The block as the kernels take it, but for keys and values; None where it has a part that they do not know."""
    if type(block) is not Block or type(block.attention) is not Attention or type(block.mlp) is not MLP:
        return _UNKNOWN
    attention, mlp, one, two = block.attention, block.mlp, block.attention_norm, block.mlp_norm
    if not isinstance(one, FusedRMSNorm) or not isinstance(two, FusedRMSNorm) or one.eps is None or one.eps != two.eps:
        return _UNKNOWN
    if one.weight.dtype != torch.bfloat16 or two.weight.dtype != torch.bfloat16 or one.weight.shape != two.weight.shape:
        return _UNKNOWN
    parts = [_linear(part, rows) for part in (attention.qkv, attention.out, mlp.up, mlp.down)]
    layers = [part for part in parts if part is not None]
    if (
        block.training
        or attention.head_dim % 16
        or mlp.activation is not swiglu
        or len(layers) < len(parts)
        or one.weight.numel() != layers[0].columns
        or _hooked(block, attention, mlp, one, two)
    ):
        return _UNKNOWN
    sizes = kernel.Sizes(attention.num_heads, attention.num_kv_heads, attention.head_dim, one.eps)
    return kernel.Block(one.weight.data_ptr(), two.weight.data_ptr(), *layers), sizes


def _holds(part: Tensor, rows: int, sizes: set[kernel.Sizes]) -> bool:
    """Whether keys or values lie as the kernels write them."""
    (size,) = sizes
    fits = part.shape[:2] == (rows, size.num_kv_heads) and part.shape[3] == size.head_dim
    return fits and part.dtype == torch.bfloat16 and part.is_contiguous()


def _linear(layer: nn.Module, rows: int) -> kernel.Linear | None:
    weight: Packed | Tensor | None = None
    bias: Tensor | None = None
    if type(layer) is QuantizedLinear:
        weight, bias = layer.packed, layer.bias
    elif type(layer) is GemvLinear and rows == 1 and _plain(layer.weight):
        weight, bias = layer.weight, layer.bias
    if weight is None or _hooked(layer) or (bias is not None and bias.dtype != torch.bfloat16):
        return None
    return kernel.Linear.of(weight, bias)


def _plain(weight: Tensor) -> bool:
    return weight.dtype == torch.bfloat16 and weight.is_contiguous()


def _hooked(*modules: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)
