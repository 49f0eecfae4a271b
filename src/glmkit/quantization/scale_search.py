"""MSE scale search: of a few scales for each group, the one with the least squared error, refined by least squares.

Rounding to a fixed scale is off by at most half a step. A smaller scale rounds less, but clips the largest weights. For
each group by itself, the scale is taken whose nearest integers allow the least squared error, and moved to where that
error is least.
"""

import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, pack_nibbles

FACTORS = (1.05, 1.0, 0.975, 0.95, 0.925, 0.9, 0.85)  # of the scale that clips nothing
REFITS = 2  # of the best scale to the integers that are nearest under it
_CHUNK = 1 << 18  # weights at a time, so that what is computed stays in the cache


def search_scales(weight: Tensor, format: QuantFormat, importance: Tensor | None = None) -> QuantizedTensor:
    """Quantizes a matrix [rows, columns] with the least squared error among a few scales for each group.

    `importance` [columns] weighs the columns, such as the mean square of what they are multiplied with. All of the
    range of the bits is used: symmetric formats give the lowest integer to the largest weight, whatever its sign.
    Raises UserError for weights that are not finite.
    """
    rows, columns = weight.shape
    groups = format.groups(columns)
    importance_by_group = None if importance is None else importance.float().view(groups, -1)
    parts = [
        quantize_groups(chunk.float().view(len(chunk), groups, -1), format, importance_by_group)
        for chunk in weight.split(max(1, _CHUNK // columns))
    ]
    integers, scale, zero = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    if not bool(torch.isfinite(scale).all()):
        raise UserError("weights that are infinite, not numbers or beyond 400 000 cannot be quantized")
    shape = (rows,) if format.group is None else (rows, groups)
    integers = integers.view(rows, columns)
    return QuantizedTensor(
        pack_nibbles(integers) if format.bits == 4 else integers,
        scale.view(shape),
        zero.view(shape) if format.asymmetric else None,
    )


def quantize_groups(x: Tensor, format: QuantFormat, importance: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Integers int8, scales float16 and zero points int8 of groups x [rows, groups, columns of a group], for
    `search_scales`."""
    half = 2 ** (format.bits - 1)  # integers are from -half to half - 1
    # The range always holds 0, which then is an integer itself.
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    best: list[Tensor] = []  # by how much the error is less, scale, zero point
    for factor in FACTORS if format.bits == 4 else (1.0,):
        if format.asymmetric:
            scale = _as_float16((high - low) * (factor / (2 * half - 1)))
            zero = (-half - low * factor / scale).round_().clamp_(-half, half - 1)
        else:
            scale = _as_float16(torch.where(high > -low, high, low) * (-factor / half))
            zero = torch.zeros_like(low)
        candidate = [*_least_squares_scale(x, scale, zero, half, importance), zero]
        if best:
            best = [torch.where(candidate[0] > best[0], *pair) for pair in zip(candidate, best, strict=True)]
        else:
            best = candidate
    _, scale, zero = best
    for _ in range(REFITS):
        _, scale = _least_squares_scale(x, scale, zero, half, importance)
    integers = _nearest(x, scale, zero, half).add_(zero)
    return integers.to(torch.int8), scale.half(), zero.to(torch.int8)


def _nearest(x: Tensor, scale: Tensor, zero: Tensor, half: int) -> Tensor:
    """The integers nearest to x under a scale, minus the zero point: x is about this times the scale."""
    return (x / scale).round_().clamp_(-half - zero, half - 1 - zero)


def _least_squares_scale(
    x: Tensor, scale: Tensor, zero: Tensor, half: int, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """By how much the nearest integers k lessen the squared error |x|^2 under the best scale for them, and that scale.

    |x - s k|^2 = |x|^2 - 2 s (x k) + s^2 |k|^2 is least, and |x|^2 - (x k)^2 / |k|^2, at s = (x k) / |k|^2.
    """
    k = _nearest(x, scale, zero, half)
    weighted = k if importance is None else k * importance
    dot, norm = (x * weighted).sum(-1, keepdim=True), (k * weighted).sum(-1, keepdim=True)
    best = torch.where(norm == 0, scale, dot / norm)
    return dot * best, _as_float16(best)


def _as_float16(scale: Tensor) -> Tensor:
    """Scales as float16 holds them; a group of zeros has the scale 1."""
    rounded = scale.half().float()
    return torch.where(rounded == 0, 1.0, rounded)
