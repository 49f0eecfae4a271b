"""A model from weights that lie in files: built without memory, then filled tensor by tensor.

    a tensor read -> under our name, packed as ours -> dtype and device -> placed -> the file's pages freed

At any moment there is the model so far and one tensor of the file, so loading takes hardly more memory than the model.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.views import as_native
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import UserError, argument, nearest
from glmkit.families.spec import Config
from glmkit.quantization.plan import PLANS, Plan

Module = TypeVar("Module", bound=nn.Module)
Place = Callable[[nn.Module, str, Tensor], None]
Reading = Callable[[Entry, torch.dtype, str], Tensor]  # in that type, on that device
Progress = Callable[[int, int], None]  # bytes read, of how many


def unwatched(done: int, total: int) -> None:
    """The progress nobody watches."""


def assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    """Assigns a weight to the module of that name, as the parameter or buffer it is there."""
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    if leaf in module._parameters:
        module._parameters[leaf] = nn.Parameter(tensor, requires_grad=tensor.is_floating_point())
    else:
        module._buffers[leaf] = tensor


def put_quantized(plan: Plan, model: nn.Module, name: str, tensor: Tensor) -> None:
    """Places a weight as `assign`; that of a linear layer quantized, in a layer that computes with it."""
    path, _, leaf = name.rpartition(".")
    layer = model.get_submodule(path)
    quantized = plan.quantize(path, layer, tensor) if leaf == "weight" and type(layer) is nn.Linear else None
    if quantized is None:
        assign(model, name, tensor)
    else:
        model.set_submodule(path, quantized)


def make_assigner(quantize: str | Plan | None) -> Place:
    """How weights are placed under `quantize`: where a Linear turns into a quantized one, whose weight comes in its
    final dtype and on its device. Raises UserError naming the nearest."""
    if quantize is None:
        return assign
    if isinstance(quantize, Plan):
        return partial(put_quantized, quantize)
    if quantize not in PLANS:
        raise UserError(f"unknown {argument('quantize')} {quantize!r}{nearest(quantize, PLANS)}")
    return partial(put_quantized, PLANS[quantize])


def blank(build: Callable[[Config], Module], config: Config) -> Module:
    """The model without memory: names and shapes."""
    with torch.device("meta"):
        return build(config)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what a model's files hold."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def assemble(
    build: Callable[[Config], Module],
    config: Config,
    weights: Weights,
    statemap: StateMap,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
) -> Module:
    """The model `build(config)` from weights as a file names them. Raises what `as_native` raises."""
    model = blank(build, config)
    return materialize(model, as_native(weights, statemap, shapes(model), {}), dtype=dtype, device=device)


def copied(entry: Entry, dtype: torch.dtype, device: str) -> Tensor:
    """The tensor in memory of its own."""
    own = torch.empty(entry.shape, dtype=dtype, device=device)
    entry.copy_to(own)
    return own


def as_it_lies(entry: Entry, dtype: torch.dtype, device: str) -> Tensor:
    """The tensor in the mapped file, where it is there in that type; what is written to it never reaches the file."""
    return entry.read() if entry.dtype == dtype and device == "cpu" else copied(entry, dtype, device)


def materialize(
    model: Module,
    weights: Weights,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    place: Place = assign,
    progress: Progress = unwatched,
    reading: Reading = copied,
) -> Module:
    """Gives a `blank` model memory and the weights of its names, and puts it into evaluation mode.

    `dtype` None means the one most of the file is in. Buffers (integers and scales of quantized weights) keep theirs.
    """
    kind, buffers = dtype or weights.main_dtype, dict(model.named_buffers())
    total, done = sum(entry.bytes for entry in weights.entries.values()), 0
    for name, entry in weights.entries.items():
        place(model, name, reading(entry, buffers[name].dtype if name in buffers else kind, device))
        done += entry.bytes
        progress(done, total)
    return model.eval()
