"""What the comparisons with the official ChatGLM code share: masks and places dequantized, norms by official name."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from glmkit.core.types import AttentionMask
from glmkit.families.chatglm import CHATGLM_FAMILY
from glmkit.families.chatglm2 import CHATGLM2_FAMILY
from glmkit.families.load import read
from glmkit.testing import GRADIENT_TOLERANCE, MODEL_TOLERANCE

Tensors = dict[str, Tensor]


def load(directory: Path, **options: Any) -> Any:
    """The official checkpoint in float32, ready for gradients."""
    return read(directory, dtype=torch.float32, options=options).model


def tensors_of(path: Path) -> Tensors:
    return load_file(path)


def close(ours: Tensor, golden: Tensor, tolerance: float = MODEL_TOLERANCE) -> None:
    torch.testing.assert_close(ours, golden, atol=tolerance, rtol=tolerance)


def causal(rows: int, begin: Tensor | None = None) -> AttentionMask:
    return AttentionMask.prefix([0] * rows, begin)


def counted(tokens: Tensor, start: int = 0) -> Tensor:
    """Positions start, start + 1, ... [B, 1, T]."""
    return torch.arange(start, start + tokens.shape[1]).expand(len(tokens), 1, -1)


def shifted_loss(model: Any, hidden: Tensor, labels: Tensor) -> Tensor:
    """The mean over all labels that are not -100, each predicted by the token before it."""
    logits = model.logits(hidden[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def official_gradients(model: Any) -> Tensors:
    """Gradients by the official names and in the official packing."""
    family = CHATGLM_FAMILY if type(model) is CHATGLM_FAMILY.build else CHATGLM2_FAMILY
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    (layout, *_) = family.formats
    return {
        key: tensor
        for name, place in layout.statemap(model.config).external(gradients).items()
        for key, tensor in zip(place.keys, place.packing.to_external(gradients[name]), strict=True)
    }


def close_gradients(model: Any, tensors: Tensors, case: str, facts: dict[str, Any]) -> None:
    """Gradients against those stored in full under `case`.grad and the norms of all of them."""
    result = official_gradients(model)
    norms = facts["grad_norm"]
    for name, norm in norms.items():
        torch.testing.assert_close(result[name].norm().item(), norm, rtol=10 * MODEL_TOLERANCE, atol=0, msg=name)
    stored = {key.removeprefix(f"{case}.grad."): t for key, t in tensors.items() if key.startswith(f"{case}.grad.")}
    assert stored
    for name, gradient in stored.items():
        torch.testing.assert_close(result[name], gradient, atol=GRADIENT_TOLERANCE, rtol=10 * MODEL_TOLERANCE)
