"""What tests need, ours and our users': tolerances, golden files, and tiny models with random weights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glmkit.api import Model

# By how much results may differ from another implementation's, absolute and relative alike: of a module, of a whole
# model and of gradients in float32, and of a whole model in float64.
MODULE_TOLERANCE = 1e-5
MODEL_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 2e-5
DOUBLE_TOLERANCE = 1e-9


def shared_path(*parts: str) -> Path | None:
    """A file or directory of the goldens (outputs of the original code, to compare with) and data, or None where they
    are not there.

    They are looked for in $GLMKIT_SHARED, else in a folder `shared` beside the checkout.
    """
    root = Path(os.environ.get("GLMKIT_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    path = root.joinpath(*parts)
    return path if path.exists() else None


def tiny(name: str, *, seed: int = 0) -> "Model":
    """A model of the family "glm", "neoglm", "chatglm", "chatglm2", "chatglm3" or "codegeex2" with random weights and a
    tokenizer whose pieces are bytes: 2 layers, 64 numbers wide, in float32 on the CPU. Raises UserError for others.

    Its weights are large enough that every part of the model and every token matters to what comes out.
    """
    from glmkit.testing.models import build

    return build(name, seed)
