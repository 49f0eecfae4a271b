"""The weights of a LoRA adapter, ours or somebody's, under the names of the model it lies over.

base_model.model.LAYER.lora_A.weight            A of a layer; also lora_B, lora_magnitude_vector (DoRA),
base_model.model.LAYER.lora_A.default.weight    lora_embedding_A; with the adapter's name where others saved them
base_model.model.LAYER.weight                   a weight that takes the place of the model's (modules_to_save, bias)
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from glmkit.conversion.choice import check_inside
from glmkit.conversion.statemap import SAME, Packing, StateMap, listed
from glmkit.conversion.weights import open_file
from glmkit.conversion.wrappers import bare
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.json_types import Table
from glmkit.families.adapter import BIN, CONFIG, SAFE
from glmkit.families.spec import FamilySpec, ModelConfig
from glmkit.nn.quantized import QuantizedLinear

_PART = re.compile(r"(?P<layer>.+)\.(?P<part>lora_\w+)(\.(?P<adapter>[^.]+))??(\.(?P<leaf>weight|bias))?")
_SAVED = re.compile(r"\.modules_to_save(\.[^.]+)?(?=\.[^.]+$)")
_PACKED = ("lora_B", "lora_magnitude_vector")  # [out, ...]: as the layer's own rows are packed


@dataclass(frozen=True)
class AdapterTensors:
    """An adapter's tensors. `layers`: every layer an adapter may be of, its name in the adapter -> the model's;
    `held`: those it is of; `adapters` and `whole` (weights that take the place of the model's): by the model's names;
    `replaced`: names in the adapter of the modules that `whole` is of."""

    layers: Mapping[str, str]
    held: Mapping[str, str]
    adapters: Mapping[str, Tensor]
    whole: Mapping[str, Tensor]
    modules: frozenset[str]
    replaced: frozenset[str]


def read_tensors(directory: Path, model: nn.Module, spec: FamilySpec, config: ModelConfig) -> AdapterTensors:
    """The adapter in `directory` for a model; B of a layer that others pack in another way is packed as ours.

    Raises UserError for an adapter of layers or weights that the model does not have.
    """
    parts, whole = _parted(directory)
    ours: dict[str, tuple[str, Packing]] = {name: (name, SAME) for name in _weights(model)}
    layouts = [ours, *(_by_external_name(layout.statemap(config), model) for layout in spec.formats)]
    needed = [f"{layer}.weight" for layer, _ in parts] + list(whole)
    lacking = [[name for name in needed if name not in names] for names in layouts]
    best = min(range(len(layouts)), key=lambda number: len(lacking[number]))
    if lacking[best]:
        name = lacking[best][0]
        what = f"layer {name.removesuffix('.weight')}" if name not in whole else f"weight {name}"
        why = " (modules_to_save, bias)" if name in whole else ""
        raise UserError(f"{directory} is an adapter of another model: this one has no {listed([what])}{why}")
    names = layouts[best]
    adapters = {}
    for (layer, part), tensor in parts.items():
        place, packing = names[f"{layer}.weight"]
        packed = packing.to_native([tensor]) if part.startswith(_PACKED) and _fits(tensor, model, place) else tensor
        adapters[f"{place.removesuffix('.weight')}.{part}"] = packed
    modules = frozenset(name.rpartition(".")[0] for name in names)
    layers = {
        name.removesuffix(".weight"): place.removesuffix(".weight")
        for name, (place, _) in names.items()
        if place.endswith(".weight") and _adaptable(model.get_submodule(place.removesuffix(".weight")))
    }
    return AdapterTensors(
        layers=layers,
        held={layer: names[f"{layer}.weight"][0].removesuffix(".weight") for layer, _ in parts},
        adapters=adapters,
        whole={names[name][0]: _whole(model, *names[name], tensor) for name, tensor in whole.items()},
        modules=modules,
        replaced=frozenset(name.rpartition(".")[0] for name in whole),
    )


def own_tensors(directory: Path) -> dict[str, Tensor]:
    """A and B of an adapter of ours, by the model's names."""
    return {f"{layer}.{part}": tensor for (layer, part), tensor in _parted(directory)[0].items()}


def check_saved(directory: Path, table: Table, tensors: AdapterTensors) -> None:
    """Raises CorruptFile when a module that the config says was saved whole is not among the weights."""
    for name in table.get("modules_to_save") or ():
        for module in sorted(tensors.modules - tensors.replaced):
            if module == name or module.endswith(f".{name}"):
                raise CorruptFile(f"{directory} lacks the weights of {module}, which modules_to_save of {CONFIG} names")


@torch.no_grad()
def replace_weights(directory: Path, model: nn.Module, whole: Mapping[str, Tensor]) -> None:
    """Puts weights in the place of the model's. Raises UserError over quantized layers, CorruptFile for other sizes."""
    places = model.state_dict()
    for name, tensor in whole.items():
        if isinstance(model.get_submodule(name.rpartition(".")[0]), QuantizedLinear):
            raise UserError(
                f"{directory} replaces {name} (modules_to_save, bias), and this model is quantized: load it without, "
                "or merge the adapter into the original and quantize that"
            )
        if places[name].shape != tensor.shape:
            result, wanted = tuple(tensor.shape), tuple(places[name].shape)
            raise CorruptFile(f"{directory}: {name} has shape {result}, not {wanted}: of another model")
        places[name].copy_(tensor)


def _parted(directory: Path) -> tuple[dict[tuple[str, str], Tensor], dict[str, Tensor]]:
    """Tensors of adapters by layer and part ("lora_A.weight"), and whole weights, by the adapter's own names."""
    name = next((name for name in (SAFE, BIN) if os.path.lexists(directory / name)), None)
    if name is None:
        raise CorruptFile(f"{directory} lacks {SAFE} (or {BIN}), the weights of the adapter; copy it too")
    check_inside(directory, name)
    weights = open_file(directory / name)
    parts: dict[tuple[str, str], Tensor] = {}
    whole: dict[str, Tensor] = {}
    for key, entry in weights.entries.items():
        plain = bare(key)
        if ".original_module." in plain:  # the model's own, beside the one that took its place
            continue
        if match := _PART.fullmatch(plain):
            leaf = match["leaf"] or ("" if "embedding" in match["part"] else "weight")
            place = (match["layer"], f"{match['part']}.{leaf}" if leaf else match["part"])
            taken = place in parts
            parts[place] = entry.read()
        else:
            plain = _SAVED.sub("", plain)
            taken = plain in whole
            whole[plain] = entry.read()
        if taken:
            raise CorruptFile(f"{directory / name} holds {listed([plain])} twice: two adapters in one file")
    if not parts:
        raise CorruptFile(f"{directory / name} holds no LoRA adapter (no lora_A); copy the adapter again")
    return parts, whole


def _weights(model: nn.Module) -> list[str]:
    """Names of the weights and biases of a model, quantized ones among them."""
    coded = [(name, part.bias is not None) for name, part in model.named_modules() if isinstance(part, QuantizedLinear)]
    inside = tuple(f"{name}." for name, _ in coded)
    names = [name for name in model.state_dict() if not name.startswith(inside)] if inside else list(model.state_dict())
    for name, biased in coded:
        names += [f"{name}.weight", *([f"{name}.bias"] if biased else [])]
    return names


def _by_external_name(statemap: StateMap, model: nn.Module) -> dict[str, tuple[str, Packing]]:
    """Weights that are one of theirs: their name -> our name, and the packing."""
    bound = statemap.external(_weights(model))
    return {place.keys[0]: (name, place.packing) for name, place in bound.items() if len(place.keys) == 1}


def _fits(tensor: Tensor, model: nn.Module, place: str) -> bool:
    """Whether a tensor has a row for each of the layer's outputs; one that has not is refused where it is put."""
    layer = model.get_submodule(place.removesuffix(".weight"))
    return tensor.dim() > 0 and tensor.shape[0] == getattr(layer, "out_features", None)


def _whole(model: nn.Module, place: str, packing: Packing, tensor: Tensor) -> Tensor:
    """A weight packed as ours, if it is of its size; one that is not is refused where it is put."""
    wanted = model.state_dict().get(place)
    return packing.to_native([tensor]) if wanted is not None and wanted.shape == tensor.shape else tensor


def _adaptable(part: nn.Module) -> bool:
    return isinstance(part, nn.Linear | nn.Embedding | QuantizedLinear)
