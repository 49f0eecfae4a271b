"""Which linear layers of a model are quantized, and how: while the model is loaded, or in place afterwards.

The linear layers of the blocks get the bits asked for; the output matrix of models that have one gets 8, since every
token is chosen by it. Embeddings, norms, biases, prefixes and classification heads stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.kernels.quantized import GROUPS, QuantFormat, quantize
from glmkit.nn.linear import FewRowsLinear
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.gptq import gptq
from glmkit.quantization.scale_search import search_scales

Scheme = Literal["search", "rtn"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the linear layers of a model are quantized.

    `format`: that of the blocks' layers. `scheme`: "rtn" rounds to nearest under the scale of each group's largest
    weight, "search" is the MSE scale search. `importance`: name of a layer -> how much each of its columns [in] counts
    in the search. `output_bits` of the output matrix: 8, or 16 to leave it. `on_layer` is called with the name of each
    layer and its relative error |W - W'| / |W|.
    """

    format: QuantFormat
    scheme: Scheme = "search"
    output_bits: int = 8
    importance: Mapping[str, Tensor] = field(default_factory=dict)
    on_layer: Callable[[str, float], None] | None = None

    def __post_init__(self) -> None:
        if self.scheme not in ("search", "rtn"):
            raise UserError(f"scheme must be search or rtn, got {self.scheme!r}")
        if self.output_bits not in (8, 16):
            raise UserError(f"the output matrix can have 8 or 16 bits, got {self.output_bits}")

    def format_of(self, name: str, columns: int) -> QuantFormat | None:
        """The format of the layer called `name`, or None for one that is not quantized.

        Where the columns do not divide into the groups asked for, the next smaller groups that fit.
        """
        in_block = name.startswith("blocks.")
        if name.split(".")[0] in _NOT_QUANTIZED or (not in_block and self.output_bits == 16):
            return None
        wanted = self.format if in_block else _OUTPUT
        if wanted.group is None or columns % wanted.group == 0:
            return wanted
        smaller = [group for group in GROUPS if group < wanted.group and columns % group == 0]
        return replace(wanted, group=max(smaller, default=None))

    def quantize(
        self, name: str, layer: nn.Linear, weight: Tensor, hessian: Tensor | None = None
    ) -> QuantizedLinear | None:
        """The quantized layer in place of `layer`, whose weight is `weight`; the bias is shared. None to leave it.

        With the second moments `hessian` [in, in] of the layer's inputs, whatever the scheme, errors are compensated
        (GPTQ).
        """
        format = self.format_of(name, layer.in_features)
        if format is None:
            return None
        nearest = self.scheme == "rtn" or (format.bits == 8 and not format.asymmetric)
        if hessian is not None:
            tensor = gptq(weight, format, hessian)
        elif nearest:
            tensor = quantize(weight, format)
        else:
            tensor = search_scales(weight, format, self.importance.get(name))
        quantized = QuantizedLinear(layer.in_features, layer.out_features, format, bias=False, device="meta")
        quantized.weight, quantized.weight_scale, quantized.weight_zero = tensor
        quantized.bias = layer.bias
        if self.on_layer is not None:
            exact = weight.float()
            error = (quantized.dequantize() - exact).norm() / exact.norm().clamp(min=1e-30)
            self.on_layer(name, float(error))
        return quantized


# What `quantize=` means.
PLANS = {
    "int8": Plan(format=QuantFormat(bits=8, group=128)),
    "int4": Plan(format=QuantFormat(bits=4, group=64, asymmetric=True)),
}
_OUTPUT = QuantFormat(bits=8, group=128)
_NOT_QUANTIZED = ("prefix", "classifier")


def refuse_quantized(model: nn.Module) -> None:
    """Raises UserError for a model that has quantized layers already."""
    for part in model.modules():
        if isinstance(part, QuantizedLinear):
            raise UserError(
                f"this model is quantized already, in {part.format.bits} bits; quantize the original, or load it as it "
                "is"
            )


@torch.no_grad()
def quantize_in_place(model: nn.Module, plan: Plan) -> None:
    """Quantizes the linear layers of `model`, one at a time. Raises UserError for a model that is quantized already."""
    refuse_quantized(model)
    for name, layer in list(model.named_modules()):
        if type(layer) in (nn.Linear, FewRowsLinear):
            assert isinstance(layer, nn.Linear)
            quantized = plan.quantize(name, layer, layer.weight)
            if quantized is not None:
                model.set_submodule(name, quantized)


def formats(model: nn.Module) -> dict[str, QuantFormat]:
    """Name of each quantized layer -> its format."""
    return {name: part.format for name, part in model.named_modules() if isinstance(part, QuantizedLinear)}


def quantization_config(model: nn.Module) -> JsonObject | None:
    """What config.json says of a quantized model, for people and other programs; `load` reads the shapes instead."""
    by_layer = formats(model)
    if not by_layer:
        return None
    main = Counter(by_layer.values()).most_common(1)[0][0]
    others = {name: asdict(format) for name, format in by_layer.items() if format != main}
    return asdict(main) | ({"others": others} if others else {})
