"""Checkpoints whose weights are whole numbers: the layers that read them."""

import torch
from torch import nn

from glmkit.convert.statemap import StateMap
from glmkit.convert.weights import Weights
from glmkit.kernels.codes import Form
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
