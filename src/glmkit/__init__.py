"""glmkit: the GLM family, pretrained by autoregressive blank infilling.

>>> m = glmkit.load("runs/demo/model")                                                  # doctest: +SKIP
>>> m.infill("Return the [MASK] of the list.").text                                     # doctest: +SKIP

Names are imported at first use, so that `import glmkit` takes no time.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from glmkit.core.moved import OldModules

if TYPE_CHECKING:
    from glmkit.api import Answer as Answer
    from glmkit.api import Generation as Generation
    from glmkit.api import Infilling as Infilling
    from glmkit.api import Model as Model
    from glmkit.api import load as load
    from glmkit.api.convert import convert as convert
    from glmkit.api.evaluate import evaluate as evaluate
    from glmkit.api.finetune import finetune as finetune
    from glmkit.api.pretrain import pretrain as pretrain
    from glmkit.api.quantize import quantize as quantize
    from glmkit.core.errors import UserError as UserError
    from glmkit.generate.beam import Beam as Beam
    from glmkit.generate.penalties import Penalties as Penalties
    from glmkit.generate.sampling import Greedy as Greedy
    from glmkit.generate.sampling import SamplingParams as SamplingParams
    from glmkit.generate.sampling import TopP as TopP

__version__ = "0.1.0"  # the only place: pyproject.toml reads it

sys.meta_path.append(OldModules())

# Threads of OpenMP wait for one another by turning in place, 2 million times before libgomp lets them sleep: beside
# another program that is the time its core would be needed for. libgomp reads this when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_PUBLIC = {
    "load": "glmkit.api",
    "pretrain": "glmkit.api.pretrain",
    "finetune": "glmkit.api.finetune",
    "evaluate": "glmkit.api.evaluate",
    "convert": "glmkit.api.convert",
    "quantize": "glmkit.api.quantize",
    "Model": "glmkit.api",
    "Infilling": "glmkit.api",
    "Generation": "glmkit.api",
    "Answer": "glmkit.api",
    "UserError": "glmkit.core.errors",
    "Penalties": "glmkit.generate.penalties",
    "Greedy": "glmkit.generate.sampling",
    "SamplingParams": "glmkit.generate.sampling",
    "TopP": "glmkit.generate.sampling",
    "Beam": "glmkit.generate.beam",
}

__all__ = [
    "Answer",
    "Beam",
    "Generation",
    "Greedy",
    "Infilling",
    "Model",
    "Penalties",
    "SamplingParams",
    "TopP",
    "UserError",
    "convert",
    "evaluate",
    "finetune",
    "load",
    "pretrain",
    "quantize",
]


# What scripts written for transformers import, and what does it here.
_ELSEWHERE = {
    "AutoModel": "glmkit.load(path)",
    "AutoModelForCausalLM": "glmkit.load(path)",
    "AutoModelForSeq2SeqLM": "glmkit.load(path)",
    "AutoModelForSequenceClassification": "glmkit.load(path)",
    "AutoTokenizer": "m.tokenizer of m = glmkit.load(path)",
    "AutoConfig": "m.config of m = glmkit.load(path)",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        from glmkit.core.errors import UserError

        raise UserError(f"glmkit has no {name}: use {_ELSEWHERE[name]}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'glmkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
