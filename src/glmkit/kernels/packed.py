"""Codes in the order the compiled kernels read them: sixteen rows are a tile, one stream (native/matrix.h).

    uint8 [rows / 16, groups, bytes]    a record for each group of each tile:

    | codes                               | scales       | zeros, if any |
    | 8 bits: [columns / 4, 16, 4]        | float16 [16] | int8 [16]     |    code + 128
    | 4 bits: [columns / 8, 16, 4]        |              |               |    code + 8; j (low half) and j + 4 of eight

Rows are padded to a multiple of 16, columns to one of 64. Where a scale serves a whole row it is one group.
"""

import contextlib
import math
import mmap
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.kernels.codes import BITS, GROUPS, Codes, Form, pack_nibbles, quantise
from glmkit.kernels.library import library

ROWS, COLUMNS = 16, 64
_PAGE = 1 << 21  # bytes of a large page


class Packed(NamedTuple):
    """A quantised matrix [rows, columns] for the compiled kernels; `group` is 0 where a scale serves a whole row."""

    records: Tensor
    zeros: bool
    bits: int
    group: int
    rows: int
    columns: int


def record_shape(rows: int, columns: int, bits: int, group: int, zeros: bool) -> tuple[int, int, int]:
    """What `Packed.records` is. Raises ValueError for a form that the kernels do not know."""
    if bits not in BITS or group not in (0, *GROUPS) or rows < 0 or columns < 0 or (columns % group if group else 0):
        raise ValueError(f"no records of {rows} rows and {columns} columns in {bits} bits, groups of {group}")
    padded = _up(columns, COLUMNS)
    size = group or padded
    return _up(rows, ROWS) // ROWS, padded // size if size else 0, size * 2 * bits + (48 if zeros else 32)


def pack(codes: Codes, bits: int) -> Packed:
    """The codes, in another order. The library must be there. Raises ValueError for codes of no form."""
    found = library()
    assert found is not None
    _check(codes, bits)
    weight, scale = codes.weight.contiguous(), codes.scale.contiguous()
    zero = None if codes.zero is None else codes.zero.contiguous()
    rows, columns = weight.shape[0], weight.shape[1] * 8 // bits
    group = 0 if scale.ndim == 1 else columns // max(1, scale.shape[1])
    shape = record_shape(rows, columns, bits, group, zero is not None)
    records = paged(math.prod(shape)).view(shape)
    if not records.numel():
        return Packed(records, zero is not None, bits, group, rows, columns)
    found.functions.pack(
        codes=weight.data_ptr(),
        scales=scale.data_ptr(),
        zeros=None if zero is None else zero.data_ptr(),
        bits=bits,
        rows=rows,
        columns=columns,
        group=group,
        to=records.data_ptr(),
        threads=torch.get_num_threads(),
    )
    return Packed(records, zero is not None, bits, group, rows, columns)


def _check(codes: Codes, bits: int) -> None:
    weight, scale, zero = codes
    if bits not in BITS or weight.dtype != torch.int8 or weight.ndim != 2:
        raise ValueError(f"codes of {bits} bits are {weight.dtype} {[*weight.shape]}, not int8 [rows, columns]")
    columns = weight.shape[1] * 8 // bits
    grouped = scale.ndim == 2 and (scale.shape[1] * (columns // max(1, scale.shape[1])) == columns)
    if scale.dtype != torch.float16 or scale.shape[:1] != weight.shape[:1] or not (scale.ndim == 1 or grouped):
        raise ValueError(f"scales of {[*weight.shape]} codes are {scale.dtype} {[*scale.shape]}, not float16 a group")
    if zero is not None and (zero.dtype != torch.int8 or zero.shape != scale.shape):
        raise ValueError(f"zeros are {zero.dtype} {[*zero.shape]}, not int8 as the scales {[*scale.shape]}")
    if any(part is not None and part.device.type != "cpu" for part in codes):
        raise ValueError("codes are packed on the CPU")


def unpack(packed: Packed) -> Codes:
    """What `pack` was given."""
    records, bits = packed.records, packed.bits
    if not records.numel():
        form = Form(bits=bits, group=packed.group or None, asymmetric=packed.zeros)
        return quantise(torch.empty(packed.rows, packed.columns), form)
    tiles, padded_groups, size = records.shape
    end = size - (48 if packed.zeros else 32)
    order = records[..., :end].reshape(tiles, -1, ROWS, 4).transpose(1, 2)  # [tiles, 16, .., 4]
    if bits == 4:
        order = torch.stack((order & 15, order >> 4), dim=3)
    values = order.reshape(tiles * ROWS, -1)[: packed.rows, : packed.columns].view(torch.int8)
    weight = values ^ -128 if bits == 8 else pack_nibbles(values - 8)
    groups = packed.columns // packed.group if packed.group else 1
    shape = (packed.rows, groups) if packed.group else (packed.rows,)

    def by_rows(part: Tensor) -> Tensor:  # [tiles, groups, 16] -> [rows, groups]
        return part.transpose(1, 2).reshape(-1, padded_groups)[: packed.rows, :groups].reshape(shape).contiguous()

    scale = records[..., end : end + 32].contiguous().view(torch.float16)
    zero = by_rows(records[..., end + 32 :].contiguous().view(torch.int8)) if packed.zeros else None
    return Codes(weight.contiguous(), by_rows(scale), zero)


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


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
