"""The weights of a LoRA adapter, whoever saved them: under our names, packed as ours.

base_model.model.transformer.layers.0.attention.query_key_value.lora_B.default.weight    in somebody's file
blocks.0.attention.qkv.lora_B                                                            here
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from glmkit.convert.choice import check_own_file
from glmkit.convert.statemap import SAME, Packing, StateMap, listed
from glmkit.convert.weights import open_file
from glmkit.convert.wrappers import without_wrappers
from glmkit.core.errors import CorruptFile, UserError
from glmkit.families.adapter_files import WEIGHTS
from glmkit.families.spec import FamilySpec
from glmkit.nn.quantised import QuantisedLinear

A, B, MAGNITUDE = "lora_A", "lora_B", "lora_magnitude_vector"
# A layer, the part of its adapter, the adapter's name where it was saved with it, and what torch calls the tensor.
_NAME = re.compile(rf"(?P<layer>.+)\.(?P<part>{A}|{B}|{MAGNITUDE})(?:\.(?P<adapter>[^.]+))??(?:\.weight)?", re.DOTALL)


@dataclass(frozen=True)
class LoraWeights:
    """`tensors`: layer of ours and part ("blocks.0.mlp.up.lora_A") -> tensor; `layers`: their names -> ours."""

    file: Path
    tensors: Mapping[str, Tensor]
    layers: Mapping[str, str]


def read_weights(directory: Path, model: nn.Module, spec: FamilySpec, config: Any) -> LoraWeights:
    """The adapter's weights in `directory`, whose names are ours or those of a published layout of the family.

    Raises UserError for weights that are no LoRA over linear layers of the model's blocks, CorruptFile for damage.
    """
    file, tensors = read_tensors(directory)
    layers = {name.rpartition(".")[0] for name in tensors}
    places = _places(layers, model, spec, config, directory)
    found = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        ours, packing = places[layer]
        found[f"{ours}.{part}"] = tensor if part == A else packing.to_native([tensor])
    return LoraWeights(file, found, {layer: ours for layer, (ours, _) in places.items()})


def read_tensors(directory: Path) -> tuple[Path, dict[str, Tensor]]:
    """The file of `directory` that peft would read, and its tensors by layer and part.

    Raises UserError for tensors that are no part of a LoRA over linear layers, CorruptFile for damage.
    """
    there = [name for name in WEIGHTS if os.path.lexists(directory / name)]
    if not there:
        raise CorruptFile(f"{directory} has no {WEIGHTS[0]}; copy the adapter again")
    file = directory / there[0]
    check_own_file(file)
    weights = open_file(file)
    found: dict[str, Tensor] = {}
    adapters = set()
    for key in weights.keys():  # noqa: SIM118 (not a mapping)
        parts = _NAME.fullmatch(without_wrappers(key))
        if parts is None:
            raise UserError(
                f"{file} holds {listed([key])}, which is no LoRA of a linear layer; merge the adapter with peft first: "
                f"PeftModel.from_pretrained(MODEL, {str(directory)!r}).merge_and_unload().save_pretrained(OUT)"
            )
        name = f"{parts['layer']}.{parts['part']}"
        adapters.add(parts["adapter"])
        if name in found or len(adapters) > 1:
            raise CorruptFile(f"{file} holds more than one adapter ({listed([key])}); save one of them alone")
        found[name] = weights.get(key)
    if not found:
        raise CorruptFile(f"{file} holds no weights; copy the adapter again")
    return file, found


def part_of(name: str) -> str:
    """The name of a parameter of peft's, as this module has it."""
    parts = _NAME.fullmatch(name)
    assert parts is not None, name
    return f"{parts['layer']}.{parts['part']}"


def _places(
    layers: set[str], model: nn.Module, spec: FamilySpec, config: Any, where: Path
) -> dict[str, tuple[str, Packing]]:
    """For each layer of the file, ours and how theirs packs its rows."""
    ours = [name for name, part in model.named_modules() if name.startswith("blocks.") and _linear(part)]
    known = [{name: (name, SAME) for name in ours}]
    known += [_by_foreign_name(layout.statemap(config), ours) for layout in spec.formats]
    best = max(known, key=lambda names: len(layers & names.keys()))
    if strange := sorted(layers - best.keys()):
        raise UserError(
            f"{where} is an adapter of another model, or of layers that are no matrix of their own here: this one has "
            f"no linear layer {listed(strange[:1])} in its blocks"
        )
    return {layer: best[layer] for layer in sorted(layers)}


def _by_foreign_name(statemap: StateMap, ours: list[str]) -> dict[str, tuple[str, Packing]]:
    """Layers that are one of theirs: their name -> our name, and the packing."""
    bound = statemap.foreign([f"{name}.weight" for name in ours])
    return {
        found.keys[0].removesuffix(".weight"): (name.removesuffix(".weight"), found.packing)
        for name, found in bound.items()
        if len(found.keys) == 1
    }


def _linear(part: nn.Module) -> bool:
    return isinstance(part, nn.Linear | QuantisedLinear)
