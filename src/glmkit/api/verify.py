"""Does an export compute what the model it was made of computes? Both read the same ids, in float32, one after another.

| layout | who reads the export | what must agree |
|---|---|---|
| glm-hf, neoglm-hf | transformers | every logit |
| gguf | llama.cpp, by llama-cpp-python | the distribution of the next token, by its KL divergence |
| any other | glmkit | every logit |

llama.cpp rounds what goes into a matrix product to the type of the matrix, so its logits are near, not equal; so are
those of a quantized model whose weights were written dequantized in 16 bits. How near depends on the type of the file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glmkit.api.load import Model, load
from glmkit.conversion.choice import check_is_file
from glmkit.core.errors import CorruptFile, MissingExtra, UserError, argument, short
from glmkit.families.detect import detect
from glmkit.quantization.plan import formats

_ROWS, _LENGTH = 2, 24  # ids that are read: far enough that wrong positions or a wrong mask show
_EQUAL = 1e-4  # largest difference of logits in float32, as a share of the largest logit
# Largest mean KL divergence in nats by a gguf's `general.file_type`: 16 bits, q8_0, and q4_0, which changes the model
# itself. On random weights, which suffer most, it was 0.0004, 0.004 and 0.27; with positions of another rule 0.8.
_NEAR, _NEAR_IN_BLOCKS = 0.002, {"7": 0.02, "2": 0.5}
_MAGIC = b"GGUF"  # the first bytes of a gguf file


@dataclass(frozen=True)
class Export:
    """An export that somebody has loaded: how many ids and positions it knows, how it turns ids [B, T] into logits
    [B, T, V], and the divergence to allow where those are only near."""

    rows: int
    positions: int
    logits: Callable[[Tensor], Tensor]
    near: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out. `largest`: the largest difference of two logits; `size`: the largest logit of the source;
    `divergence`: mean KL(source || export) of the next token in nats."""

    by: str  # who read the export
    largest: float
    size: float
    divergence: float
    same: bool
    sizes: str = ""  # how the sizes differ, where they do: nothing else can be compared then


def verify(source: Path, destination: Path, to: str, *, dtype: str = "auto", **how: Any) -> Verdict:
    """Compares the model in `source`, loaded with the options `how`, with its export to layout `to` in `destination`.

    `dtype`: what the export was rounded to. Needs memory for either in float32. Raises MissingExtra when the program
    that reads the layout is not installed.
    """
    read, by = READERS.get(to, (_glmkit, "glmkit"))
    model = load(source, dtype="float32", device="cpu", **how)
    if dtype != "auto":
        for parameter in model.module.parameters():
            parameter.data = parameter.data.to(getattr(torch, dtype)).float()
    rounded = _NEAR if by == "transformers" and formats(model.module) else None
    rows, length = model.config.vocab_size, min(_LENGTH, model.config.max_positions)
    ids = torch.randint(0, rows, (_ROWS, length), generator=torch.Generator().manual_seed(0))
    wanted = _logits(model, ids)
    del model
    export, by = read(destination), f"{by} {version(by)}"
    if sizes := _other_sizes(export, rows, length):
        size = float(wanted.abs().max())
        return Verdict(by=by, largest=math.inf, size=size, divergence=math.inf, same=False, sizes=sizes)
    logits, limit = export.logits(ids), export.near or rounded
    largest, size = float((logits - wanted).abs().max()), float(wanted.abs().max())
    log_p, log_q = wanted.double().log_softmax(-1), logits.double().log_softmax(-1)
    divergence = float((log_p.exp() * (log_p - log_q)).sum(-1).mean())
    same = largest <= _EQUAL * max(size, 1.0) if limit is None else divergence <= limit
    return Verdict(by=by, largest=largest, size=size, divergence=divergence, same=same)


def _other_sizes(export: Export, rows: int, length: int) -> str:
    """In words, why texts of `length` ids under `rows` cannot be compared; empty where they can."""
    if export.rows != rows:
        return f"{export.rows} vocabulary rows where the source has {rows}"
    return f"at most {export.positions} positions where the source has more" if export.positions < length else ""


def _logits(model: Model, ids: Tensor) -> Tensor:
    """Read from left to right at positions 0, 1, ... on every channel, which every family can."""
    positions = torch.arange(ids.shape[1]).expand(len(ids), model.position_scheme.channels, -1)
    return model.logits(ids, positions=positions, context=0)


def _glmkit(path: Path) -> Export:
    model = load(path, dtype="float32", device="cpu")
    return Export(model.config.vocab_size, model.config.max_positions, lambda ids: _logits(model, ids))


def _transformers(path: Path) -> Export:
    try:
        from transformers import GlmForCausalLM
    except ImportError:
        raise MissingExtra("transformers", "export") from None
    _check_layout(path, "glm-hf")
    model = _from_pretrained(GlmForCausalLM, path)

    @torch.inference_mode()
    def logits(ids: Tensor) -> Tensor:
        return model(input_ids=ids).logits

    return Export(model.config.vocab_size, model.config.max_position_embeddings, logits)


def _modelling_file(path: Path) -> Export:
    """By glmkit's own copy of the modelling file: that in the directory is not run."""
    try:
        from glmkit.families.layouts.modeling_neoglm import NeoGLMForCausalLM
    except ImportError:
        raise MissingExtra("transformers", "export") from None
    _check_layout(path, "neoglm-hf")
    model = _from_pretrained(NeoGLMForCausalLM, path)

    @torch.inference_mode()
    def logits(ids: Tensor) -> Tensor:
        places, context = torch.arange(ids.shape[1]).expand(len(ids), 2, -1), torch.zeros(len(ids), dtype=torch.long)
        return model(input_ids=ids, position_ids=places, context_lengths=context).logits

    return Export(model.config.vocab_size, model.config.max_position_embeddings, logits)


def _check_layout(path: Path, wanted: str) -> None:
    layout = detect(path).format
    if layout is None or layout.name != wanted:
        raise UserError(
            f"{path} is of layout {layout.name if layout else 'native'}; say so by {argument('to')}, or write it anew"
        )


def _from_pretrained(model_class: Any, path: Path) -> Any:
    from transformers.utils import logging

    logging.disable_progress_bar()
    return model_class.from_pretrained(path, dtype=torch.float32).eval()


def _llama_cpp(path: Path) -> Export:
    try:
        from llama_cpp import Llama
    except ImportError:
        raise MissingExtra("llama-cpp-python", "llama") from None
    check_is_file(path)
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise CorruptFile(f"{path} is no gguf file; give the file that convert to gguf writes")
    try:
        model = Llama(str(path), n_ctx=_LENGTH, logits_all=True, verbose=False)
    except ValueError as error:
        raise CorruptFile(
            f"{path} is damaged, or of a model that llama.cpp does not know ({short(str(error))[1:-1]}); write it anew"
        ) from None

    def logits(ids: Tensor) -> Tensor:
        rows = []
        for row in ids.tolist():
            model.reset()
            model.eval(row)
            rows.append(torch.from_numpy(model.scores[: len(row)].copy()))
        return torch.stack(rows)

    near = _NEAR_IN_BLOCKS.get(model.metadata["general.file_type"], _NEAR)
    return Export(model.n_vocab(), _LENGTH, logits, near)


# Layouts that other programs read, which take no integers of ours, and by what.
READERS: dict[str, tuple[Callable[[Path], Export], str]] = {
    "glm-hf": (_transformers, "transformers"),
    "neoglm-hf": (_modelling_file, "transformers"),
    "gguf": (_llama_cpp, "llama-cpp-python"),
}
