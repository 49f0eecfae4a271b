"""Layers for inference with 16-bit numbers on the CPU, a few tokens at a time."""

from typing import Self

from torch import Tensor, nn

from glmkit.kernels import ops
from glmkit.kernels.linear import linear


class StreamedLinear(nn.Linear):
    """`nn.Linear`, but one token at a time its weights are read as fast as memory gives them."""

    @classmethod
    def of(cls, layer: nn.Linear) -> Self:
        """The layer `layer`: weight and bias are shared."""
        made = cls(layer.in_features, layer.out_features, bias=False, device="meta")
        made.weight, made.bias = layer.weight, layer.bias
        return made

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class StreamedNorm(nn.RMSNorm):
    """`nn.RMSNorm` in one pass."""

    @classmethod
    def of(cls, norm: nn.RMSNorm) -> Self:
        """The norm `norm`: its weight is shared."""
        made = cls(norm.normalized_shape, norm.eps, device="meta")
        made.weight = norm.weight
        return made

    def forward(self, x: Tensor) -> Tensor:
        if ops.streamed(x, self.weight) and self.eps is not None:
            return ops.call("rms_norm", x, self.weight, self.eps)
        return super().forward(x)
