"""Adapters for some of the tokens of a pass: one model, and each token with the adapter of its own sequence.

    tokens           a a - b a -          columns of adapter a: 0 1 4, of b: 3; two tokens have none
    base product     W x of all six, once
    low rank         += scale B A x of columns 0 1 4 by a's, of column 3 by b's; the others stay what they are

Weights are shared and no layer of the model is changed: a pass runs through copies of the few modules that hold an
adapted layer, so that whoever else computes with the model meanwhile computes with it alone.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.errors import UserError, argument, nearest
from glmkit.core.types import LanguageModel, StoredCache
from glmkit.nn.prefix import PrefixedCache

Model = TypeVar("Model")
Rows = Tensor | slice  # which of the rows of a pass


@dataclass(frozen=True, eq=False)
class LowRank:
    """What an adapter adds to a layer, in float32: scale (B A x + bias).

    `a` [r, in] and `b` [out, r], of a table of vectors [r, rows] and [D, r]. `gain` [out]: DoRA's magnitude over the
    norm of W + scale B A, by which each output of both is multiplied.
    """

    a: Tensor
    b: Tensor
    scale: float
    bias: Tensor | None = None
    gain: Tensor | None = None

    def to(self, device: torch.device) -> "LowRank":
        bias, gain = (one if one is None else one.to(device) for one in (self.bias, self.gain))
        return LowRank(self.a.to(device), self.b.to(device), self.scale, bias, gain)

    @cached_property
    def b_by_rank(self) -> Tensor:
        """B transposed, [r, out], as the compiled kernels read it."""
        return self.b.T.contiguous()

    @torch.no_grad()
    def merge_into(self, layer: nn.Module) -> None:
        """Makes the layer's own weight and bias what both together are."""
        added = self.b @ self.a * self.scale
        if isinstance(layer, nn.Embedding):
            layer.weight += added.T
            return
        assert isinstance(layer, nn.Linear)
        gain = torch.ones(layer.out_features, device=added.device) if self.gain is None else self.gain
        layer.weight.copy_(gain[:, None] * (layer.weight + added))
        if self.bias is not None:
            bias = gain * self.bias * self.scale
            layer.bias = nn.Parameter(bias if layer.bias is None else layer.bias + bias)

    def applied(self, layer: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """What the layer gives for rows x [n, in], or ids [n] of a table, with the adapter; y [n, out] without it."""
        if isinstance(layer, nn.Embedding):
            return y + F.embedding(x, self.a.T) @ self.b.T * self.scale
        added = F.linear(F.linear(x.to(self.a.dtype), self.a), self.b, self.bias)
        if self.gain is None:
            return y + added * self.scale
        bias = getattr(layer, "bias", None)
        return y + ((self.gain - 1) * (y if bias is None else y - bias) + self.gain * added * self.scale)


@dataclass(frozen=True, eq=False)
class Adapter:
    """What sequences of an adapter have instead of the model's own: layers by their names, keys and values [L, 2, 1, G,
    P, head_dim] of a `prefix` before their first token, or both."""

    layers: Mapping[str, LowRank] = field(default_factory=dict)
    prefix: Tensor | None = None

    @property
    def prefix_length(self) -> int:
        return 0 if self.prefix is None else self.prefix.shape[4]

    @cached_property
    def outside(self) -> "Adapter":
        """Its layers outside of the blocks, which alone change how logits follow from hidden states."""
        return Adapter({name: layer for name, layer in self.layers.items() if not name.startswith("blocks.")})

    def to(self, device: torch.device) -> "Adapter":
        layers = {name: layer.to(device) for name, layer in self.layers.items()}
        return Adapter(layers, None if self.prefix is None else self.prefix.to(device))


class AdaptedLayer(nn.Module):
    """A linear layer or a table, with adapters for the rows of each. With one adapter for all rows it may stay in a
    model."""

    def __init__(self, base: nn.Module, parts: Sequence[tuple[LowRank, Rows]]) -> None:
        super().__init__()
        self.base, self.parts = base, parts

    @property
    def weight(self) -> Tensor | nn.Module:
        """The table's own, where logits are products with it."""
        return self.base.weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AdaptedLayer":
        """Moves, but the adapters stay in float32."""
        super()._apply(fn, recurse)
        device = fn(torch.empty(0)).device
        self.parts = [(low_rank.to(device), rows) for low_rank, rows in self.parts]
        return self

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        inputs, outputs = x.reshape(-1, *x.shape[y.dim() - 1 :]), y.reshape(-1, y.shape[-1])
        for low_rank, rows in self.parts:
            outputs[rows] = low_rank.applied(self.base, inputs[rows], outputs[rows]).to(y.dtype)
        return outputs.view(y.shape)


def find_adapter(adapters: Mapping[str, Adapter], name: str | None) -> Adapter | None:
    """The adapter of that name; None is none. Raises UserError naming the nearest."""
    if name is None:
        return None
    if name not in adapters:
        known = nearest(name, adapters) if adapters else "; none was added to this model"
        raise UserError(f"unknown {argument('adapter')} {name!r}{known}")
    return adapters[name]


def with_adapters(
    model: Model, counts: Sequence[tuple[Adapter | None, int]], device: torch.device, apart: bool = False
) -> Model:
    """The model for one pass over so many rows of each adapter, in that order; itself where no layer is adapted.
    `apart`: each row is multiplied for itself, so that its sums do not depend on how many there are."""
    groups: dict[tuple[Adapter, int], list[int]] = {}
    begin = 0
    for adapter, count in counts:
        if adapter is not None and adapter.layers:
            for row in range(begin, begin + count):
                groups.setdefault((adapter, row if apart else 0), []).append(row)
        begin += count
    parts: dict[str, list[tuple[LowRank, Rows]]] = {}
    for (adapter, _), rows in groups.items():
        together = rows[-1] - rows[0] < len(rows)
        index = slice(rows[0], rows[-1] + 1) if together else torch.tensor(rows, device=device)
        for name, low_rank in adapter.layers.items():
            parts.setdefault(name, []).append((low_rank, index))
    return with_layers(model, {name: partial(AdaptedLayer, parts=one) for name, one in parts.items()})


def with_layers(model: Model, layers: Mapping[str, Callable[[nn.Module], nn.Module]]) -> Model:
    """A copy of the model with other layers in the places named, made of those that are there; all else is shared."""
    if not layers:
        return model
    assert isinstance(model, nn.Module)
    copies: dict[str, nn.Module] = {"": _shell(model)}
    for name, make in layers.items():
        *path, last = name.split(".")
        place, inside = "", copies[""]
        for part in path:
            place = f"{place}.{part}"
            if place not in copies:
                copies[place] = inside._modules[part] = _shell(inside.get_submodule(part))
            inside = copies[place]
        inside._modules[last] = make(inside.get_submodule(last))
    return cast(Model, copies[""])


def new_row(model: LanguageModel, adapter: Adapter | None, capacity: int) -> StoredCache:
    """A cache of one row with room for `capacity` tokens, that begins with the adapter's prefix if it has one."""
    if adapter is None or adapter.prefix is None:
        return model.new_cache(1, capacity)
    assert isinstance(model, nn.Module)
    bare = _shell(model)
    bare.__dict__.pop("prefix", None)
    bare._modules["prefix"] = None  # the model's own, in whose place the adapter's stands
    return PrefixedCache(cast(LanguageModel, bare).new_cache(1, capacity + adapter.prefix_length), adapter.prefix)


def _shell(module: nn.Module) -> nn.Module:
    """A copy that may be given other parts."""
    other = copy(module)
    other._modules = dict(module._modules)
    return other
