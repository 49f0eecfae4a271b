"""Quantized matrices in tile blocks, as the compiled kernels read them (native/matrix.h): 16 rows are a tile.

    uint8 [rows / 16, groups, bytes]    a tile block for each group of each tile:

    | integers                            | scales       | zeros, if any |
    | 8 bits: [columns / 4, 16, 4]        | float16 [16] | int8 [16]     |    integer + 128
    | 4 bits: [columns / 8, 16, 4]        |              |               |    integer + 8; j (low half), j + 4 of 8

Rows are padded to a multiple of 16, columns to one of 64. Where a scale serves a whole row it is one group.
"""

import contextlib
import math
import mmap
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.kernels.library import library
from glmkit.kernels.quantized import BITS, GROUPS, QuantFormat, QuantizedTensor, pack_nibbles, quantize

ROWS, COLUMNS = 16, 64
_PAGE = 1 << 21  # bytes of a large page


class Packed(NamedTuple):
    """A quantized matrix [rows, columns] for the compiled kernels; `group` is 0 where a scale serves a whole row."""

    tile_blocks: Tensor
    zeros: bool
    bits: int
    group: int
    rows: int
    columns: int


def tile_block_shape(rows: int, columns: int, bits: int, group: int, zeros: bool) -> tuple[int, int, int]:
    """The shape of `Packed.tile_blocks`. Raises ValueError for a format that the kernels do not know."""
    if bits not in BITS or group not in (0, *GROUPS) or rows < 0 or columns < 0 or (columns % group if group else 0):
        raise ValueError(f"no tile blocks of {rows} rows and {columns} columns in {bits} bits, groups of {group}")
    padded = _up(columns, COLUMNS)
    size = group or padded
    return _up(rows, ROWS) // ROWS, padded // size if size else 0, size * 2 * bits + (48 if zeros else 32)


def pack(tensor: QuantizedTensor, bits: int) -> Packed:
    """The quantized matrix in tile blocks. The library must be there. Raises ValueError for a matrix of no format."""
    kernels = library()
    assert kernels is not None
    _check(tensor, bits)
    weight, scale = tensor.weight.contiguous(), tensor.scale.contiguous()
    zero = None if tensor.zero is None else tensor.zero.contiguous()
    rows, columns = weight.shape[0], weight.shape[1] * 8 // bits
    group = 0 if scale.ndim == 1 else columns // max(1, scale.shape[1])
    shape = tile_block_shape(rows, columns, bits, group, zero is not None)
    tile_blocks = paged(math.prod(shape)).view(shape)
    if not tile_blocks.numel():
        return Packed(tile_blocks, zero is not None, bits, group, rows, columns)
    kernels.functions.pack(
        integers=weight.data_ptr(),
        scales=scale.data_ptr(),
        zeros=None if zero is None else zero.data_ptr(),
        bits=bits,
        rows=rows,
        columns=columns,
        group=group,
        to=tile_blocks.data_ptr(),
        threads=torch.get_num_threads(),
    )
    return Packed(tile_blocks, zero is not None, bits, group, rows, columns)


def _check(tensor: QuantizedTensor, bits: int) -> None:
    weight, scale, zero = tensor
    if bits not in BITS or weight.dtype != torch.int8 or weight.ndim != 2:
        raise ValueError(f"weights of {bits} bits are {weight.dtype} {[*weight.shape]}, not int8 [rows, columns]")
    columns = weight.shape[1] * 8 // bits
    grouped = scale.ndim == 2 and (scale.shape[1] * (columns // max(1, scale.shape[1])) == columns)
    if scale.dtype != torch.float16 or scale.shape[:1] != weight.shape[:1] or not (scale.ndim == 1 or grouped):
        raise ValueError(f"scales of {[*weight.shape]} weights are {scale.dtype} {[*scale.shape]}, not float16 a group")
    if zero is not None and (zero.dtype != torch.int8 or zero.shape != scale.shape):
        raise ValueError(f"zeros are {zero.dtype} {[*zero.shape]}, not int8 as the scales {[*scale.shape]}")
    if any(part is not None and part.device.type != "cpu" for part in tensor):
        raise ValueError("matrices are packed on the CPU")


def unpack(packed: Packed) -> QuantizedTensor:
    """The matrix in row-major order, as `pack` was given it."""
    blocks, bits = packed.tile_blocks, packed.bits
    if not blocks.numel():
        format = QuantFormat(bits=bits, group=packed.group or None, asymmetric=packed.zeros)
        return quantize(torch.empty(packed.rows, packed.columns), format)
    tiles, padded_groups, size = blocks.shape
    end = size - (48 if packed.zeros else 32)
    order = blocks[..., :end].reshape(tiles, -1, ROWS, 4).transpose(1, 2)  # [tiles, 16, .., 4]
    if bits == 4:
        order = torch.stack((order & 15, order >> 4), dim=3)
    values = order.reshape(tiles * ROWS, -1)[: packed.rows, : packed.columns].view(torch.int8)
    weight = values ^ -128 if bits == 8 else pack_nibbles(values - 8)
    groups = packed.columns // packed.group if packed.group else 1
    shape = (packed.rows, groups) if packed.group else (packed.rows,)

    def row_major(part: Tensor) -> Tensor:  # [tiles, groups, 16] -> [rows, groups]
        return part.transpose(1, 2).reshape(-1, padded_groups)[: packed.rows, :groups].reshape(shape).contiguous()

    scale = blocks[..., end : end + 32].contiguous().view(torch.float16)
    zero = row_major(blocks[..., end + 32 :].contiguous().view(torch.int8)) if packed.zeros else None
    return QuantizedTensor(weight.contiguous(), row_major(scale), zero)


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
