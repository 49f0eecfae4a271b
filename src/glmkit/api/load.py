"""A model from a directory."""

from pathlib import Path
from typing import Any

import torch

from glmkit.api.chat import Chats
from glmkit.api.read import Reads
from glmkit.api.score import Scores
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import read
from glmkit.families.quantise import Activations


class Model(Scores, Chats, Reads):
    """A model with its tokenizer. Texts go in and come out; `logits` and `module` are for those who want numbers.

    What a family was not trained for it says in one line: a GLM does not chat, ChatGLM2 and 3 fill no blanks.
    """


def load(
    path: str | Path,
    *,
    dtype: str = "auto",
    device: str = "auto",
    quantize: str | None = None,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    activations: Activations = "auto",
    progress: Progress = unwatched,
    **options: Any,
) -> Model:
    """The model in `path`: a model directory of any published layout, or a training run.

    `dtype` "auto" keeps the one it was saved in. `options` override fields of the model's config, such as
    `gelu="erf"` or `max_positions=2048` of a GLM. `model` names the published model where its files do not tell;
    `tokenizer` is the directory of the vocabulary's files where they lie elsewhere. `quantize` "int8" or "int4" turns
    the linear layers into whole numbers; what those multiply is rounded to 8 bits by the compiled kernels where
    `activations` is "int8", and not where it is "exact"; "auto" is exact in float32 alone. `progress` is told of
    bytes read and their total. Raises UserError or CorruptFile naming the file and what to do.
    """
    kind = None if dtype == "auto" else getattr(torch, dtype, None)
    if dtype != "auto" and not isinstance(kind, torch.dtype):
        raise UserError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
    place = machine.default_device() if device == "auto" else device
    loaded = read(
        Path(path),
        dtype=kind,
        device=place,
        quantize=quantize,
        options=options,
        model=model,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        activations=activations,
        progress=progress,
    )
    return Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
