"""The feed-forward part of a block."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glmkit.kernels import ops
from glmkit.kernels.library import library


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


class _GELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return ops.call("gelu", x, None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return ops.call("gelu", x, gradients[0])


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by its tanh formula. Trained in bfloat16 on a CPU it is a compiled kernel, in two fifths of torch's time."""
    if (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.requires_grad
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and library() is not None
    ):
        return cast(Tensor, _GELU.apply(x))
    return F.gelu(x, approximate="tanh")
