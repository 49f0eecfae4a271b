"""A model from a directory."""

import re
from functools import partial
from pathlib import Path

import torch

from glmkit.api.adapters import Adapts
from glmkit.api.arguments import PATH, PROGRESS, check_arguments
from glmkit.api.chat import Chats
from glmkit.api.classify import Classifies, trained_of
from glmkit.api.drafts import Drafts
from glmkit.api.moving import Moves
from glmkit.api.score import Scores
from glmkit.core import machine
from glmkit.core.errors import UserError, argument
from glmkit.core.kinds import TEXT, either, instance_of, one_of, optional
from glmkit.families.adapter import adapter_at, base_of, check_base, find_adapter, refuse_adapter
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import open_model, read
from glmkit.nn.accelerate import Activations
from glmkit.train.methods import lay_adapter


class Model(Scores, Chats, Classifies, Adapts, Drafts, Moves):
    """A model with its tokenizer. Texts go in and come out; `logits` and `module` are for those who want numbers.

    What a family was not trained for it says in one line: a GLM does not chat, ChatGLM2 and 3 fill no blanks but
    after pretraining with the objective `infill`. `origin` is the directory, of the adapter if there is one, that
    `load` was given.
    """

    origin: Path | None = None


DTYPE = either(TEXT, instance_of(torch.dtype), wanted="auto, float32, bfloat16 or float16")
_KINDS = {
    "path": PATH,
    "dtype": DTYPE,
    "device": either(TEXT, instance_of(torch.device), wanted="auto, cpu, cuda, cuda:1 or mps"),
    "quantize": optional(either(TEXT, one_of(4, 8), wanted="int4 or int8")),
    "adapter": optional(PATH),
    "model": optional(TEXT),
    "tokenizer": optional(PATH),
    "activations": one_of("auto", "exact", "int8"),
    "progress": PROGRESS,
}


def load(
    path: str | Path,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device = "auto",
    quantize: str | int | None = None,
    adapter: str | Path | None = None,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    activations: Activations = "auto",
    progress: Progress = unwatched,
    **options: object,
) -> Model:
    """The model in `path`: a model directory of any published layout, or a training run.

    `dtype` "auto" keeps the one it was saved in. `options` override fields of the model's config, such as
    `gelu="erf"` or `max_positions=2048` of a GLM. `model` names the published model where its files do not tell;
    `tokenizer` is the directory of the vocabulary's files where they lie elsewhere. `quantize` "int8" or "int4", also
    8 or 4, quantizes the linear layers; their inputs are rounded to 8 bits by the compiled
    kernels where `activations` is "int8", and not where it is "exact"; "auto" is exact in float32 alone. `progress` is
    called with the bytes read and their total. `adapter` is the directory of one that is applied to the model; a `path`
    that is an adapter of ours means it and the model it was trained on; of somebody else's, which may name any, the
    error says what to give. Raises UserError or CorruptFile naming the file and what to do.
    """
    check_arguments(_KINDS, locals())
    kind, place = dtype_of(dtype), machine.device_of(str(device))
    over = find_adapter(Path(path)) if adapter is None else adapter_at(Path(adapter))
    base = base_of(over) if over is not None and adapter is None else Path(path)
    refuse_adapter(base, merged=False)
    loaded = read(
        base,
        dtype=kind,
        device=place,
        quantize=_bits(quantize),
        options=options,
        model=model,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        activations=activations,
        progress=progress,
    )
    words = None if tokenizer is None else Path(tokenizer)
    source = partial(open_model, base, options=options, model=model, tokenizer=words)
    if over is not None:
        check_base(over, source())
        loaded = lay_adapter(loaded, over)
    opened_model = Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
    opened_model.infill_run = loaded.infill_run
    opened_model.source, opened_model.applied = source, over
    opened_model.trained = trained_of(base)
    opened_model.origin = Path(path if adapter is None else adapter)
    return opened_model


def dtype_of(given: str | torch.dtype) -> torch.dtype | None:
    """The type that is meant; None is the one the model was saved in."""
    name = str(given).removeprefix("torch.")
    if name == "auto":
        return None
    if name in ("int8", "int4"):
        raise UserError(f"{argument('dtype')} {name} is no dtype of a model; use {argument('quantize', name)}")
    kind = getattr(torch, name, None)
    if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
        raise UserError(f"unknown {argument('dtype')} {name!r}; use auto, float32, bfloat16 or float16")
    return kind


def _bits(quantize: str | int | None) -> str | None:
    """int4 and int8 in the ways people write them: 4, "4bit", "8-bit"; anything else as it is."""
    written = re.fullmatch(r"(?:int[-_]?)?([48])(?:[-_ ]?bits?)?", str(quantize))
    return f"int{written[1]}" if written else None if quantize is None else str(quantize)
