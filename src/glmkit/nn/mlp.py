"""The feed-forward part of a block."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glmkit.kernels import ops


class MLP(nn.Module):
    """Up, activation, down."""

    def __init__(self, up: nn.Module, down: nn.Module, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.up = up
        self.down = down
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


def swiglu(x: Tensor) -> Tensor:
    """silu(gate) * value of x [..., 2 F], packed [gate | value]; [..., F]."""
    if ops.has_fast_path(x):
        return ops.call("swiglu", x)
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value


class _SquaredReLU(torch.autograd.Function):
    """Keeps the positive part alone, and turns it into the gradient in two passes: half the time of relu and square."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = F.relu(x)
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (gradient * positive).mul_(2)


def relu2(x: Tensor) -> Tensor:
    """The square of the positive part (So et al. 2021)."""
    return cast(Tensor, _SquaredReLU.apply(x))
