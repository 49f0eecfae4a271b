"""What of a model is trained, and what is kept of it: all of it, low-rank adapters, or a prefix.

| method | trains | keeps | over quantized weights |
|---|---|---|---|
| full | every weight | a model | no |
| lora | A and B beside the blocks' layers | an adapter that names its base | yes |
| ptuning | keys and values before the text (ChatGLM) | the same | yes |
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import Table
from glmkit.families import directory
from glmkit.families.adapter import CONFIG as LORA
from glmkit.families.adapter import AdapterOf
from glmkit.families.load import Loaded
from glmkit.families.prefix import attach_prefix
from glmkit.nn.lora import Adapter
from glmkit.nn.quantized import is_quantized
from glmkit.train.lora import LoraConfig, add_lora, apply_lora, low_rank_layers, restore_lora, write_lora
from glmkit.train.ptuning import PrefixConfig, add_prefix, restore_prefix, write_prefix

Name = Literal["full", "lora", "ptuning"]

# The peak learning rate of each unless another is asked for. The official P-tuning recipe has 2e-2, under which a
# model forgets what it knew and a projected prefix diverges.
PEAKS: Mapping[Name, float] = {"full": 2e-5, "lora": 2e-4, "ptuning": 5e-3}

NOT_IN_FULL = "a quantized model cannot be trained in full: its weights are integers"


def method_called(name: object, where: str = "") -> Name:
    """The method of a name. Raises UserError for none, which begins with `where`."""
    known: Name
    for known in PEAKS:
        if isinstance(name, str) and known == name:
            return known
    raise UserError(f"{where}unknown method {short(name)}{nearest(str(name)[:64], PEAKS)}")


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A model made ready by a method: `write` puts what is kept of it into a directory, `restore` takes it back."""

    loaded: Loaded
    write: Callable[[Path, Table], None]
    restore: Callable[[Path, nn.Module], None]


def tune(method: Name, loaded: Loaded, base: AdapterOf, lora: LoraConfig, prefix: PrefixConfig, seed: int) -> Tuned:
    """The model with what `method` trains. `base` is what an adapter says of it. Raises UserError."""
    if method == "full":
        if is_quantized(loaded.model):
            raise UserError(f"{NOT_IN_FULL}; use method=lora or method=ptuning, or start from the original")
        whole = partial(write_model, loaded=loaded)
        return Tuned(loaded=loaded, write=whole, restore=directory.restore)
    if method == "lora":
        add_lora(loaded.model, lora, seed)

        def write_adapter(path: Path, record: Table) -> None:
            write_lora(path, loaded.model, base.base)
            _write_record(path, base, record)

        return Tuned(loaded=loaded, write=write_adapter, restore=restore_lora)
    config, model = add_prefix(loaded.family, loaded.config, loaded.model, prefix, seed)

    def write(path: Path, record: Table) -> None:
        write_prefix(path, model)
        _write_record(path, base, record)

    return Tuned(loaded=replace(loaded, config=config, model=model), write=write, restore=restore_prefix)


def lay_adapter(loaded: Loaded, adapter: Path) -> Loaded:
    """The model with the adapter in a directory: LoRA as peft writes it, or a prefix of P-tuning.

    Raises UserError for one of another model.
    """
    if os.path.lexists(adapter / LORA):
        apply_lora(adapter, loaded.model, loaded.family, loaded.config)
        return loaded
    config, model = attach_prefix(loaded.family, loaded.config, loaded.model, adapter)
    return replace(loaded, config=config, model=model)


def load_adapter(loaded: Loaded, adapter: Path) -> Adapter:
    """The adapter in a directory, for some of the sequences of a model, which stays as it is.

    Raises UserError for one of another model, and for LoRA that changes the model's own weights.
    """
    if os.path.lexists(adapter / LORA):
        return Adapter(low_rank_layers(adapter, loaded.model, loaded.family, loaded.config))
    _, model = attach_prefix(loaded.family, loaded.config, loaded.model, adapter)
    with torch.no_grad():
        return Adapter(prefix=model.prefix(1).contiguous())


def write_model(path: Path, record: Table | None, loaded: Loaded) -> None:
    """A whole model directory."""
    directory.write(path, loaded.family, loaded.config, loaded.model, loaded.tokenizer, record)


def _write_record(path: Path, base: AdapterOf, record: Table) -> None:
    base.write(path)
    (path / directory.RUN).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
