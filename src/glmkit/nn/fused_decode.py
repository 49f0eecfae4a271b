"""One token of each row through all blocks at once, where the compiled kernels know every part of them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from glmkit.core.types import Cache
from glmkit.kernels import fused_decode as kernel
from glmkit.kernels import ops
from glmkit.kernels.cache_rows import RowKind
from glmkit.kernels.linear import FEW_ROWS
from glmkit.kernels.packed import Packed
from glmkit.nn.attention import Attention, Rotation
from glmkit.nn.block import Block
from glmkit.nn.cache import KVCache
from glmkit.nn.linear import FewRowsLinear, FusedRMSNorm
from glmkit.nn.masks import SDPAMask
from glmkit.nn.mlp import MLP, swiglu
from glmkit.nn.positions import InterleavedRope
from glmkit.nn.quantized import QuantizedLinear
from glmkit.nn.ragged import RaggedCache


def fused_decode(
    blocks: Iterable[nn.Module], x: Tensor, visible: SDPAMask, cache: Cache | None, rotation: Rotation
) -> Tensor | None:
    """What x becomes in the blocks, as if they were called one after the other, to the rounding of attention: [B, 1, D]
    of rows as long as each other, or [1, N, D] of a ragged cache.

    None where that is not possible: more tokens or hidden ones, gradients, adapters, hooks, another kind of part or
    number. The parts are looked at every time, since they may have been replaced since the last.
    """
    if (
        not isinstance(rotation, InterleavedRope)
        or rotation.cos.dtype != torch.float32
        or torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or not ops.has_fast_path(x)
    ):
        return None
    rows = None
    if isinstance(cache, RaggedCache):
        rows = None if cache.prompts else cache.few
    elif type(cache) is KVCache and x.shape[1] == 1 and visible == SDPAMask(None, False):
        rows = cache.rows()
    if rows is None:
        return None
    tokens = x.shape[0] * x.shape[1]
    known = [_known(block, tokens) for block in blocks]
    entries, sizes = [entry for entry, _ in known if entry is not None], {size for _, size in known}
    if len(entries) < len(known) or len(sizes) != 1:
        return None
    (size,) = sizes
    if rows.kind != RowKind(torch.bfloat16, size.num_kv_heads, size.head_dim):
        return None
    tables = (table.expand(x.shape[0], 1, x.shape[1], -1) for table in (rotation.cos, rotation.sin))
    cos, sin = (table.flatten(0, 2).contiguous() for table in tables)
    return kernel.fused_decode(entries, x.flatten(0, 1), cos, sin, rows, size).view_as(x)


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


def _linear(layer: nn.Module, rows: int) -> kernel.Linear | None:
    weight: Packed | Tensor | None = None
    bias: Tensor | None = None
    if type(layer) is QuantizedLinear:
        weight, bias = layer.packed, layer.bias
    elif type(layer) is FewRowsLinear and rows <= FEW_ROWS and _plain(layer.weight):
        weight, bias = layer.weight, layer.bias
    if weight is None or _hooked(layer) or (bias is not None and bias.dtype != torch.bfloat16):
        return None
    return kernel.Linear.of(weight, bias)


def _plain(weight: Tensor) -> bool:
    return weight.dtype == torch.bfloat16 and weight.is_contiguous()


def _hooked(*modules: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)
