"""Codes in the order the compiled kernels read them: sixteen rows are one stream (drawn in native/matrix.h).

    8 bits  uint8 [rows / 16, columns / 4, 16, 4]    code + 128
    4 bits  uint8 [rows / 16, columns / 8, 16, 4]    code + 8; a byte holds columns j (low half) and j + 4 of eight

Rows are padded to a multiple of 16, columns to one of 64. Scales and zeros are [rows / 16, groups, 16].
"""

import contextlib
import math
import mmap
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.kernels.codes import Codes, pack_nibbles
from glmkit.kernels.library import library

ROWS, COLUMNS = 16, 64
_PAGE = 1 << 21  # bytes of a large page


class Packed(NamedTuple):
    """A quantised matrix [rows, columns] for the compiled kernels; `group` is 0 where a scale serves a whole row."""

    codes: Tensor
    scale: Tensor
    zero: Tensor | None
    bits: int
    group: int
    rows: int
    columns: int


def pack(codes: Codes, bits: int) -> Packed:
    """The codes, in another order. The library must be there."""
    found = library()
    assert found is not None
    weight = codes.weight.contiguous()
    rows, columns = weight.shape[0], weight.shape[1] * 8 // bits
    padded = _up(columns, COLUMNS)
    shape = (_up(rows, ROWS) // ROWS, padded * bits // 32, ROWS, 4)
    order = paged(math.prod(shape)).view(shape)
    found.pack(weight.data_ptr(), bits, rows, columns, order.data_ptr(), torch.get_num_threads())
    group = 0 if codes.scale.ndim == 1 else columns // codes.scale.shape[1]
    groups = padded // group if group else 1
    zero = None if codes.zero is None else _tiles(codes.zero, groups)
    return Packed(order, _tiles(codes.scale, groups), zero, bits, group, rows, columns)


def unpack(packed: Packed) -> Codes:
    """What `pack` was given."""
    order = packed.codes.transpose(1, 2)  # [tiles, 16, .., 4]
    if packed.bits == 4:
        order = torch.stack((order & 15, order >> 4), dim=3)
    values = order.reshape(order.shape[0] * ROWS, -1)[: packed.rows, : packed.columns].view(torch.int8)
    weight = values ^ -128 if packed.bits == 8 else pack_nibbles(values - 8)
    groups = packed.columns // packed.group if packed.group else 1
    shape = (packed.rows, groups) if packed.group else (packed.rows,)
    scale, zero = (
        None if t is None else t.transpose(1, 2).reshape(-1, t.shape[1])[: packed.rows, :groups].reshape(shape)
        for t in (packed.scale, packed.zero)
    )
    assert scale is not None
    return Codes(weight.contiguous(), scale.contiguous(), zero)


def paged(size: int) -> Tensor:
    """uint8 [size] in memory of large pages where the system has them: reading on meets fewer look-ups of addresses."""
    if size < _PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(size, dtype=torch.uint8)
    memory = mmap.mmap(-1, size + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    begin = -whole.data_ptr() % _PAGE
    with contextlib.suppress(OSError):  # a system without them
        memory.madvise(mmap.MADV_HUGEPAGE, begin, size // _PAGE * _PAGE)
    return whole[begin : begin + size]


def _tiles(values: Tensor, groups: int) -> Tensor:
    """[rows] or [rows, groups] -> [rows / 16, groups, 16], padded with zeros."""
    rows = values.shape[0]
    values = values.view(rows, -1)
    padded = torch.zeros(_up(rows, ROWS), groups, dtype=values.dtype)
    padded[:rows, : values.shape[1]] = values
    return padded.view(-1, ROWS, groups).transpose(1, 2).contiguous()


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
