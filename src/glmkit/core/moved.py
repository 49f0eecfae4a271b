"""Modules of version 0.1 under the names that they had: imports of them still work, with a DeprecationWarning.

Names that stayed importable are not listed; a name that changed inside a module that moved is.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# The module of 0.1 -> what it is called now; of a package every module in it.
_MODULES: dict[str, str] = {
    "api.old": "api.official_calls",
    "api.read": "api.embed",
    "convert": "conversion",
    "data.pieces": "data.chunks",
    "families.chatglm_files": "families.layouts.chatglm",
    "families.chatglm_write": "families.layouts.chatglm_write",
    "families.gguf": "families.layouts.gguf",
    "families.glm_files": "families.layouts.glm",
    "families.glm_hf": "families.layouts.glm_hf",
    "infill.geometry": "infill.position_schemes",
    "infill.objectives": "infill.corruption",
    "recipes.demo": "api.demo",
    "tasks.change": "finetuning.forgetting",
    "tasks.finetune": "finetuning.run",
    "tasks.learner": "finetuning.task_module",
    "tasks.scribe": "finetuning.sft_encoder",
    "tasks.talks": "finetuning.conversations",
    "tasks.writing": "finetuning.sft_run",
    "text.lesson": "text.labelled_sequence",
    "train.heldout": "train.validation",
}
_MODULES |= {
    f"tasks.{name}": f"finetuning.{name}"
    for name in (
        *("answered", "config", "dataset", "decode", "dryrun", "forms"),
        *("pool", "predictions", "prompted", "samples", "saved", "sharegpt"),
    )
}
_NAMES: Mapping[str, Mapping[str, str]] = {
    "convert.weights": {"held": "in_memory"},
    "infill.geometry": {"Geometry": "PositionScheme", "opened": "encode_prompt"},
    "tasks.scribe": {"Scribe": "SFTEncoder"},
    "tasks.talks": {
        "read_talks": "read_conversations",
        "read_pairs": "read_source_targets",
        "Talk": "Conversation",
        "Pair": "SourceTarget",
    },
    "tasks.writing": {"scribe_of": "sft_encoder_of", "writing": "open_sft_run"},
    "text.lesson": {"Lesson": "LabelledSequence", "lessons": "labelled_sequences"},
}


def current_module(name: str) -> str | None:
    """What the module `name` of 0.1 is called now; None where it is no such module."""
    head, _, old = name.partition(".")
    for was, now in _MODULES.items():
        if head == "glmkit" and (old == was or old.startswith(f"{was}.")):
            return f"glmkit.{now}{old[len(was) :]}"
    return None


class _Moved(ModuleType):
    """Stands for a module under its old name."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        names = _NAMES.get(self.__name__.removeprefix("glmkit."), {})
        return getattr(importlib.import_module(str(current_module(self.__name__))), names.get(name, name))

    def __call__(self, *given: object, **options: object) -> object:
        """`glmkit.convert` was a package and is a function: who imported the one can call the other."""
        name = self.__name__.removeprefix("glmkit.")
        return getattr(importlib.import_module(f"glmkit.api.{name}"), name)(*given, **options)


class OldModules(MetaPathFinder, Loader):
    """Finds modules by the names they had, after everything else was tried."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        now = current_module(fullname)
        if now is None or importlib.util.find_spec(now) is None:
            return None
        return ModuleSpec(fullname, self, is_package=now == "glmkit.conversion")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(f"{spec.name} is called {current_module(spec.name)} now", DeprecationWarning, stacklevel=2)
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: what it holds is looked up where it is."""
