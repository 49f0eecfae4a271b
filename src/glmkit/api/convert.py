"""`glmkit.convert`: writes a model in another layout, and compares the copy with its source."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from glmkit.api.arguments import PATH, PROGRESS, check_arguments
from glmkit.api.verify import READERS, Verdict
from glmkit.api.verify import verify as compare_logits
from glmkit.core.errors import ExportDiffers
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import FLAG, TEXT, one_of, optional, whole
from glmkit.families import conversion
from glmkit.families.adapter import refuse_adapter
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.conversion import NATIVE
from glmkit.quantization.plan import formats

DTYPES, BLOCKS = ("float32", "bfloat16", "float16"), ("q8_0", "q4_0")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What `convert` did. `weights`: how many tensors were written, 0 where the copy was there already; `missing`: why
    it has no tokenizer, if it has none; `dequantized`: whether the source is quantized and the copy is not; `verdict`:
    how near the logits of both are, where they were compared."""

    path: Path
    layout: str
    weights: int = 0
    missing: str = ""
    dequantized: bool = False
    verdict: Verdict | None = None


_KINDS = {
    "source": PATH,
    "destination": PATH,
    "to": TEXT,
    "ranks": optional(whole(low=1)),
    "safetensors": optional(FLAG),
    "dtype": one_of("auto", *DTYPES, *BLOCKS),
    "verify": FLAG,
    "model": optional(TEXT),
    "tokenizer": optional(PATH),
    "progress": PROGRESS,
}


def convert(
    source: str | Path,
    destination: str | Path,
    to: str = NATIVE,
    *,
    ranks: int | None = None,
    safetensors: bool | None = None,
    dtype: str = "auto",
    verify: bool = False,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    progress: Progress = unwatched,
    **options: object,
) -> Conversion:
    """Writes the model in `source` as the new directory (of gguf: file) `destination` in the layout `to`, tensor by
    tensor: it need not fit into memory.

    `to`: "native"; of a GLM "glm-hf-port" or "megatron"; of a ChatGLM "chatglm-hf"; of ChatGLM2, 3 and CodeGeeX2 also
    "glm-hf" or "gguf"; of a NeoGLM "neoglm-hf". `ranks`: model-parallel files of megatron; `safetensors`: glm-hf-port
    without .bin; `dtype`: "auto" as in the source, "float32", "bfloat16", "float16", and the blocks of gguf "q8_0" and
    "q4_0". `verify` compares the logits of source and destination, written first if it is not there. `model`,
    `tokenizer`, `progress` and `options` are those of `load`. Raises UserError for what cannot be written so,
    ExportDiffers where the two are not the same model.
    """
    check_arguments(_KINDS, locals())
    source, destination = Path(source), Path(destination)
    how: JsonObject = {"model": model, "tokenizer": None if tokenizer is None else Path(tokenizer)}
    refuse_adapter(source)
    done = Conversion(path=destination, layout=to)
    if not (verify and destination.exists()):
        written = conversion.convert(
            source,
            destination,
            to,
            ranks=ranks,
            safetensors=safetensors,
            dtype=getattr(torch, dtype) if dtype in DTYPES else None,
            blocks=dtype if dtype in BLOCKS else None,
            options=options,
            progress=progress,
            **how,
        )
        done = Conversion(
            path=destination,
            layout=to,
            weights=len(written.weights.keys()),
            missing="" if written.tokenizer is not None else written.missing,
            dequantized=to in READERS and bool(formats(written.model)),
        )
    if not verify:
        return done
    kind = dtype if dtype in DTYPES else "auto"
    return replace(done, verdict=same_model(source, destination, to, dtype=kind, **how, **options))


def same_model(source: Path, destination: Path, to: str, *, dtype: str = "auto", **how: Any) -> Verdict:
    """The verdict of `glmkit.api.verify.verify`. Raises ExportDiffers unless it is that both are the same model."""
    verdict = compare_logits(source, destination, to, dtype=dtype, **how)
    if verdict.sizes:
        raise ExportDiffers(f"{verdict.by} reads {destination}: {verdict.sizes}: not the same model as {source}")
    if not verdict.same:
        raise ExportDiffers(f"{described(verdict, destination)}: not the same model as {source}")
    return verdict


def described(verdict: Verdict, destination: Path) -> str:
    """A verdict in figures."""
    return (
        f"{verdict.by} reads {destination}: logits differ by at most {verdict.largest:.2g} of {verdict.size:.3g}, "
        f"KL divergence {verdict.divergence:.2g} nats"
    )
