"""P-tuning checkpoints: a prefix alone, applied to the model it was trained for."""

import copy
from dataclasses import replace
from pathlib import Path

from torch import nn

from glmkit.conversion.choice import check_inside, choose
from glmkit.conversion.statemap import Rule, StateMap, listed
from glmkit.conversion.weights import Weights, open_weights
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.json_types import JsonObject
from glmkit.families.assemble import assemble
from glmkit.families.spec import Config, FamilySpec, OwnModel

EXTERNAL, _SHORT = "transformer.prefix_encoder.", "prefix_encoder."
RULES = tuple(
    Rule(f"prefix.{ours}", f"{EXTERNAL}{theirs}")
    for ours, theirs in (
        ("embedding.weight", "embedding.weight"),
        ("projection.0.weight", "trans.0.weight"),
        ("projection.0.bias", "trans.0.bias"),
        ("projection.2.weight", "trans.2.weight"),
        ("projection.2.bias", "trans.2.bias"),
    )
)


def prefix_fields(weights: Weights) -> JsonObject:
    """The config's fields about the prefix that is among the weights."""
    projected = f"{EXTERNAL}trans.0.weight" in set(weights.keys())
    return {"num_prefix": weights.matrix(f"{EXTERNAL}embedding.weight")[0], "prefix_projection": projected}


def is_of_prefix(key: str) -> bool:
    """Whether a weight of that name is of a prefix."""
    return key.startswith((EXTERNAL, _SHORT))


def open_prefix(directory: Path) -> Weights:
    """The weights of the prefix alone in `directory`, under their official names.

    Raises UserError for a directory that holds none, or a whole model.
    """
    for name in choose(directory).files:
        check_inside(directory, name)
    weights = open_weights(directory)
    keys = weights.keys()
    if others := [key for key in keys if not is_of_prefix(key)]:
        if len(others) == len(keys):
            raise UserError(f"{directory} holds no prefix of P-tuning (no {EXTERNAL}embedding.weight)")
        raise UserError(
            f"{directory} is a whole model with its prefix ({listed(others)}), not a prefix alone: give it as the "
            "model, with the config.json of its training"
        )
    return Weights(
        weights.where, {f"{EXTERNAL}{key.partition(_SHORT)[2]}": weights.entries[key] for key in keys}, weights.facts
    )


def attach_prefix(spec: FamilySpec, config: Config, model: OwnModel, directory: Path) -> tuple[Config, OwnModel]:
    """The model with the prefix in `directory` attached, and its config; all other weights are shared."""
    if not hasattr(config, "num_prefix"):
        raise UserError(f"a model of family {spec.name} takes no prefix, so none is read from {directory}")
    weights = open_prefix(directory)
    if f"{EXTERNAL}embedding.weight" not in weights.entries:
        raise CorruptFile(f"{directory} lacks {EXTERNAL}embedding.weight of its prefix; copy it again")
    prefixed = replace(config, **prefix_fields(weights))
    parameter = next(model.parameters())
    encoder = assemble(
        lambda config: nn.ModuleDict({"prefix": spec.build(config).prefix}),
        prefixed,
        weights,
        StateMap(RULES),
        dtype=parameter.dtype,
        device=str(parameter.device),
    )
    behind = copy.copy(model)
    behind._modules = dict(model._modules) | {"prefix": encoder["prefix"]}
    behind.__dict__.pop("prefix", None)
    behind.config = prefixed
    return prefixed, behind
