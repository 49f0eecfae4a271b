"""Makes a loaded model fast on this processor: the compiled kernels take over the layers they know."""

from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.core.types import LanguageModel
from glmkit.kernels.library import library
from glmkit.kernels.linear import few_rows, num_rows_alike
from glmkit.nn.linear import FewRowsLinear, FusedRMSNorm
from glmkit.nn.lora import AdaptedLayer
from glmkit.nn.quantized import QuantizedLinear

Activations = Literal["auto", "exact", "int8"]


def rounds_activations(dtype: torch.dtype, activations: Activations) -> bool:
    """Whether quantized layers round their inputs to 8 bits: "int8" does, "exact" does not; "auto" is exact in float32
    alone."""
    if activations not in ("auto", "exact", "int8"):
        raise UserError(f"activations must be auto, exact or int8, got {activations!r}")
    return activations == "int8" or (activations == "auto" and dtype != torch.float32)


def activations_of(model: nn.Module) -> Activations:
    """The `activations` that `accelerate` was called with; "auto" where that, or no quantized layer, explains it."""
    packed = {part.packed is not None for part in model.modules() if isinstance(part, QuantizedLinear)}
    parameter = next(model.parameters())
    in_float32 = parameter.dtype == torch.float32
    if packed == {True} and in_float32:
        return "int8"
    on_cpu = parameter.device.type == "cpu"
    return "exact" if packed == {False} and not in_float32 and on_cpu and library() is not None else "auto"


@torch.no_grad()
def accelerate(model: nn.Module, dtype: torch.dtype, activations: Activations = "auto") -> None:
    """Puts layers of the compiled kernels in place of the model's own.

    Quantized layers are packed only where their inputs are rounded (`rounds_activations`).
    """
    pack = rounds_activations(dtype, activations)
    for name, part in list(model.named_modules()):
        if isinstance(part, QuantizedLinear):
            if pack:
                part.pack()
        elif (
            type(part) is nn.Linear
            and library() is not None
            and part.weight.device.type == "cpu"
            and part.weight.dtype in (torch.bfloat16, torch.float16)
        ):
            model.set_submodule(name, FewRowsLinear.of(part))
        elif (
            type(part) is nn.RMSNorm
            and part.elementwise_affine
            and part.weight.dtype == torch.bfloat16
            and library() is not None
        ):
            model.set_submodule(name, FusedRMSNorm.of(part))


def rows_alike(model: LanguageModel) -> int:
    """How many tokens may be read at once so that each gets, to the last bit, what it gets when it is read alone.

    The compiled products sum so many rows in the same way as each alone, few where AMX multiplies the more; torch's of
    more than one row are summed in another order.
    """
    kinds = nn.Linear | QuantizedLinear | AdaptedLayer
    most = [_rows_alike(part) for part in model.modules() if isinstance(part, kinds)]
    if not hasattr(model, "output"):  # its logits are products with the word table
        most.append(_few_alike(next(iter(model.parameters()))))
    return min(most)


def _rows_alike(layer: nn.Linear | QuantizedLinear | AdaptedLayer) -> int:
    if isinstance(layer, AdaptedLayer):
        return 1  # low rank is torch's product
    if isinstance(layer, QuantizedLinear):
        return num_rows_alike() if layer.packed is not None else 1
    return _few_alike(layer.weight) if isinstance(layer, FewRowsLinear) else 1


def _few_alike(weight: Tensor) -> int:
    return min(few_rows(weight), num_rows_alike()) or 1
