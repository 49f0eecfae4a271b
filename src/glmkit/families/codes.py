"""Checkpoints that were published quantised: the layers that read their codes."""

import torch
from torch import nn

from glmkit.convert.statemap import StateMap
from glmkit.convert.weights import Weights
from glmkit.kernels.codes import Form
from glmkit.nn.quantised import QuantisedLinear


def expect_codes(model: nn.Module, statemap: StateMap, weights: Weights) -> None:
    """Where the file holds int8 for the weight of a linear layer, puts one there that computes with codes.

    One scale a row, as all published ChatGLM checkpoints have it; with half as many columns a byte holds two codes.
    """
    present = set(weights.keys())
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    for name, layer in layers:
        (key, *_) = statemap.foreign([f"{name}.weight"])[f"{name}.weight"].keys
        if key in present and weights.dtype(key) == torch.int8:
            form = Form(bits=8 if weights.shape(key)[-1] == layer.in_features else 4)
            bias = layer.bias is not None
            reads = QuantisedLinear(layer.in_features, layer.out_features, form, bias=bias, device="meta")
            model.set_submodule(name, reads)
