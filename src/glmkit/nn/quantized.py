"""A linear layer whose weights are whole numbers with a scale."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from glmkit.kernels.codes import Codes, Form, dequantise, quantise
from glmkit.kernels.library import library
from glmkit.kernels.linear import packed_linear, quantised_linear
from glmkit.kernels.packed import Packed, pack, paged, record_shape, unpack


class QuantisedLinear(nn.Module):
    """x @ W^T + b with W in the form `form` (see kernels/codes.py for what lies in the buffers).

    Buffers, under their official names: `weight` int8 [out, in] or [out, in / 2], `weight_scale` float16 [out] or
    [out, groups], `weight_zero` int8 like it in asymmetric forms; and the parameter `bias` [out]. Codes and scales
    keep their types when the model is moved to another; gradients reach x and the bias.
    `pack` changes to the compiled kernels; the state dict stays the one above.
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
        self.packed: Packed | None = None
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
        """The codes as they lie in a file."""
        if self.packed is not None:
            return unpack(self.packed)
        return Codes(self.weight, self.weight_scale, self.weight_zero)

    def pack(self) -> bool:
        """From here on the compiled kernels compute, with x rounded to 8 bits; the codes are put into their order.

        False, and nothing changes, where the kernels are missing or the layer is not on the CPU.
        """
        if library() is None or self.weight.device.type != "cpu":
            return False
        if self.packed is None:
            self.hold(pack(self.codes, self.form.bits))
        return True

    def hold(self, packed: Packed) -> None:
        """Computes with codes that are in the kernels' order already, where they lie; a file's memory, for one.

        Raises ValueError for those of a matrix of another size.
        """
        records, zeros, bits, group, rows, columns = packed
        fits = records.shape == record_shape(rows, columns, bits, group, zeros) and records.is_contiguous()
        if not fits or (rows, columns) != (self.out_features, self.in_features):
            sizes = f"{self.out_features} rows and {self.in_features} columns"
            raise ValueError(
                f"a layer of {sizes} cannot hold records {[*records.shape]} of {rows} rows, {columns} columns"
            )
        self.packed = packed
        empty = torch.empty(0, dtype=torch.int8)
        scale = torch.empty(0, *self.weight_scale.shape[1:], dtype=torch.float16)
        self.weight, self.weight_scale, self.weight_zero = empty, scale, None

    def unpack(self) -> None:
        """Undoes `pack`: exact from here on."""
        if self.packed is not None:
            self.weight, self.weight_scale, self.weight_zero = self.codes
            self.packed = None

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The weights [out, in] that the codes mean."""
        return dequantise(self.codes, self.form.bits, dtype)

    def forward(self, x: Tensor) -> Tensor:
        if self.packed is not None:
            return packed_linear(x, self.packed, self.bias)
        return quantised_linear(x, self.codes, self.form.bits, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, {self.form}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves, but does not round the scales: `model.to(torch.bfloat16)` is about what is computed in."""
        self.unpack()
        scale = self.weight_scale
        super()._apply(fn, recurse)
        if self.weight_scale.dtype != scale.dtype:
            self.weight_scale = scale.to(self.weight_scale.device)
        return self

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.packed is not None:
            codes = self.codes
            destination[f"{prefix}weight"], destination[f"{prefix}weight_scale"] = codes.weight, codes.scale
            if codes.zero is not None:
                destination[f"{prefix}weight_zero"] = codes.zero

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: the packed codes alone, not the whole file in whose memory they may lie."""
        state = dict(self.__dict__)
        if self.packed is not None:
            records = self.packed.records
            state["packed"] = self.packed._replace(records=paged(records.numel()).view(records.shape).copy_(records))
        return state

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.unpack()
        super()._load_from_state_dict(*args, **kwargs)
