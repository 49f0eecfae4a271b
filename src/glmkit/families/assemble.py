"""A model from weights that lie in files: built without memory, then filled tensor by tensor.

    names bound -> a tensor read -> made ours -> grown, if asked -> dtype and device -> placed -> the file's pages freed

At any moment there is the model so far and one tensor of the file, so loading takes hardly more memory than the model.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from glmkit.convert.statemap import StateMap, same_names
from glmkit.convert.weights import Weights, borrowed
from glmkit.core.errors import CorruptFile, UserError, nearest
from glmkit.families.codes import expect_codes

Place = Callable[[nn.Module, str, Tensor], None]
Progress = Callable[[int, int], None]  # bytes read, of how many


def put(model: nn.Module, name: str, tensor: Tensor) -> None:
    """Places a weight where the module of that name has one, as the parameter or buffer it is there."""
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    if leaf in module._parameters:
        trainable = tensor.is_floating_point()
        module._parameters[leaf] = nn.Parameter(tensor, requires_grad=trainable)
    else:
        module._buffers[leaf] = tensor


# How a weight is placed, by what the user asked for. This is where a Linear turns into a quantised one: `Place` gets
# the model, the name and the weight in its final dtype and on its device, and may put another module there.
PLACES: dict[str | None, Place] = {None: put}


def placing(quantize: str | None) -> Place:
    """How weights are placed under `quantize`. Raises UserError naming the nearest."""
    if quantize not in PLACES:
        raise UserError(f"unknown quantisation {quantize!r}{nearest(str(quantize), [str(name) for name in PLACES])}")
    return PLACES[quantize]


def assemble(
    build: Callable[[Any], Any],
    config: Any,
    weights: Weights,
    statemap: StateMap | None,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    grow: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    place: Place = put,
    progress: Progress = lambda done, total: None,
) -> Any:
    """The model `build(config)` with the weights of the file, in evaluation mode.

    `statemap` None means that the file uses our names; `dtype` None keeps the one most of the file is in.
    Raises CorruptFile for keys that are missing or left over and for shapes that are not the model's.
    """
    with torch.device("meta"):
        model = build(config)
    if statemap is not None:
        expect_codes(model, statemap, weights)
    wanted, buffers = model.state_dict(), dict(model.named_buffers())
    places = (statemap or same_names(wanted)).bind(wanted, weights.keys(), weights.where)
    total = sum(weights.bytes(key) for bound in places.values() for key in bound.keys)
    kind, done = dtype or main_dtype(weights), 0
    for name, bound in places.items():
        with borrowed(weights, bound.keys) as tensors:
            tensor = grown(name, _native(name, bound.packing.to_native, tensors, weights), grow)
            if tensor.shape != wanted[name].shape:
                raise CorruptFile(
                    f"{weights.where}: {', '.join(bound.keys)} is {list(tensor.shape)}, "
                    f"the model's config asks for {list(wanted[name].shape)}"
                )
            place(model, name, _owned(tensor, buffers[name].dtype if name in buffers else kind, device))
        done += sum(weights.bytes(key) for key in bound.keys)
        progress(done, total)
    return model.eval()


def main_dtype(weights: Weights) -> torch.dtype:
    """The floating type that most of the numbers are in."""
    sizes: Counter[torch.dtype] = Counter()
    for key in weights.keys():  # noqa: SIM118 (not a mapping)
        if weights.dtype(key).is_floating_point:
            sizes[weights.dtype(key)] += weights.bytes(key)
    return sizes.most_common(1)[0][0] if sizes else torch.float32


def grown(name: str, tensor: Tensor, grow: Mapping[str, Callable[[Tensor], Tensor]] | None) -> Tensor:
    return grow[name](tensor) if grow and name in grow else tensor


def _native(
    name: str, to_native: Callable[[list[Tensor]], Tensor], tensors: Iterable[Tensor], weights: Weights
) -> Tensor:
    try:
        return to_native(list(tensors))
    except RuntimeError as error:  # sizes that do not fit each other
        raise CorruptFile(f"{weights.where}: {name} cannot be put together ({error}); not the model it says") from None


def _owned(tensor: Tensor, dtype: torch.dtype, device: str) -> Tensor:
    """The tensor in memory of its own."""
    return torch.empty(tensor.shape, dtype=dtype, device=device).copy_(tensor)
