"""A token of each row through all blocks of a Transformer in one call of the compiled kernels.

One call for each small operation costs more than the operation: an eighth of a token in 4 bits, with what surrounds it
in Python.
`Linear` and `Block` lie in memory as in native/native.cpp.
"""

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.kernels.library import library
from glmkit.kernels.ops import block_of
from glmkit.kernels.packed import Packed

_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64


class Linear(ctypes.Structure):
    _fields_ = (
        *(("data", _POINTER), ("bias", _POINTER)),
        *((name, _LONG) for name in ("rows", "columns", "group", "block", "bits", "zeros")),
    )

    @classmethod
    def of(cls, weight: Packed | Tensor, bias: Tensor | None, rows: int) -> "Linear":
        """`weight` for `rows` rows of activations: packed codes, or bfloat16 numbers (for one row alone)."""
        at = None if bias is None else bias.data_ptr()
        if isinstance(weight, Tensor):
            return cls(weight.data_ptr(), at, *weight.shape, 0, 0, 16, 0)
        block = block_of(rows, weight.group, weight.columns)
        sizes = weight.rows, weight.columns, weight.group, block, weight.bits, weight.zeros
        return cls(weight.records.data_ptr(), at, *sizes)


class Block(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("attention_norm", "mlp_norm")),
        *((name, Linear) for name in ("qkv", "out", "up", "down")),
        *((name, _POINTER) for name in ("keys", "values")),
        ("capacity", _LONG),
    )


class Sizes(NamedTuple):
    """Query heads, groups of keys and values, numbers of a head (a multiple of 16); what norms add to a mean square."""

    num_heads: int
    num_groups: int
    head_dim: int
    epsilon: float


def step(blocks: list[Block], x: Tensor, cos: Tensor, sin: Tensor, length: int, sizes: Sizes) -> Tensor:
    """x bfloat16 [B, 1, D] through all blocks, behind `length` tokens; [B, 1, D]. Keys and values are written down.

    cos and sin: float32 [B, pairs]. The caller holds the tensors that the blocks point to.
    """
    found = library()
    assert found is not None
    y = x.clone(memory_format=torch.contiguous_format)
    array = (Block * len(blocks))(*blocks)
    found.step(
        array,
        len(blocks),
        y.data_ptr(),
        len(x),
        cos.data_ptr(),
        sin.data_ptr(),
        cos.shape[-1],
        length,
        *sizes,
        torch.get_num_threads(),
    )
    return y
