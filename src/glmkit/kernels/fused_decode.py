"""A token of each row through all blocks of a Transformer in one call of the compiled kernels.

One call for each small operation costs more than the operation: an eighth of a token in 4 bits, with what surrounds it
in Python.
`Linear` and `Block` lie in memory as in native/native.cpp.
"""

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.kernels.cache_rows import CacheRows, Rows
from glmkit.kernels.library import library
from glmkit.kernels.ops import activation_group_size
from glmkit.kernels.packed import Packed

_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64


class Linear(ctypes.Structure):
    _fields_ = (
        *(("data", _POINTER), ("bias", _POINTER)),
        *((name, _LONG) for name in ("rows", "columns", "group", "block", "bits", "zeros")),
    )

    @classmethod
    def of(cls, weight: Packed | Tensor, bias: Tensor | None) -> "Linear":
        """`weight` as tile blocks, or in bfloat16 (for one row of activations alone)."""
        at = None if bias is None else bias.data_ptr()
        if bias is not None and (bias.shape != (weight.shape[0] if isinstance(weight, Tensor) else weight.rows,)):
            raise ValueError(f"a bias of shape {[*bias.shape]} does not fit its layer")
        if isinstance(weight, Tensor):
            rows, columns = weight.shape
            return cls(data=weight.data_ptr(), bias=at, rows=rows, columns=columns, bits=16)
        return cls(
            data=weight.tile_blocks.data_ptr(),
            bias=at,
            rows=weight.rows,
            columns=weight.columns,
            group=weight.group,
            block=activation_group_size(weight.group),
            bits=weight.bits,
            zeros=weight.zeros,
        )


class Block(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("attention_norm", "mlp_norm")),
        *((name, Linear) for name in ("qkv", "out", "up", "down")),
        ("cache", Rows),
    )


class Sizes(NamedTuple):
    """Query heads, groups of keys and values, numbers of a head (a multiple of 16); what norms add to a mean square."""

    num_heads: int
    num_kv_heads: int
    head_dim: int
    epsilon: float


def fused_decode(blocks: list[Block], x: Tensor, cos: Tensor, sin: Tensor, rows: CacheRows, sizes: Sizes) -> Tensor:
    """x bfloat16 [N, D] through all blocks, each token behind those of its row; [N, D]. Its keys and values go there.

    cos and sin: float32 [N, pairs]. The caller holds the tensors that the blocks point to, norms of D numbers, and
    those of the rows, bfloat16. Raises ValueError for sizes that do not fit together.
    """
    kernels = library()
    assert kernels is not None
    _check(blocks, x, cos, sin, rows, sizes)
    for layer, block in enumerate(blocks):
        block.cache = rows.layer(layer)
    y = x.clone(memory_format=torch.contiguous_format)
    array = (Block * len(blocks))(*blocks)
    kernels.functions.fused_decode(
        blocks=ctypes.addressof(array),
        count=len(blocks),
        x=y.data_ptr(),
        m=len(x),
        cos=cos.data_ptr(),
        sin=sin.data_ptr(),
        pairs=cos.shape[-1],
        heads=sizes.num_heads,
        groups=sizes.num_kv_heads,
        size=sizes.head_dim,
        epsilon=sizes.epsilon,
        threads=torch.get_num_threads(),
    )
    return y


def _check(blocks: list[Block], x: Tensor, cos: Tensor, sin: Tensor, rows: CacheRows, sizes: Sizes) -> None:
    heads, groups, size, _ = sizes
    tokens, width = x.shape
    pairs = cos.shape[-1]
    if x.dtype != torch.bfloat16 or groups < 1 or heads % groups or size % 16:
        raise ValueError(f"x must be [N, D] in bfloat16 and {sizes} fit each other, got {[*x.shape]} in {x.dtype}")
    rows.check(tokens)
    if len(rows.keys) != len(blocks):
        raise ValueError(f"the cache must have {len(blocks)} layers, got {len(rows.keys)}")
    for table in (cos, sin):
        if (
            table.shape != (tokens, pairs)
            or table.dtype != torch.float32
            or not table.is_contiguous()
            or 2 * pairs > size
        ):
            raise ValueError(f"cos and sin must be [{tokens}, at most {size // 2}] in float32, got {[*table.shape]}")
    for number, block in enumerate(blocks):
        inner = block.down.columns
        wanted = (((heads + 2 * groups) * size, width), (width, heads * size), (2 * inner, width), (width, inner))
        shapes = tuple((part.rows, part.columns) for part in (block.qkv, block.out, block.up, block.down))
        if shapes != wanted:
            raise ValueError(f"layers of block {number} must be of sizes {wanted}, got {shapes}")
