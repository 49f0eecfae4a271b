"""A linear layer whose weights are whole numbers with a scale."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from glmkit.kernels.codes import Codes, Form, dequantise, quantise
from glmkit.kernels.linear import quantised_linear


class QuantisedLinear(nn.Module):
    """x @ W^T + b with W in the form `form` (see kernels/codes.py for what lies in the buffers).

    Buffers, under their official names: `weight` int8 [out, in] or [out, in / 2], `weight_scale` float16 [out] or
    [out, groups], `weight_zero` int8 like it in asymmetric forms; and the parameter `bias` [out]. Codes and scales
    keep their types when the model is moved to another; gradients reach x and the bias.
    Raises UserError where `in_features` does not divide into groups.
    """

    weight: Tensor
    weight_scale: Tensor
    weight_zero: Tensor | None
    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        form: Form,
        *,
        bias: bool = True,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features, self.form = in_features, out_features, form
        shape = (out_features,) if form.group is None else (out_features, form.groups(in_features))
        form.groups(in_features)
        columns = in_features // 2 if form.bits == 4 else in_features
        self.register_buffer("weight", torch.zeros(out_features, columns, dtype=torch.int8, device=device))
        self.register_buffer("weight_scale", torch.zeros(shape, dtype=torch.float16, device=device))
        zero = torch.zeros(shape, dtype=torch.int8, device=device) if form.asymmetric else None
        self.register_buffer("weight_zero", zero)
        self.bias = nn.Parameter(torch.zeros(out_features, dtype=dtype, device=device)) if bias else None

    @classmethod
    def of(cls, linear: nn.Linear, form: Form) -> Self:
        """The layer `linear`, quantised; its bias is shared."""
        made = cls(linear.in_features, linear.out_features, form, bias=False, device="meta")
        made.weight, made.weight_scale, made.weight_zero = quantise(linear.weight.detach(), form)
        made.bias = linear.bias
        return made

    @property
    def codes(self) -> Codes:
        return Codes(self.weight, self.weight_scale, self.weight_zero)

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The weights [out, in] that the codes mean."""
        return dequantise(self.codes, self.form.bits, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return quantised_linear(x, self.codes, self.form.bits, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, {self.form}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves, but does not round the scales: `model.to(torch.bfloat16)` is about what is computed in."""
        scale = self.weight_scale
        super()._apply(fn, recurse)
        if self.weight_scale.dtype != scale.dtype:
            self.weight_scale = scale.to(self.weight_scale.device)
        return self
