"""Quantized matrices: integers of 8 or 4 bits with scales. What they mean, and the nearest integers to given weights.

    weight[row, column] = (integer[row, column] - zero[row, group]) * scale[row, group]

A group is `group` neighbouring columns of a row, or the whole row. Symmetric formats have no zeros. Integers of 8 bits
are int8 [rows, columns]; two of 4 bits share a byte, int8 [rows, columns / 2], the even column in the high half:

    columns  0 1   2 3   4 5
    byte     0x01  0x23  0x45

Without groups and zeros this is the format of the published ChatGLM checkpoints (facts: their `quantization.py`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.core.errors import UserError

BITS, GROUPS = (8, 4), (32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class QuantFormat:
    """How a matrix is quantized: bits of an integer, columns that share a scale (None: the whole row), and whether a
    group has a zero point of its own."""

    bits: int
    group: int | None = None
    asymmetric: bool = False

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise UserError(f"bits must be 8 or 4, got {self.bits}")
        if self.group is not None and self.group not in GROUPS:
            raise UserError(f"group must be 32, 64 or 128, or None for one scale a row, got {self.group}")

    def groups(self, columns: int) -> int:
        """The number of scales of a row of `columns` columns. Raises UserError where they do not divide."""
        if self.group is not None and columns % self.group:
            raise UserError(f"{columns} columns do not divide into groups of {self.group}; use a smaller group")
        if self.bits == 4 and columns % 2:
            raise UserError(f"4 bits need an even number of columns, got {columns}; use 8 bits")
        return 1 if self.group is None else columns // self.group


class QuantizedTensor(NamedTuple):
    """A quantized matrix in row-major order, as files of other programs hold it."""

    weight: Tensor  # int8 [rows, columns] or [rows, columns / 2]
    scale: Tensor  # [rows], or [rows, groups] where there are groups
    zero: Tensor | None  # int8, as scale


def quantize(weight: Tensor, format: QuantFormat) -> QuantizedTensor:
    """Quantizes a matrix [rows, columns] by rounding to nearest under the scale of each group's largest weight.

    float16 weights are divided in float16, as the published checkpoints were made, so their integers come out the same;
    others in float32. Scales are float16. Raises UserError for weights that are not finite.
    """
    rows, columns = weight.shape
    dtype = torch.float16 if weight.dtype == torch.float16 else torch.float32
    groups = format.groups(columns)
    if not weight.numel():
        return _empty(rows, columns, groups, format)
    grouped = weight.to(dtype).view(rows, groups, -1)
    top = 2 ** (format.bits - 1) - 1
    if format.asymmetric:
        low, high = grouped.amin(-1).clamp(max=0).float(), grouped.amax(-1).clamp(min=0).float()
        scale = _scale((high - low) / (2 * top + 1))
        zero = (-top - 1 - low / _divisor(scale)).round().clamp(-top - 1, top)
    else:
        scale, zero = _scale(grouped.abs().amax(-1) / top), None
    scaled = grouped / _divisor(scale).to(dtype)[..., None]
    lowest = -top if zero is None else -top - 1
    scaled = (scaled.round() if zero is None else scaled.round() + zero[..., None]).clamp(lowest, top)
    integers = scaled.to(torch.int8).view(rows, columns)
    shape = (rows,) if format.group is None else scale.shape
    return QuantizedTensor(
        pack_nibbles(integers) if format.bits == 4 else integers,
        scale.view(shape),
        None if zero is None else zero.to(torch.int8).view(shape),
    )


def _empty(rows: int, columns: int, groups: int, format: QuantFormat) -> QuantizedTensor:
    scale = torch.zeros((rows,) if format.group is None else (rows, groups), dtype=torch.float16)
    zero = torch.zeros(scale.shape, dtype=torch.int8) if format.asymmetric else None
    return QuantizedTensor(torch.empty(rows, columns * format.bits // 8, dtype=torch.int8), scale, zero)


def dequantize(tensor: QuantizedTensor, bits: int, dtype: torch.dtype) -> Tensor:
    """The matrix [rows, columns] that the integers mean, in `dtype`: the product is rounded once."""
    integers = unpack_nibbles(tensor.weight) if bits == 4 else tensor.weight
    rows, columns = integers.shape
    scale = tensor.scale.view(rows, -1, 1)  # [rows, groups, 1]
    values = integers.to(dtype).view(rows, scale.shape[1], -1)  # [rows, groups, columns of a group]
    if tensor.zero is not None:
        values = values - tensor.zero.to(dtype).view(rows, -1, 1)
    return (values * scale.to(dtype)).view(rows, columns)


def pack_nibbles(integers: Tensor) -> Tensor:
    """int8 [rows, columns] between -8 and 7 -> int8 [rows, columns / 2]."""
    return (integers[:, 0::2] << 4) | (integers[:, 1::2] & 15)


def unpack_nibbles(packed: Tensor) -> Tensor:
    """int8 [rows, columns / 2] -> int8 [rows, columns]."""
    return torch.stack((packed >> 4, (packed << 4) >> 4), dim=-1).flatten(1)


def _scale(scale: Tensor) -> Tensor:
    if not bool(torch.isfinite(scale.half()).all()):
        raise UserError("weights that are infinite, not numbers or beyond 400 000 cannot be quantized")
    return scale.half()


def _divisor(scale: Tensor) -> Tensor:
    """Scales to divide by: a row of zeros has scale 0 and integers 0."""
    return torch.where(scale == 0, 1, scale).float()
