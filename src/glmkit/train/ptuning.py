"""P-tuning v2 (Liu et al. 2022): of a frozen model only a prefix of keys and values is learned."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glmkit.conversion.statemap import StateMap
from glmkit.conversion.weights import open_weights
from glmkit.conversion.write import write_tensors
from glmkit.core.config import check_settings
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.kinds import number, whole
from glmkit.core.sharded import compute_device
from glmkit.families.assemble import blank
from glmkit.families.prefix import RULES
from glmkit.families.spec import FamilySpec

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class PrefixConfig:
    """`num` keys and values before the text, from a table alone or through two layers (`projection`)."""

    num: int = 128
    projection: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_settings(self, {"num": whole(1), "dropout": number(low=0, below=1)}, "ptuning.")


def add_prefix(spec: FamilySpec, config: Any, model: Any, prefix: PrefixConfig, seed: int) -> tuple[Any, Any]:
    """The config and the model with a new prefix in float32, of which it alone is trainable; the weights are shared.

    Raises UserError for a family that takes no prefix.
    """
    if not hasattr(config, "num_prefix"):
        raise UserError(f"a model of family {spec.name} takes no prefix: use method=lora or method=full")
    wider = replace(config, num_prefix=prefix.num, prefix_projection=prefix.projection)
    encoder = blank(spec.build, wider).prefix.to_empty(device="cpu").float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in encoder.modules():
            if isinstance(part, nn.Embedding):
                nn.init.normal_(part.weight, std=0.02)  # small keys and values: training starts near the model itself
            elif isinstance(part, nn.Linear):
                part.reset_parameters()
    encoder.dropout.p = prefix.dropout
    behind = copy.copy(model)
    behind._modules = dict(model._modules) | {"prefix": encoder.to(compute_device(model))}
    behind.__dict__.pop("prefix", None)
    behind.config = wider
    for name, parameter in behind.named_parameters():
        parameter.requires_grad_(name.startswith("prefix."))
    return wider, behind


def write_prefix(directory: Path, model: nn.Module) -> None:
    """The prefix alone, under its official names: `with_prefix` and the official code read it."""
    tensors = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("prefix.")}
    bound = StateMap(RULES).external(list(tensors))
    write_tensors(directory / WEIGHTS, {bound[name].keys[0]: tensor for name, tensor in tensors.items()})


@torch.no_grad()
def restore_prefix(directory: Path, model: nn.Module) -> None:
    """Puts the prefix in `directory` into the one a model has. Raises CorruptFile."""
    weights = open_weights(directory)
    places = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("prefix.")}
    bound = StateMap(RULES).external(list(places))
    for name, place in places.items():
        key = bound[name].keys[0]
        if key not in weights.entries or weights.shape(key) != tuple(place.shape):
            raise CorruptFile(f"{directory / WEIGHTS} holds no {key} of shape {tuple(place.shape)}")
        weights.entries[key].copy_to(place)
