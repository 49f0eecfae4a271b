"""A model from a directory."""

from pathlib import Path
from typing import Any

import torch

from glmkit.api.chat import Chats
from glmkit.api.classify import Classifies, trained_of
from glmkit.api.moving import Moves
from glmkit.api.score import Scores
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.families.adapter import adapter_at, base_of, check_base, find_adapter, refuse_adapter
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import open_model, read
from glmkit.families.quantise import Activations
from glmkit.train.methods import lay_adapter


class Model(Scores, Chats, Classifies, Moves):
    """A model with its tokenizer. Texts go in and come out; `logits` and `module` are for those who want numbers.

    What a family was not trained for it says in one line: a GLM does not chat, ChatGLM2 and 3 fill no blanks.
    """


def load(
    path: str | Path,
    *,
    dtype: str = "auto",
    device: str = "auto",
    quantize: str | None = None,
    adapter: str | Path | None = None,
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
    bytes read and their total. `adapter` is the directory of one that is laid over the model; a `path` that is an
    adapter itself means it and the model it was trained on. Raises UserError or CorruptFile naming the file and what
    to do.
    """
    if dtype in ("int8", "int4"):
        raise UserError(f"{dtype} is no dtype of a model; use quantize={dtype!r}")
    kind = None if dtype == "auto" else getattr(torch, dtype, None)
    if dtype != "auto" and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        raise UserError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
    place = machine.device_of(device)
    over = find_adapter(Path(path)) if adapter is None else adapter_at(Path(adapter))
    base = base_of(over) if over is not None and adapter is None else Path(path)
    refuse_adapter(base, merged=False)
    loaded = read(
        base,
        dtype=kind,
        device=place,
        quantize=quantize,
        options=options,
        model=model,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        activations=activations,
        progress=progress,
    )
    if over is not None:
        check_base(over, open_model(base))
        loaded = lay_adapter(loaded, over)
    found = Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
    found.trained = trained_of(base)
    return found
