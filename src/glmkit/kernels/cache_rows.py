"""Rows of a key-value cache, each at its own length, as the compiled kernels write and read them.

Tokens of several rows are read together; each goes behind what its row holds, and attends to that and itself. Several
tokens of one row go behind each other:

    rows       a b c|   k l|           tokens   d m n        of rows  0 1 1
    lengths      3       2                                   lengths  3 2 3
"""

import ctypes
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.kernels.library import library
from glmkit.kernels.ops import KINDS


class Rows(ctypes.Structure):
    """The rows of one layer, as in native/native.cpp; whoever makes one holds what it points to."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("keys", "values", "capacities", "lengths"))


class RowKind(NamedTuple):
    """What rows are of: the type of their numbers, groups of keys and values, numbers of a head."""

    dtype: torch.dtype
    groups: int
    head_dim: int


class CacheRows(NamedTuple):
    """For each of N tokens and L layers the addresses of its row's keys and values [groups, capacity, head_dim] and
    their capacity, all [L, N]; how many tokens stand before it in its row, [N]. Contiguous."""

    keys: NDArray[np.int64]
    values: NDArray[np.int64]
    capacities: NDArray[np.int64]
    lengths: NDArray[np.int64]
    kind: RowKind

    def layer(self, number: int) -> Rows:
        tables = (self.keys[number], self.values[number], self.capacities[number], self.lengths)
        return Rows(*(table.ctypes.data for table in tables))

    def check(self, tokens: int) -> None:
        """Raises ValueError where they are not of so many tokens, or some have no room."""
        for table in (self.keys, self.values, self.capacities):
            if table.shape != (len(self.keys), tokens) or not table.flags.c_contiguous or table.dtype != np.int64:
                raise ValueError(f"rows of a cache must be [layers, {tokens}] in int64, got {table.shape}")
        if self.lengths.shape != (tokens,) or self.lengths.dtype != np.int64:
            raise ValueError(f"lengths of rows must be [{tokens}] in int64, got {self.lengths.shape}")
        if not ((self.lengths >= 0) & (self.lengths < self.capacities)).all():
            raise ValueError("a row of the cache has no room for its next token")


def attend_rows(q: Tensor, k: Tensor, v: Tensor, rows: CacheRows, layer: int) -> Tensor:
    """Writes keys and values [N, groups, head_dim] of N tokens into their rows of a layer, and attends from queries
    [N, heads, head_dim] to those of each token's row up to itself; [N, heads, head_dim].

    float32 or bfloat16, which the rows are in too; head_dim is a multiple of 16. Raises ValueError for others.
    """
    kernels = library()
    assert kernels is not None
    tokens, heads, size = q.shape
    groups = k.shape[1]
    rows.check(tokens)
    if q.dtype not in (torch.float32, torch.bfloat16) or size % 16 or groups < 1 or heads % groups:
        raise ValueError(f"queries must be [N, heads, a multiple of 16] in float32 or bfloat16, got {[*q.shape]}")
    if rows.kind != RowKind(q.dtype, groups, size) or not 0 <= layer < len(rows.keys):
        raise ValueError(f"layer {layer} of rows of {rows.kind} does not fit keys {[*k.shape]} in {k.dtype}")
    for one in (k, v):
        if one.shape != (tokens, groups, size) or one.dtype != q.dtype:
            raise ValueError(f"keys and values must be {[tokens, groups, size]} in {q.dtype}, got {[*one.shape]}")
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    y = torch.empty_like(q)
    place = rows.layer(layer)
    kernels.functions.attend_rows(
        kind=KINDS[q.dtype],
        rows=ctypes.addressof(place),
        tokens=tokens,
        q=q.data_ptr(),
        k=k.data_ptr(),
        v=v.data_ptr(),
        heads=heads,
        groups=groups,
        size=size,
        y=y.data_ptr(),
        threads=torch.get_num_threads(),
    )
    return y
