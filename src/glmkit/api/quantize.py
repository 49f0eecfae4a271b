"""`glmkit.quantize`: writes a model whose linear layers are integers of 8 or 4 bits."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from glmkit.api.arguments import FILE, PATH, PROGRESS, check_arguments
from glmkit.api.classify import trained_of
from glmkit.api.load import DTYPE, Model, dtype_of, load
from glmkit.core import machine
from glmkit.core.errors import UserError, argument
from glmkit.core.files import read_text
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import FLAG, TEXT, one_of, optional
from glmkit.families.adapter import refuse_adapter
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import read
from glmkit.kernels.quantized import GROUPS, QuantFormat
from glmkit.quantization import calibration
from glmkit.quantization.evaluation import Passage, Quality, compare, log_probs, passages
from glmkit.quantization.plan import Plan, refuse_quantized

Scheme = Literal["search", "rtn", "gptq"]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """What `quantize` wrote. `errors`: name of each quantized layer -> its relative error |W - W'| / |W|; `bytes` of
    all files; `quality`: how far the model is from its source on `text`, where one was given."""

    path: Path
    bits: int
    errors: dict[str, float]
    bytes: int
    quality: Quality | None


_KINDS = {
    "source": PATH,
    "destination": PATH,
    "bits": one_of(8, 4),
    "group": optional(one_of(*GROUPS, "row")),
    "symmetric": FLAG,
    "scheme": one_of("search", "rtn", "gptq"),
    "calibrate": optional(FILE),
    "output": one_of(8, 16),
    "text": optional(FILE),
    "dtype": DTYPE,
    "model": optional(TEXT),
    "tokenizer": optional(PATH),
    "progress": PROGRESS,
}


def quantize(
    source: str | Path,
    destination: str | Path,
    *,
    bits: int = 8,
    group: int | Literal["row"] | None = None,
    symmetric: bool = False,
    scheme: Scheme = "search",
    calibrate: str | Path | None = None,
    output: int = 8,
    text: str | Path | None = None,
    dtype: str | torch.dtype = "auto",
    model: str | None = None,
    tokenizer: str | Path | None = None,
    progress: Progress = unwatched,
    **options: Any,
) -> Quantization:
    """Writes the model in `source`, quantized, into the new directory `destination`, which `load` accepts.

    `bits` 8 or 4; `group`: columns that share a scale, 32, 64, 128 or "row" (64 for 4 bits and 128 for 8 unless given);
    `symmetric`: groups of 4 bits without a zero point. `scheme`: "search" is the MSE scale search, "rtn" rounds to
    nearest, "gptq" compensates errors on the text file `calibrate`, which weighs the columns in a search. `output`:
    bits of the output matrix, 8 or 16. The text file `text` measures what was lost. `dtype`, `model`, `tokenizer`,
    `progress` and `options` are those of `load`. Raises UserError or CorruptFile naming the file and what to do.
    """
    check_arguments(_KINDS, locals())
    source, destination = Path(source), Path(destination)
    if destination.exists():
        raise UserError(f"{destination} exists already; choose another name or remove it")
    if scheme == "gptq" and calibrate is None:
        raise UserError(
            f"{argument('scheme', 'gptq')} reads what the layers are multiplied with; give a text by "
            f"{argument('calibrate', 'FILE')}"
        )
    if calibrate is not None and (scheme == "rtn" or (scheme == "search" and bits == 8)):
        raise UserError(
            f"{argument('calibrate')} changes nothing when weights are rounded to nearest, as 8 bits are unless "
            f"{argument('scheme', 'gptq')} is given: leave it out"
        )
    refuse_adapter(source)
    errors: dict[str, float] = {}
    columns = group or (64 if bits == 4 else 128)
    plan = Plan(
        format=QuantFormat(
            bits=bits, group=None if columns == "row" else columns, asymmetric=bits == 4 and not symmetric
        ),
        scheme="search" if scheme == "gptq" else scheme,
        output_bits=output,
        on_layer=errors.__setitem__,
    )
    how: JsonObject = {"model": model, "tokenizer": None if tokenizer is None else Path(tokenizer)}
    exact: Model | None = None
    judged: list[Passage] = []
    before: list[Tensor] = []
    if text is not None or calibrate is not None:
        exact = load(source, dtype=dtype, progress=progress, **how, **options)
        refuse_quantized(exact.module)
        if text is not None:
            judged = _passages(exact, text)
            before = _log_probs(exact, judged)
    if exact is not None and calibrate is not None and scheme == "gptq":
        quantized = exact
        run = partial(_logits, exact)
        calibration.calibrate(exact.module, run, plan, _passages(exact, calibrate, calibration.MOST))
    else:
        if exact is not None and calibrate is not None:
            run = partial(_logits, exact)
            weights = calibration.column_importance(exact.module, run, _passages(exact, calibrate))
            plan = replace(plan, importance=weights)
            del run
        exact = None  # its memory goes to the quantized model
        kind, device = dtype_of(dtype), machine.default_device()
        loaded = read(source, dtype=kind, device=device, quantize=plan, options=options, progress=progress, **how)
        quantized = Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
        quantized.infill_run = loaded.infill_run
    quantized.trained = trained_of(source)
    quantized.save(destination)
    return Quantization(
        path=destination,
        bits=bits,
        errors=errors,
        bytes=sum(file.stat().st_size for file in destination.iterdir()),
        quality=compare(judged, before, _log_probs(quantized, judged)) if judged else None,
    )


def _passages(model: Model, file: str | Path, most: int = 8) -> list[Passage]:
    ids = model.tokenizer.encode(read_text(Path(file)))
    return passages(ids, model.prompt_format, model.position_scheme, model.config.max_positions, most)


def _logits(model: Model, passage: Passage) -> Tensor:
    return model.logits(passage.ids, passage.positions, passage.context)


def _log_probs(model: Model, text: list[Passage]) -> list[Tensor]:
    return log_probs(model.module, partial(_logits, model), text)
