"""Linear layers of a model turned into quantised ones, while it is loaded or afterwards, and made ready to run.

The linear layers of the blocks get the bits asked for; the output matrix of models that have one gets 8, since every
token is chosen by it. Embeddings, norms, biases, prefixes and classification heads stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.kernels.codes import GROUPS, Form, quantise
from glmkit.kernels.fitting import fit
from glmkit.kernels.gptq import gptq
from glmkit.kernels.library import library
from glmkit.nn.linear import StreamedLinear, StreamedNorm
from glmkit.nn.quantised import QuantisedLinear

Activations = Literal["auto", "exact", "int8"]

Scheme = Literal["search", "rtn"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the linear layers of a model are quantised.

    `form`: that of the blocks' layers. `scheme`: "rtn" gives each weight the code nearest to it under the step of the
    largest, "search" tries others. `importance`: name of a layer -> how much each of its columns [in] counts
    in the search. `output_bits` of the output matrix: 8, or 16 to leave it. `watch` is told the name of each layer
    and how far it went off: |W - W'| / |W|.
    """

    form: Form
    scheme: Scheme = "search"
    output_bits: int = 8
    importance: Mapping[str, Tensor] = field(default_factory=dict)
    watch: Callable[[str, float], None] | None = None

    def __post_init__(self) -> None:
        if self.scheme not in ("search", "rtn"):
            raise UserError(f"scheme must be search or rtn, got {self.scheme!r}")
        if self.output_bits not in (8, 16):
            raise UserError(f"the output matrix can have 8 or 16 bits, got {self.output_bits}")

    def form_of(self, name: str, columns: int) -> Form | None:
        """The form of the layer called `name`, or None for one that is left alone.

        Where the columns do not divide into the groups asked for, the next smaller groups that fit.
        """
        inside = name.startswith("blocks.")
        if name.split(".")[0] in _LEFT or (not inside and self.output_bits == 16):
            return None
        wanted = self.form if inside else _OUTPUT
        if wanted.group is None or columns % wanted.group == 0:
            return wanted
        smaller = [group for group in GROUPS if group < wanted.group and columns % group == 0]
        return replace(wanted, group=max(smaller, default=None))

    def quantise(
        self, name: str, layer: nn.Linear, weight: Tensor, hessian: Tensor | None = None
    ) -> QuantisedLinear | None:
        """What stands in place of `layer`, whose weight is `weight`; its bias is shared. None to leave it.

        With the second moments `hessian` [in, in] of its inputs, codes make up for one another, whatever the scheme.
        """
        form = self.form_of(name, layer.in_features)
        if form is None:
            return None
        nearest = self.scheme == "rtn" or (form.bits == 8 and not form.asymmetric)
        if hessian is not None:
            codes = gptq(weight, form, hessian)
        else:
            codes = quantise(weight, form) if nearest else fit(weight, form, self.importance.get(name))
        made = QuantisedLinear(layer.in_features, layer.out_features, form, bias=False, device="meta")
        made.weight, made.weight_scale, made.weight_zero = codes
        made.bias = layer.bias
        if self.watch is not None:
            exact = weight.float()
            self.watch(name, float((made.dequantize() - exact).norm() / exact.norm().clamp(min=1e-30)))
        return made


# What `quantize=` means.
PLANS = {
    "int8": Plan(form=Form(bits=8, group=128)),
    "int4": Plan(form=Form(bits=4, group=64, asymmetric=True)),
}
_OUTPUT = Form(bits=8, group=128)
_LEFT = ("prefix", "classifier")


def refuse_twice(model: nn.Module) -> None:
    """Raises UserError for a model that holds codes already."""
    for part in model.modules():
        if isinstance(part, QuantisedLinear):
            raise UserError(
                f"this model is quantised already, in {part.form.bits} bits; quantise the original, or load it as it is"
            )


def rounded(dtype: torch.dtype, activations: Activations) -> bool:
    """Whether quantised layers round what they multiply: "int8" does, "exact" does not; "auto" is exact in float32."""
    if activations not in ("auto", "exact", "int8"):
        raise UserError(f"activations must be auto, exact or int8, got {activations!r}")
    return activations == "int8" or (activations == "auto" and dtype != torch.float32)


def rounding_of(model: nn.Module) -> Activations:
    """The `activations` with which a model was made ready; "auto" where that or having no codes explains it."""
    packs = {part.packed is not None for part in model.modules() if isinstance(part, QuantisedLinear)}
    exact = next(model.parameters()).dtype == torch.float32
    if packs == {True} and exact:
        return "int8"
    on_cpu = next(model.parameters()).device.type == "cpu"
    return "exact" if packs == {False} and not exact and on_cpu and library() is not None else "auto"


@torch.no_grad()
def quantise_in_place(model: nn.Module, plan: Plan) -> None:
    """Puts codes in place of the linear layers, one at a time. Raises UserError for a model that holds some already."""
    refuse_twice(model)
    for name, layer in list(model.named_modules()):
        if type(layer) in (nn.Linear, StreamedLinear):
            assert isinstance(layer, nn.Linear)
            made = plan.quantise(name, layer, layer.weight)
            if made is not None:
                model.set_submodule(name, made)


@torch.no_grad()
def ready(model: nn.Module, dtype: torch.dtype, activations: Activations = "auto") -> None:
    """Makes a model fast on this processor: the compiled kernels take over where they can.

    Quantised layers only where what they multiply is `rounded`.
    """
    packs = rounded(dtype, activations)
    for name, part in list(model.named_modules()):
        if isinstance(part, QuantisedLinear):
            if packs:
                part.pack()
        elif (
            type(part) is nn.Linear
            and library() is not None
            and part.weight.device.type == "cpu"
            and part.weight.dtype in (torch.bfloat16, torch.float16)
        ):
            model.set_submodule(name, StreamedLinear.of(part))
        elif type(part) is nn.RMSNorm and library() is not None and part.weight.dtype == torch.bfloat16:
            model.set_submodule(name, StreamedNorm.of(part))


def described(model: nn.Module) -> dict[str, Any] | None:
    """What config.json says about a model's codes, for people and other programs; the weights' shapes say it all."""
    parts = {name: part.form for name, part in model.named_modules() if isinstance(part, QuantisedLinear)}
    if not parts:
        return None
    main = Counter(parts.values()).most_common(1)[0][0]
    others = {name: asdict(form) for name, form in parts.items() if form != main}
    return asdict(main) | ({"others": others} if others else {})
