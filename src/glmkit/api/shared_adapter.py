"""An adapter over a model that is in memory already: both are there, and the weights once."""

import os
from pathlib import Path

from glmkit.api.load import Model
from glmkit.families.adapter import CONFIG, adapter_at, check_base
from glmkit.families.load import Loaded, open_model
from glmkit.nn.shared_copy import shared_copy
from glmkit.train.lora_config import CHANGES_BASE, read_lora_config
from glmkit.train.lora_weights import read_tensors
from glmkit.train.methods import lay_adapter


def shares_weights(model: Model, adapter: Path) -> bool:
    """Whether an adapter leaves the weights of its model as they are, so that the model may be used beside it."""
    place = adapter_at(adapter)
    if not os.path.lexists(place / CONFIG):  # a prefix of P-tuning stands beside the weights
        return True
    changes = read_lora_config(place).get("init_lora_weights") in CHANGES_BASE
    return not changes and not read_tensors(place, model.module, model.family, model.config).whole


def with_adapter(model: Model, base: Path, adapter: Path) -> Model:
    """The model read from the directory `base` with an adapter that shares its weights (`shares_weights`); `model` goes
    on as it is. Raises UserError for an adapter of another model."""
    place = adapter_at(adapter)
    check_base(place, open_model(base))
    module = shared_copy(model.module)
    loaded = lay_adapter(Loaded(model.family, model.config, module, model._tokenizer, model._missing), place)
    over = Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
    over.trained, over.origin = model.trained, adapter
    return over
