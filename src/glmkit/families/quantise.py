"""Linear layers of a model turned into quantised ones, while it is loaded or afterwards, and made ready to run.

The linear layers of the blocks get the bits asked for; the output matrix of models that have one gets 8, since every
token is chosen by it. Embeddings, norms, biases, prefixes and classification heads stay as they are.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.kernels.codes import GROUPS, Codes, Form, quantise
from glmkit.kernels.fitting import fit
from glmkit.kernels.library import library
from glmkit.nn.linear import StreamedLinear
from glmkit.nn.quantised import QuantisedLinear

Activations = Literal["auto", "exact", "int8"]

# What `quantize=` means: the form of the blocks' linear layers.
FORMS = {"int8": Form(bits=8, group=128), "int4": Form(bits=4, group=64, asymmetric=True)}
_OUTPUT = Form(bits=8, group=128)
_LEFT = ("prefix", "classifier")


def form_of(name: str, form: Form, columns: int) -> Form | None:
    """The form of the linear layer called `name` in a model of the form `form`, or None for one that is left alone.

    Where the columns do not divide into its groups, the next smaller groups that fit.
    """
    if name.split(".")[0] in _LEFT:
        return None
    wanted = form if name.startswith("blocks.") else _OUTPUT
    if wanted.group is None or columns % wanted.group == 0:
        return wanted
    smaller = [group for group in GROUPS if group < wanted.group and columns % group == 0]
    return replace(wanted, group=max(smaller, default=None))


def quantised(layer: nn.Linear, weight: Tensor, form: Form) -> QuantisedLinear:
    """A layer like `layer`, whose weight is `weight`, with the codes of the form that fit best."""
    codes = quantise(weight, form) if form.bits == 8 and not form.asymmetric else fit(weight, form)
    return with_codes(layer, codes, form)


def with_codes(layer: nn.Linear, codes: Codes, form: Form) -> QuantisedLinear:
    """A layer like `layer` with these codes; its bias is shared."""
    made = QuantisedLinear(layer.in_features, layer.out_features, form, bias=False, device="meta")
    made.weight, made.weight_scale, made.weight_zero = codes
    made.bias = layer.bias
    return made


def refuse_twice(model: nn.Module) -> None:
    """Raises UserError for a model that holds codes already."""
    for part in model.modules():
        if isinstance(part, QuantisedLinear):
            raise UserError(
                f"this model is quantised already, in {part.form.bits} bits; quantise the original, or load it as it is"
            )


@torch.no_grad()
def ready(model: nn.Module, dtype: torch.dtype, activations: Activations = "auto") -> None:
    """Makes a model fast on this processor: the compiled kernels take over where they can.

    `activations`: "int8" rounds what quantised layers multiply, "exact" does not; "auto" is exact in float32.
    """
    if activations not in ("auto", "exact", "int8"):
        raise UserError(f"activations must be auto, exact or int8, got {activations!r}")
    rounded = activations == "int8" or (activations == "auto" and dtype != torch.float32)
    for name, part in list(model.named_modules()):
        if isinstance(part, QuantisedLinear):
            if rounded:
                part.pack()
        elif (
            type(part) is nn.Linear
            and library() is not None
            and part.weight.device.type == "cpu"
            and part.weight.dtype in (torch.bfloat16, torch.float16)
        ):
            model.set_submodule(name, StreamedLinear.of(part))
