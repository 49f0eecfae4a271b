"""The model of a pretraining run: newly initialized for the tokenizer of its data, or one that is there already."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.families.adapter import refuse_adapter
from glmkit.families.hub import local
from glmkit.families.load import open_model, read
from glmkit.families.registry import family_of
from glmkit.families.spec import ModelConfig
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.config import PretrainConfig


def continued(config: PretrainConfig) -> PretrainConfig:
    """The config of a run that begins from `init_from`, with the sizes of that model in place of its own.

    Of `model` the dropout alone counts. Raises UserError for a model of another family.
    """
    refuse_adapter(Path(config.init_from))
    source = open_model(local(config.init_from))
    spec, given = source.detected.family, family_of(config.model)
    if spec is not given:
        raise UserError(
            f"{config.init_from} is a {spec.name}, the model of this run a {given.name}: begin from a recipe of "
            f"{spec.name}"
        )
    return replace(config, model=replace(source.config, **_chosen(config)))


def _chosen(config: PretrainConfig) -> JsonObject:
    """Of the model's config, what is no part of a model that is there already."""
    return {name: getattr(config.model, name) for name in ("dropout",) if name in family_of(config.model).options}


def build_model(config: PretrainConfig, tokenizer: Tokenizer) -> tuple[nn.Module, ModelConfig]:
    """The model to train and its config. Raises UserError when tokenizer and model differ, or texts are too long."""
    spec = family_of(config.model)
    if config.init_from:
        loaded = read(local(config.init_from), dtype=torch.float32, options=_chosen(config))
        if loaded.tokenizer is not None and not _same(loaded.tokenizer, tokenizer):
            raise UserError(
                f"{config.data} was prepared with another tokenizer than that of {config.init_from}; "
                f"prepare it with --tokenizer {config.init_from}"
            )
        model, model_config = loaded.model, loaded.config
    else:
        model_config = spec.for_tokenizer(config.model, tokenizer)
        model = spec.build(model_config)
        spec.initialize(model, torch.Generator().manual_seed(config.seed))
    if config.seq_length > model_config.max_positions:
        raise UserError(
            f"seq_length {config.seq_length} is longer than the {model_config.max_positions} positions of the model; "
            "lower it"
        )
    ratio = max(config.objective.ratio, config.objective.ratio_end)
    blanks = max(1, int(ratio * config.seq_length))  # at most, each with two tokens of its own
    written = config.seq_length + 2 * blanks
    if (
        config.objective.infill
        and not spec.prompt(tokenizer.special).bidirectional
        and written > model_config.max_positions
    ):
        raise UserError(
            f"texts of seq_length {config.seq_length} with their blanks behind them take up to {written} positions, "
            f"the model has {model_config.max_positions}; lower seq_length"
        )
    return model, model_config


def _same(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether two tokenizers give the same ids; the format of conversations is no part of that."""
    return one.with_chat(None).fingerprint == other.with_chat(None).fingerprint
