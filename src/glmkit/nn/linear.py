"""Linear layers side by side, and layers for inference with 16-bit weights on the CPU, a few tokens at a time."""

from typing import Self

import torch
from torch import Tensor, nn

from glmkit.kernels import ops
from glmkit.kernels.linear import linear


class JoinedLinear(nn.Module):
    """Linear layers of one input, whose outputs stand side by side [..., sum of all]: queries, keys and values as
    matrices of their own where one packed matrix could be."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([layer(x) for layer in self.children()], dim=-1)


class FewRowsLinear(nn.Linear):
    """`nn.Linear`, but for a few tokens at a time its weights are read as fast as memory gives them."""

    @classmethod
    def of(cls, layer: nn.Linear) -> Self:
        """The layer `layer`: weight and bias are shared."""
        fast = cls(layer.in_features, layer.out_features, bias=False, device="meta")
        fast.weight, fast.bias = layer.weight, layer.bias
        return fast

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class FusedRMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` in one pass."""

    @classmethod
    def of(cls, norm: nn.RMSNorm) -> Self:
        """The norm `norm`: its weight is shared."""
        fast = cls(norm.normalized_shape, norm.eps, device="meta")
        fast.weight = norm.weight
        return fast

    def forward(self, x: Tensor) -> Tensor:
        if ops.has_fast_path(x, self.weight) and self.eps is not None:
            return ops.call("rms_norm", x, self.weight, self.eps)
        return super().forward(x)
