"""Dropout whose random numbers are worked out again in the backward pass and drawn by all threads.

torch's own draws one number after another on one thread, and keeps what it drew: a third of a training step of GLM-Base
on a CPU. Here the number of a place is a function of a seed and of the place (Philox4x32-10, a counter in place of a
state), so neither pass waits or keeps anything.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.kernels.library import library
from glmkit.kernels.ops import KINDS, compiled, misfit, pointer

_operators = torch.library.Library("glmkit", "FRAGMENT")
_operators.define("dropout(Tensor x, float p, int seed) -> Tensor")


def _dropout_door(x: Tensor, p: float, seed: int) -> Tensor:
    if x.dtype not in (torch.float32, torch.bfloat16):
        raise misfit("x", x, "float32 or bfloat16")
    if not 0 <= p < 1:
        raise ValueError(f"p must be at least 0 and below 1, got {p}")
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _dropout(x: Tensor, p: float, seed: int) -> Tensor:
    y = _dropout_door(x, p, seed)
    x = x.contiguous()
    compiled().dropout(
        x=pointer(x),
        kind=KINDS[x.dtype],
        seed=seed,
        count=x.numel(),
        below=min(round(p * 2**32), 2**32 - 1),
        scale=1 / (1 - p),
        y=pointer(y),
        threads=torch.get_num_threads(),
    )
    return y


_operators.impl("dropout", _dropout, "CPU")
torch.library.register_fake("glmkit::dropout", _dropout_door, lib=_operators)


class _Drawn(Protocol):
    """What the backward pass works the random numbers out from."""

    p: float
    seed: int


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Drawn, x: Tensor, p: float, seed: int) -> Tensor:
        ctx.p, ctx.seed = p, seed
        y: Tensor = torch.ops.glmkit.dropout(x, p, seed)
        return y

    @staticmethod
    def backward(ctx: _Drawn, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (dy,) = gradients
        return torch.ops.glmkit.dropout(dy, ctx.p, ctx.seed), None, None


def has_fast_dropout(x: Tensor) -> bool:
    """Whether `dropout` draws x's random numbers by the compiled kernel."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and not torch.compiler.is_compiling()
        and library() is not None
    )


def dropout(x: Tensor, p: float) -> Tensor:
    """x of any shape, each number 0 with probability `p` and divided by 1 - p otherwise.

    The seed is torch's next random number, so `torch.manual_seed` decides what is dropped.
    """
    if p == 0 or p >= 1 or not has_fast_dropout(x):
        return F.dropout(x, p)
    y: Tensor = _Dropout.apply(x, p, int(torch.randint(2**63 - 1, ())))
    return y
