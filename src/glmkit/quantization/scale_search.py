"""Codes with the scales that suit the weights best, instead of the largest weight alone.

The nearest code of a fixed step is off by half a step. A smaller step is off by less, but cuts off the largest weights;
of a few steps the one is taken whose codes allow the least squared error, and moved to where it is least, for each
group by itself.
"""

import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.kernels.codes import Codes, Form, pack_nibbles

FACTORS = (1.05, 1.0, 0.975, 0.95, 0.925, 0.9, 0.85)  # of the step that cuts off nothing
REFITS = 2  # of the best step to the codes that are nearest under it
_CHUNK = 1 << 18  # weights at a time, so that what is computed stays in the cache


def fit(weight: Tensor, form: Form, importance: Tensor | None = None) -> Codes:
    """Codes of a matrix [rows, columns] with the least squared error among a few steps for each group.

    `importance` [columns] weighs the columns, such as the mean square of what they are multiplied with. All of the
    range of the bits is used: symmetric forms give the lowest code to the largest weight, whatever its sign.
    Raises UserError for weights that are not finite.
    """
    rows, columns = weight.shape
    groups = form.groups(columns)
    weigh = None if importance is None else importance.float().view(groups, -1)
    parts = [
        fitted(some.float().view(len(some), groups, -1), form, weigh)
        for some in weight.split(max(1, _CHUNK // columns))
    ]
    codes, scale, zero = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    if not bool(torch.isfinite(scale).all()):
        raise UserError("weights that are infinite, not numbers or beyond 400 000 cannot be quantised")
    shape = (rows,) if form.group is None else (rows, groups)
    integers = codes.view(rows, columns)
    return Codes(
        pack_nibbles(integers) if form.bits == 4 else integers,
        scale.view(shape),
        zero.view(shape) if form.asymmetric else None,
    )


def fitted(x: Tensor, form: Form, importance: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Codes int8, scales float16 and zeros int8 of groups x [rows, groups, columns of a group], as `fit` takes them."""
    half = 2 ** (form.bits - 1)
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    best: list[Tensor] = []  # gain, scale, zero
    for factor in FACTORS if form.bits == 4 else (1.0,):
        if form.asymmetric:
            scale = _half((high - low) * (factor / (2 * half - 1)))
            zero = (-half - low * factor / scale).round_().clamp_(-half, half - 1)
        else:
            scale, zero = _half(torch.where(high > -low, high, low) * (-factor / half)), torch.zeros_like(low)
        found = [*_refitted(x, scale, zero, half, importance), zero]
        best = [torch.where(found[0] > best[0], *pair) for pair in zip(found, best, strict=True)] if best else found
    _, scale, zero = best
    for _ in range(REFITS):
        _, scale = _refitted(x, scale, zero, half, importance)
    codes = _nearest(x, scale, zero, half).add_(zero)
    return codes.to(torch.int8), scale.half(), zero.to(torch.int8)


def _nearest(x: Tensor, scale: Tensor, zero: Tensor, half: int) -> Tensor:
    """Codes less their zeros."""
    return (x / scale).round_().clamp_(-half - zero, half - 1 - zero)


def _refitted(x: Tensor, scale: Tensor, zero: Tensor, half: int, importance: Tensor | None) -> tuple[Tensor, Tensor]:
    """By how much the nearest codes k lessen the squared error |x|^2 under the best step for them, and that step.

    |x - s k|^2 = |x|^2 - 2 s (x k) + s^2 |k|^2 is least, and |x|^2 - (x k)^2 / |k|^2, at s = (x k) / |k|^2.
    """
    k = _nearest(x, scale, zero, half)
    weighed = k if importance is None else k * importance
    along, square = (x * weighed).sum(-1, keepdim=True), (k * weighed).sum(-1, keepdim=True)
    step = torch.where(square == 0, scale, along / square)
    return along * step, _half(step)


def _half(scale: Tensor) -> Tensor:
    """Scales as float16 holds them; a group of zeros has the scale 1."""
    rounded = scale.half().float()
    return torch.where(rounded == 0, 1.0, rounded)
