"""Does an export compute what the model it was made of computes? Both read the same ids, in float32, one after another.

| layout | who reads the export | what must agree |
|---|---|---|
| glm-hf | transformers | every logit |
| gguf | llama.cpp, by llama-cpp-python | the distribution of the next token, by its KL divergence |
| any other | glmkit | every logit |

llama.cpp rounds what goes into a matrix product to the type of the matrix, so its logits are near, not equal; so are
those of a quantised model whose codes were written as 16-bit numbers. How near depends on the type of the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glmkit.api.load import Model, load
from glmkit.core.errors import MissingExtra
from glmkit.families.codes import forms

_ROWS, _LENGTH = 2, 24  # ids that are read: far enough that wrong positions or a wrong mask show
_EQUAL = 1e-4  # largest difference of logits in float32, as a share of the largest logit
# Largest mean KL divergence in nats by a gguf's `general.file_type`: 16 bits, q8_0, and q4_0, which changes the model
# itself. On random weights, which suffer most, it was 0.0004, 0.004 and 0.27; with positions of another rule 0.8.
_NEAR, _NEAR_IN_BLOCKS = 0.002, {"7": 0.02, "2": 0.5}
Read = tuple[Tensor, float | None]  # logits, and the divergence to allow where they are only near


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out. `largest`: the largest difference of two logits; `size`: the largest logit of the source;
    `divergence`: mean KL(source || export) of the next token in nats."""

    by: str  # who read the export
    largest: float
    size: float
    divergence: float
    same: bool


def verify(source: Path, destination: Path, to: str, *, dtype: str = "auto", **how: Any) -> Verdict:
    """Compares the model in `source`, loaded with the options `how`, with its export to layout `to` in `destination`.

    `dtype`: what the export was rounded to. Needs memory for either in float32. Raises MissingExtra when the program
    that reads the layout is not installed.
    """
    read, by = _READERS.get(to, (_glmkit, "glmkit"))
    model = load(source, dtype="float32", device="cpu", **how)
    if dtype != "auto":
        for parameter in model.module.parameters():
            parameter.data = parameter.data.to(getattr(torch, dtype)).float()
    rounded = _NEAR if to == "glm-hf" and forms(model.module) else None
    ids = torch.randint(0, model.config.vocab_size, (_ROWS, _LENGTH), generator=torch.Generator().manual_seed(0))
    wanted = _logits(model, ids)
    del model
    found, limit = read(destination, ids)
    limit = limit or rounded
    largest, size = float((found - wanted).abs().max()), float(wanted.abs().max())
    log_p, log_q = wanted.double().log_softmax(-1), found.double().log_softmax(-1)
    divergence = float((log_p.exp() * (log_p - log_q)).sum(-1).mean())
    same = largest <= _EQUAL * max(size, 1.0) if limit is None else divergence <= limit
    return Verdict(by=f"{by} {version(by)}", largest=largest, size=size, divergence=divergence, same=same)


def _logits(model: Model, ids: Tensor) -> Tensor:
    """Read from left to right at positions 0, 1, ... on every channel, which every family can."""
    positions = torch.arange(ids.shape[1]).expand(len(ids), model.geometry.channels, -1)
    return model.logits(ids, positions=positions, context=0)


def _glmkit(path: Path, ids: Tensor) -> Read:
    return _logits(load(path, dtype="float32", device="cpu"), ids), None


@torch.inference_mode()
def _transformers(path: Path, ids: Tensor) -> Read:
    try:
        from transformers import GlmForCausalLM
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra("transformers", "export") from None
    logging.disable_progress_bar()
    model = GlmForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    return model(input_ids=ids).logits, None


def _llama_cpp(path: Path, ids: Tensor) -> Read:
    try:
        from llama_cpp import Llama
    except ImportError:
        raise MissingExtra("llama-cpp-python", "llama") from None
    model = Llama(str(path), n_ctx=_LENGTH, logits_all=True, verbose=False)
    rows = []
    for row in ids.tolist():
        model.reset()
        model.eval(row)
        rows.append(torch.from_numpy(model.scores[: len(row)].copy()))
    return torch.stack(rows), _NEAR_IN_BLOCKS.get(model.metadata["general.file_type"], _NEAR)


_READERS: dict[str, tuple[Callable[[Path, Tensor], Read], str]] = {
    "glm-hf": (_transformers, "transformers"),
    "gguf": (_llama_cpp, "llama-cpp-python"),
}
