"""Checkpoints whose weights are integers in rows: the layers that read them, and their weights dequantized."""

from functools import partial

import torch
from torch import Tensor, nn

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import CorruptFile
from glmkit.kernels.quantized import QuantFormat, QuantizedTensor, dequantize
from glmkit.nn.quantized import QuantizedLinear


def expect_quantized(model: nn.Module, weights: Weights, statemap: StateMap | None) -> None:
    """Puts a quantized layer wherever the files hold int8 for the weight of a linear layer.

    Shapes tell the format: half as many columns are 4 bits, several scales a row are groups, zeros stand beside them.
    `statemap` None means that the files use our names.
    """
    present = set(weights.keys())
    for name, layer in [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]:
        ours = f"{name}.weight"
        key = ours if statemap is None else statemap.external([ours])[ours].keys[0]
        if key not in present or weights.dtype(key) != torch.int8 or f"{key}_scale" not in present:
            continue
        bits = 8 if weights.shape(key)[-1] == layer.in_features else 4
        groups = weights.shape(f"{key}_scale")[1:]
        group = layer.in_features // groups[0] if groups else None
        format = QuantFormat(bits=bits, group=group, asymmetric=f"{key}_zero" in present)
        bias = layer.bias is not None
        quantized = QuantizedLinear(layer.in_features, layer.out_features, format, bias=bias, device="meta")
        model.set_submodule(name, quantized)


def check_types(model: nn.Module, weights: Weights) -> None:
    """Raises CorruptFile where the files hold integers for a floating-point weight of `model`, or the other way round:
    integers whose scales are missing would be taken for the weight itself."""
    for name, place in model.state_dict().items():
        dtype, real = weights.dtype(name), place.is_floating_point()
        if dtype != place.dtype and not (dtype.is_floating_point and real):
            wanted = "floating-point numbers" if real else str(place.dtype).removeprefix("torch.")
            raise CorruptFile(
                f"{weights.where}: {name} is in {str(dtype).removeprefix('torch.')}, where {wanted} must be: damaged, "
                "or quantized by another program; take the model it was made of"
            )


def dequantized(weights: Weights, model: nn.Module) -> Weights:
    """The weights with those of the quantized layers of `model` dequantized, in the type most others are in."""
    dtype, entries = weights.main_dtype, dict(weights.entries)
    for name, layer in model.named_modules():
        if not isinstance(layer, QuantizedLinear):
            continue
        leaves = [entries.pop(f"{name}.{leaf}", None) for leaf in ("weight", "weight_scale", "weight_zero")]
        parts = [part for part in leaves if part is not None]
        shape = (layer.out_features, layer.in_features)
        read = partial(_dequantize, parts, layer.format, dtype)
        entries[f"{name}.weight"] = Entry(shape, dtype, read, partial(_release, parts))
    return Weights(weights.where, entries)


def _dequantize(parts: list[Entry], format: QuantFormat, dtype: torch.dtype) -> Tensor:
    weight, scale, *zero = (part.read() for part in parts)
    return dequantize(QuantizedTensor(weight, scale, zero[0] if zero else None), format.bits, dtype)


def _release(parts: list[Entry]) -> None:
    for part in parts:
        part.release()
