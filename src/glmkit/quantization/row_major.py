"""Checkpoints whose weights are whole numbers: the layers that read them, and the weights they mean."""

from functools import partial

import torch
from torch import Tensor, nn

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import CorruptFile
from glmkit.kernels.codes import Codes, Form, dequantise
from glmkit.nn.quantised import QuantisedLinear


def expect_codes(model: nn.Module, weights: Weights, statemap: StateMap | None) -> None:
    """Where the files hold int8 for the weight of a linear layer, puts a layer there that computes with codes.

    Their shapes tell the form: half as many columns are 4 bits, several scales a row are groups, zeros lie beside.
    `statemap` None means that the files use our names.
    """
    present = set(weights.keys())
    for name, layer in [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]:
        ours = f"{name}.weight"
        key = ours if statemap is None else statemap.foreign([ours])[ours].keys[0]
        if key not in present or weights.dtype(key) != torch.int8 or f"{key}_scale" not in present:
            continue
        bits = 8 if weights.shape(key)[-1] == layer.in_features else 4
        groups = weights.shape(f"{key}_scale")[1:]
        group = layer.in_features // groups[0] if groups else None
        form = Form(bits=bits, group=group, asymmetric=f"{key}_zero" in present)
        bias = layer.bias is not None
        reads = QuantisedLinear(layer.in_features, layer.out_features, form, bias=bias, device="meta")
        model.set_submodule(name, reads)


def check_types(model: nn.Module, weights: Weights) -> None:
    """Raises CorruptFile where the files hold whole numbers for a weight of `model` that is none, or the other way
    round: codes whose scales are not there would be taken for the weight itself."""
    for name, place in model.state_dict().items():
        kind, real = weights.dtype(name), place.is_floating_point()
        if kind != place.dtype and not (kind.is_floating_point and real):
            wanted = "floating-point numbers" if real else str(place.dtype).removeprefix("torch.")
            raise CorruptFile(
                f"{weights.where}: {name} is in {str(kind).removeprefix('torch.')}, where {wanted} must be: damaged, "
                "or codes of another program; take the model they were made of"
            )


def forms(model: nn.Module) -> dict[str, Form]:
    """How the layers that compute with codes hold them, by their names."""
    return {name: part.form for name, part in _coded(model)}


def without_codes(weights: Weights, model: nn.Module) -> Weights:
    """The weights with the numbers that the codes of `model` mean in their place, in the type most others are in."""
    dtype, entries = weights.main_dtype, dict(weights.entries)
    for name, layer in _coded(model):
        parts = [entries.pop(f"{name}.{leaf}", None) for leaf in ("weight", "weight_scale", "weight_zero")]
        held = [part for part in parts if part is not None]
        shape = (layer.out_features, layer.in_features)
        read = partial(_numbers, held, layer.form, dtype)
        entries[f"{name}.weight"] = Entry(shape, dtype, read, partial(_released, held))
    return Weights(weights.where, entries)


def _coded(model: nn.Module) -> list[tuple[str, QuantisedLinear]]:
    return [(name, part) for name, part in model.named_modules() if isinstance(part, QuantisedLinear)]


def _numbers(parts: list[Entry], form: Form, dtype: torch.dtype) -> Tensor:
    codes, scale, *zero = (part.read() for part in parts)
    return dequantise(Codes(codes, scale, zero[0] if zero else None), form.bits, dtype)


def _released(parts: list[Entry]) -> None:
    for part in parts:
        part.release()
