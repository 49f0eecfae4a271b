"""A linear layer for inference with 16-bit weights on the CPU."""

from typing import Self

from torch import Tensor, nn

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
