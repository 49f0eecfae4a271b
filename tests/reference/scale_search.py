"""Steps of 4-bit codes by trying: many steps with every whole zero near, each moved to where the error is least."""

import torch
from torch import Tensor


def tried(groups: Tensor) -> Tensor:
    """The least squared error found for each of `groups` [n, columns] by asymmetric codes of 4 bits."""
    least, span = torch.full((len(groups),), float("inf")), groups.amax(1).clamp(min=0) - groups.amin(1).clamp(max=0)
    for factor in torch.linspace(0.7, 1.1, 21).tolist():
        for move in (-1, 0, 1):
            step = span[:, None] * factor / 15
            zero = ((-8 - groups.amin(1, keepdim=True).clamp(max=0) * factor / step).round() + move).clamp(-8, 7)
            for _ in range(4):
                k = ((groups / step).round() + zero).clamp(-8, 7) - zero
                least = torch.minimum(least, (k * step - groups).square().sum(1))
                step = (groups * k).sum(1, keepdim=True) / k.square().sum(1, keepdim=True)
    return least


def q4_0(weight: Tensor) -> Tensor:
    """`weight` in llama.cpp's Q4_0: blocks of 32, the largest weight has the code -8."""
    blocks = weight.view(-1, 32)
    step = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
    return ((blocks / step).round().clamp(-8, 7) * step.half().float()).view_as(weight)
