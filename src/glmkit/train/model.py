"""The model of a pretraining run: newly initialized for the tokenizer of its data, or one that is there already."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.core.sharded import copy_whole
from glmkit.families.adapter import refuse_adapter
from glmkit.families.assemble import blank
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
        _refuse_tokenizer(config, loaded.tokenizer, tokenizer)
        model, model_config = loaded.model, loaded.config
    else:
        model_config = spec.for_tokenizer(config.model, tokenizer)
        model = spec.build(model_config)
        spec.initialize(model, torch.Generator().manual_seed(config.seed))
    _refuse_lengths(config, model_config, tokenizer)
    return model, model_config


def blank_model(config: PretrainConfig, tokenizer: Tokenizer) -> tuple[nn.Module, ModelConfig]:
    """What `build_model` builds, without memory, for `fill` once it is shared out. Raises as that does."""
    spec = family_of(config.model)
    if config.init_from:
        source = open_model(local(config.init_from), options=_chosen(config))
        _refuse_tokenizer(config, source.tokenizer, tokenizer)
        model, model_config = source.model, source.config
    else:
        model_config = spec.for_tokenizer(config.model, tokenizer)
        model = blank(spec.build, model_config)
    _refuse_lengths(config, model_config, tokenizer)
    return model, model_config


@torch.no_grad()
def fill(model: nn.Module, config: PretrainConfig) -> None:
    """Gives a model that has memory and may be sharded the parameters that `build_model` gives it, one at a time."""
    places = model.state_dict()
    if config.init_from:
        for name, entry in open_model(local(config.init_from), options=_chosen(config)).weights.entries.items():
            entry.copy_to(places[name])
        return
    spec = family_of(config.model)
    shell = blank(spec.build, config.model)
    with FilledWhole({id(shell.get_parameter(name)): places[name] for name, _ in model.named_parameters()}):
        spec.initialize(shell, torch.Generator().manual_seed(config.seed))


class FilledWhole(TorchDispatchMode):
    """Within it what fills a parameter without memory fills a whole tensor, which is copied to the parameter's place.

    `places`: by the id of the parameter. One call (`normal_`, `zero_`, `fill_`) fills a parameter, as `initialize` of
    every family has it: a second one would find nothing of the first.
    """

    def __init__(self, places: Mapping[int, Tensor]) -> None:
        super().__init__()
        self._places = dict(places)

    def __torch_dispatch__(
        self, function: OpOverload, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> object:
        first = args[0] if args else None
        if not isinstance(first, Tensor) or first.device.type != "meta" or not function._schema.is_mutable:
            return function(*args, **(kwargs or {}))
        place = self._places.pop(id(first))
        whole = torch.empty(first.shape, dtype=first.dtype)
        function(whole, *args[1:], **(kwargs or {}))
        copy_whole(place, whole)
        return first

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        assert error[0] or not self._places, "parameters that nothing has filled"


def _refuse_tokenizer(config: PretrainConfig, own: Tokenizer | None, tokenizer: Tokenizer) -> None:
    if own is not None and not _same(own, tokenizer):
        raise UserError(
            f"{config.data} was prepared with another tokenizer than that of {config.init_from}; "
            f"prepare it with --tokenizer {config.init_from}"
        )


def _refuse_lengths(config: PretrainConfig, model_config: ModelConfig, tokenizer: Tokenizer) -> None:
    """Raises UserError for texts that are longer than the model's positions."""
    spec = family_of(model_config)
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


def _same(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether two tokenizers give the same ids; the format of conversations is no part of that."""
    return one.with_chat(None).fingerprint == other.with_chat(None).fingerprint
