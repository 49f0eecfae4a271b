"""ChatGLM2's and ChatGLM3's numbers against the official code's, on the same weights and inputs."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from glmkit.core.types import AttentionMask
from glmkit.models.chatglm2 import ChatGLM2
from glmkit.testing import MODEL_TOLERANCE

from .chatglm import build2

Tensors = dict[str, Tensor]
VERSIONS = ["v2", "v3", "v2_32k", "v3_32k"]


@pytest.fixture(scope="module", params=VERSIONS)
def place(request: pytest.FixtureRequest, chatglm_golden: Path) -> Path:
    return chatglm_golden / request.param


@pytest.fixture(scope="module")
def tensors(place: Path) -> Tensors:
    return load_file(place / "cases.safetensors")


@pytest.fixture(scope="module")
def model(place: Path) -> ChatGLM2:
    return build2(place / "checkpoint_safetensors").requires_grad_(False)


def close(ours: Tensor, golden: Tensor, tolerance: float = MODEL_TOLERANCE) -> None:
    torch.testing.assert_close(ours, golden, atol=tolerance, rtol=tolerance)


def causal(rows: int, begin: Tensor | None = None) -> AttentionMask:
    return AttentionMask.prefix([0] * rows, begin)


def counted(tokens: Tensor, start: int = 0) -> Tensor:
    return torch.arange(start, start + tokens.shape[1]).expand(len(tokens), 1, -1)


def test_logits(model: ChatGLM2, tensors: Tensors) -> None:
    tokens = tensors["prefill.input_ids"]
    close(model.logits(model(tokens, counted(tokens), causal(1))), tensors["prefill.logits"])


def test_steps_after_a_cached_prompt(model: ChatGLM2, tensors: Tensors) -> None:
    prompt, steps = tensors["decode.prompt_ids"], tensors["decode.step_ids"]
    length = prompt.shape[1]
    cache = model.new_cache(1, length + steps.shape[1])
    hidden = model(prompt, counted(prompt), causal(1), cache)
    close(model.logits(hidden[:, -1]), tensors["decode.prefill_last_logits"])
    for layer in range(3):
        close(cache.keys[layer][:, :, :length].transpose(1, 2), tensors[f"decode.cache_k.{layer}"])
        close(cache.values[layer][:, :, :length].transpose(1, 2), tensors[f"decode.cache_v.{layer}"])
    for i, token in enumerate(steps.split(1, dim=1)):
        hidden = model(token, counted(token, length + i), causal(1), cache)
        close(model.logits(hidden[:, 0]), tensors["decode.logits"][:, i])


def test_a_chunk_after_a_cached_prompt(model: ChatGLM2, tensors: Tensors) -> None:
    prompt, chunk = tensors["chunk.prompt_ids"], tensors["chunk.input_ids"]
    cache = model.new_cache(1, prompt.shape[1] + chunk.shape[1])
    model(prompt, counted(prompt), causal(1), cache)
    hidden = model(chunk, counted(chunk, prompt.shape[1]), causal(1), cache)
    close(model.logits(hidden), tensors["chunk.logits"])


def test_rows_padded_on_the_left(model: ChatGLM2, tensors: Tensors) -> None:
    tokens, valid = tensors["batch.input_ids"], tensors["batch.valid"]
    mask = causal(len(tokens), (~valid).sum(1))
    steps = tensors["batch_decode.step_ids"]
    cache = model.new_cache(len(tokens), tokens.shape[1] + steps.shape[1])
    hidden = model(tokens, tensors["batch.position_ids"][:, None], mask, cache)
    close(model.logits(hidden)[valid], tensors["batch.logits"][valid])
    for i, token in enumerate(steps.split(1, dim=1)):
        place = valid.sum(1)[:, None, None] + i
        close(model.logits(model(token, place, mask, cache)[:, 0]), tensors["batch_decode.logits"][:, i])
