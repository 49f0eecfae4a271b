"""A linear layer with a quantized weight."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from glmkit.kernels.library import library
from glmkit.kernels.linear import packed_linear, quantized_linear
from glmkit.kernels.packed import Packed, pack, paged, tile_block_shape, unpack
from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, dequantize, quantize


class QuantizedLinear(nn.Module):
    """x @ W^T + b with W in the format `format` (kernels/quantized.py says what is in the buffers).

    Buffers, under their official names: `weight` int8 [out, in] or [out, in / 2], `weight_scale` float16 [out] or
    [out, groups], `weight_zero` int8 like it in asymmetric formats; and the parameter `bias` [out]. Integers and scales
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
        format: QuantFormat,
        *,
        bias: bool = True,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features, self.format = in_features, out_features, format
        self.packed: Packed | None = None
        shape = (out_features,) if format.group is None else (out_features, format.groups(in_features))
        format.groups(in_features)
        columns = in_features // 2 if format.bits == 4 else in_features
        self.register_buffer("weight", torch.zeros(out_features, columns, dtype=torch.int8, device=device))
        self.register_buffer("weight_scale", torch.zeros(shape, dtype=torch.float16, device=device))
        zero = torch.zeros(shape, dtype=torch.int8, device=device) if format.asymmetric else None
        self.register_buffer("weight_zero", zero)
        self.bias = nn.Parameter(torch.zeros(out_features, dtype=dtype, device=device)) if bias else None

    @classmethod
    def of(cls, linear: nn.Linear, format: QuantFormat) -> Self:
        """The layer `linear`, quantized; its bias is shared."""
        layer = cls(linear.in_features, linear.out_features, format, bias=False, device="meta")
        layer.weight, layer.weight_scale, layer.weight_zero = quantize(linear.weight.detach(), format)
        layer.bias = linear.bias
        return layer

    @property
    def quantized_weight(self) -> QuantizedTensor:
        """The weight in row-major order."""
        if self.packed is not None:
            return unpack(self.packed)
        return QuantizedTensor(self.weight, self.weight_scale, self.weight_zero)

    def pack(self) -> bool:
        """From here on the compiled kernels compute, with x rounded to 8 bits; the weight is put into tile blocks.

        False, and nothing changes, where the kernels are missing or the layer is not on the CPU.
        """
        if library() is None or self.weight.device.type != "cpu":
            return False
        if self.packed is None:
            self.use_packed(pack(self.quantized_weight, self.format.bits))
        return True

    def use_packed(self, packed: Packed) -> None:
        """Computes with a weight that is in tile blocks already, such as those of a mapped file, without a copy.

        Raises ValueError for those of a matrix of another size.
        """
        blocks, zeros, bits, group, rows, columns = packed
        fits = blocks.shape == tile_block_shape(rows, columns, bits, group, zeros) and blocks.is_contiguous()
        if not fits or (rows, columns) != (self.out_features, self.in_features):
            sizes = f"{self.out_features} rows and {self.in_features} columns"
            raise ValueError(
                f"a layer of {sizes} cannot use tile blocks {[*blocks.shape]} of {rows} rows, {columns} columns"
            )
        self.packed = packed
        empty = torch.empty(0, dtype=torch.int8)
        scale = torch.empty(0, *self.weight_scale.shape[1:], dtype=torch.float16)
        self.weight, self.weight_scale, self.weight_zero = empty, scale, None

    def unpack(self) -> None:
        """Undoes `pack`: exact from here on."""
        if self.packed is not None:
            self.weight, self.weight_scale, self.weight_zero = self.quantized_weight
            self.packed = None

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The dequantized weight [out, in]."""
        return dequantize(self.quantized_weight, self.format.bits, dtype)

    def forward(self, x: Tensor) -> Tensor:
        if self.packed is not None:
            return packed_linear(x, self.packed, self.bias)
        return quantized_linear(x, self.quantized_weight, self.format.bits, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, {self.format}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves, but does not round the scales: `model.to(torch.bfloat16)` is about what is computed in."""
        self.unpack()
        scale = self.weight_scale
        super()._apply(fn, recurse)
        if self.weight_scale.dtype != scale.dtype:
            self.weight_scale = scale.to(self.weight_scale.device)
        return self

    def _save_to_state_dict(self, destination: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.packed is not None:
            weight = self.quantized_weight
            destination[f"{prefix}weight"], destination[f"{prefix}weight_scale"] = weight.weight, weight.scale
            if weight.zero is not None:
                destination[f"{prefix}weight_zero"] = weight.zero

    def __getstate__(self) -> dict[str, object]:
        """For pickle and copies: the tile blocks alone, not the whole mapped file whose memory they may be in."""
        state = dict(self.__dict__)
        if self.packed is not None:
            blocks = self.packed.tile_blocks
            state["packed"] = self.packed._replace(tile_blocks=paged(blocks.numel()).view(blocks.shape).copy_(blocks))
        return state

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        self.unpack()
        super()._load_from_state_dict(*args, **kwargs)


def is_quantized(model: nn.Module) -> bool:
    """Whether a linear layer of a model holds integers."""
    return any(isinstance(part, QuantizedLinear) for part in model.modules())
