"""One token of each row through all blocks at once, where the compiled kernels know every part of them."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from glmkit.core.types import AttentionMask, Cache
from glmkit.kernels import fused_decode as kernel
from glmkit.kernels import ops
from glmkit.kernels.cache_rows import CacheRows, RowKind
from glmkit.kernels.fused_decode import Addition, BlockSizes, FusedBlock, HeadRotation, Product
from glmkit.kernels.linear import few_rows
from glmkit.kernels.packed import Packed
from glmkit.nn.attention import Attention, Rotation, no_rope
from glmkit.nn.cache import KVCache
from glmkit.nn.linear import FewRowsLinear, FusedRMSNorm, JoinedLinear
from glmkit.nn.lora import AdaptedLayer, LowRank, Rows
from glmkit.nn.mlp import MLP, gelu_tanh, relu2, swiglu
from glmkit.nn.positions import InterleavedRope, NormedRotation, Rope2D
from glmkit.nn.prefix import PrefixedCache
from glmkit.nn.quantized import QuantizedLinear
from glmkit.nn.ragged import RaggedCache

_ACTIVATIONS: dict[object, str] = {swiglu: "swiglu", gelu_tanh: "gelu", relu2: "relu2"}
Norm = tuple[Tensor | None, Tensor | None]  # weight and bias


def fused_decode(
    blocks: Iterable[nn.Module], x: Tensor, mask: AttentionMask, cache: Cache | None, rotation: Rotation
) -> Tensor | None:
    """What x becomes in the blocks, as if they were called one after the other, to the rounding of attention: [B, 1, D]
    of rows as long as each other, or [1, N, D] of a ragged cache.

    None where that is not possible: more tokens or hidden ones, gradients, hooks, another kind of part or number. The
    parts are looked at every time, since they may have been replaced since the last.
    """
    if (
        torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or not ops.has_fast_path(x)
    ):
        return None
    rows, tables = _rows(x, mask, cache), _head_rotation(rotation, x)
    if rows is None or tables is None:
        return None
    fused, sizes = [], set()
    for block in blocks:
        known = _known(block, x.shape[0] * x.shape[1])
        if known is None:
            return None
        fused.append(known[0])
        sizes.add(known[1])
    if len(sizes) != 1:
        return None
    (size,) = sizes
    if rows.kind != RowKind(torch.bfloat16, size.num_kv_heads, size.head_dim):
        return None
    return kernel.fused_decode(fused, x.flatten(0, 1), tables, rows, size).view_as(x)


def _rows(x: Tensor, mask: AttentionMask, cache: Cache | None) -> CacheRows | None:
    """Where the tokens go, if each sees all that its row holds."""
    if isinstance(cache, RaggedCache):
        return None if cache.prompts else cache.few
    if isinstance(cache, PrefixedCache):
        cache = cache.cache
    if type(cache) is not KVCache or x.shape[1] != 1 or mask.segments is not None or mask.begin.any():
        return None
    return cache.rows()


def _head_rotation(rotation: Rotation, x: Tensor) -> HeadRotation | None:
    """What happens to queries and keys, as the kernels take it."""
    if rotation is no_rope:
        nothing = torch.empty(x.shape[0] * x.shape[1], 0)
        return HeadRotation(kind="none", cos=nothing, sin=nothing)
    norm, epsilon = "none", 0.0
    if isinstance(rotation, NormedRotation):
        norm, epsilon, rotation = rotation.kind, rotation.epsilon, rotation.rotation
    if not isinstance(rotation, InterleavedRope | Rope2D) or rotation.cos.dtype != torch.float32:
        return None
    kind = "interleaved" if isinstance(rotation, InterleavedRope) else "2d"
    tables = (
        table.flatten(3).expand(x.shape[0], 1, x.shape[1], -1).flatten(0, 2).contiguous()
        for table in (rotation.cos, rotation.sin)
    )
    cos, sin = tables
    return HeadRotation(kind=kind, cos=cos, sin=sin, norm=norm, epsilon=epsilon)


def _known(block: nn.Module, tokens: int) -> tuple[FusedBlock, BlockSizes] | None:
    """The block as the kernels take it; None where it has a part that they do not know."""
    alpha = vars(type(block)).get("residual_alpha")
    attention, mlp = getattr(block, "attention", None), getattr(block, "mlp", None)
    if alpha is None or block.training or type(attention) is not Attention or type(mlp) is not MLP:
        return None
    norms = [_norm(block.get_submodule(name)) for name in ("attention_norm", "mlp_norm")]
    products = [_products(part, tokens) for part in (attention.qkv, attention.out, mlp.up, mlp.down)]
    one, two = norms
    activation = _ACTIVATIONS.get(mlp.activation)
    if one is None or two is None or one[1:] != two[1:] or activation is None or attention.head_dim % 16:
        return None
    qkv, out, up, down = products
    if not (qkv and out and up and down) or _hooked(block, attention, mlp):
        return None
    fused = FusedBlock(attention_norm=one[0], qkv=qkv, out=out[0], mlp_norm=two[0], up=up, down=down[0])
    sizes = BlockSizes(
        num_heads=attention.num_heads,
        num_kv_heads=attention.num_kv_heads,
        head_dim=attention.head_dim,
        norm=one[1],
        epsilon=one[2],
        activation=activation,
        alpha=alpha,
    )
    return fused, sizes


def _norm(norm: nn.Module) -> tuple[Norm, str, float] | None:
    """Weight and bias of a norm, its kind and its epsilon."""
    if _hooked(norm) or not isinstance(norm, nn.LayerNorm | nn.RMSNorm) or norm.eps is None:
        return None
    weightless = type(norm) is nn.RMSNorm and norm.weight is None
    if not weightless and type(norm) not in (FusedRMSNorm, nn.LayerNorm):
        return None
    parts = (norm.weight, getattr(norm, "bias", None))
    if any(part is not None and part.dtype != torch.bfloat16 for part in parts):
        return None
    return parts, "layer" if isinstance(norm, nn.LayerNorm) else "rms", norm.eps


def _products(layer: nn.Module, tokens: int) -> Sequence[Product]:
    """The layers that stand side by side in one; none where one of them is not known."""
    parts = list(layer.children()) if type(layer) is JoinedLinear else [layer]
    products = [product for part in parts if (product := _product(part, tokens)) is not None]
    return [] if _hooked(layer) or len(products) < len(parts) else products


def _product(layer: nn.Module, tokens: int) -> Product | None:
    if type(layer) is AdaptedLayer:
        base, added = _product(layer.base, tokens), [_addition(*part, tokens) for part in layer.parts]
        if base is None or not all(added) or _hooked(layer):
            return None
        return Product(weight=base.weight, bias=base.bias, added=[one for one in added if one is not None])
    weight: Packed | Tensor | None = None
    bias: Tensor | None = None
    if type(layer) is QuantizedLinear:
        weight, bias = layer.packed, layer.bias
    elif type(layer) is FewRowsLinear and tokens <= few_rows(layer.weight) and layer.weight.dtype == torch.bfloat16:
        weight, bias = layer.weight, layer.bias
    if weight is None or _hooked(layer) or (bias is not None and bias.dtype != torch.bfloat16):
        return None
    return Product(weight=weight, bias=bias)


def _addition(one: LowRank, rows: Rows, tokens: int) -> Addition | None:
    if one.gain is not None or one.a.dtype != torch.float32 or not one.a.is_contiguous():
        return None
    indices = np.arange(*rows.indices(tokens)) if isinstance(rows, slice) else rows.numpy()
    return Addition(a=one.a, b=one.b_by_rank, bias=one.bias, scale=one.scale, rows=indices)


def _hooked(*modules: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)
