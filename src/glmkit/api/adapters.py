"""Adapters by name: one model, and each request with an adapter of its own, all of them written together."""

import os
from collections.abc import Callable
from pathlib import Path

from glmkit.api.arguments import checked
from glmkit.api.core import Core
from glmkit.core.errors import UserError
from glmkit.core.machine import give_back_memory
from glmkit.families.adapter import CONFIG, adapter_at, check_base
from glmkit.families.load import Loaded, Source
from glmkit.nn.lora import find_adapter
from glmkit.train.lora_config import CHANGES_BASE, read_lora_config
from glmkit.train.lora_weights import read_tensors
from glmkit.train.methods import load_adapter


class Adapts(Core):
    """The ability to write with adapters beside the model itself. `source` opens the files it was loaded from, of which
    an adapter says that it was trained on them; `applied` is an adapter that the whole model was loaded with."""

    source: Callable[[], Source] | None = None
    applied: Path | None = None

    def add_adapter(self, name: str, path: str | Path) -> None:
        """Reads the adapter in the directory `path`, LoRA or a prefix of P-tuning, for the calls that take
        `adapter=name`; whatever takes none goes on with the model itself, and several are written together.

        It takes the memory of its own weights alone. `path` is what `load(adapter=...)` takes. Raises UserError for a
        name that is taken, for a directory without an adapter or with one of another model, and for LoRA that changes
        weights of the model itself (modules_to_save, bias, PiSSA, OLoRA); CorruptFile for one that is not whole.
        """
        checked(name=name, path=path)
        if not name:
            raise UserError("name of an adapter must not be empty")
        if name in self.adapters:
            raise UserError(f"this model has an adapter {name!r} already; remove_adapter({name!r}) first")
        if self.applied is not None:
            raise UserError(
                f"{self.applied} is applied to this model as a whole; load the model without it and add both adapters"
            )
        directory = adapter_at(Path(path))
        if self.source is not None:
            check_base(directory, self.source())
        self.adapters[name] = load_adapter(Loaded(self.family, self.config, self.module, self._tokenizer), directory)

    def remove_adapter(self, name: str) -> None:
        """Forgets an adapter; what is being written with it is written to its end. Raises UserError for one that was
        not added."""
        checked(name=name)
        find_adapter(self.adapters, name)
        del self.adapters[name]
        with self.scheduler.lock:
            self.scheduler.prefix_cache.forget_removed()
        give_back_memory()


def shares_weights(model: Adapts, adapter: Path) -> bool:
    """Whether an adapter leaves the weights of its model as they are, so that the model may be used beside it."""
    place = adapter_at(adapter)
    if not os.path.lexists(place / CONFIG):  # a prefix of P-tuning stands beside the weights
        return True
    changes = read_lora_config(place).get("init_lora_weights") in CHANGES_BASE
    return not changes and not read_tensors(place, model.module, model.family, model.config).whole
