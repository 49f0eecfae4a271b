"""ChatGLM-6B's numbers against the official code's, on the same weights and inputs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glmkit.api import Model
from glmkit.api import load as load_model
from glmkit.core.types import AttentionMask
from glmkit.families.chatglm import statemap
from glmkit.infill.position_schemes import Answering
from glmkit.models.chatglm import ChatGLM
from glmkit.testing import MODEL_TOLERANCE

from .official import Tensors, close, close_gradients, load, shifted_loss, tensors_of

MASK, GMASK, SOP = 150, 151, 154
READING = Answering(mask=MASK, gmask=GMASK, sop=SOP)
PROMPTS = ["prefill", "mask", "mask_and_gmask", "loss"]


@pytest.fixture(scope="module")
def place(chatglm_golden: Path) -> Path:
    return chatglm_golden / "v1"


@pytest.fixture(scope="module")
def tensors(place: Path) -> Tensors:
    return tensors_of(place / "cases.safetensors")


@pytest.fixture(scope="module")
def facts(place: Path) -> dict[str, Any]:
    return json.loads((place / "cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def m(place: Path) -> Model:
    return load_model(place / "checkpoint_bin", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def model(m: Model) -> ChatGLM:
    return m.module


def prompt_mask(tokens: Tensor, begin: Tensor | None = None) -> AttentionMask:
    """What is before <sop> is the context."""
    return AttentionMask.prefix((tokens == SOP).int().argmax(1), begin)


def read(tokens: Tensor) -> Tensor:
    """Positions [B, 2, T] of whole rows."""
    return torch.stack([torch.from_numpy(READING.read(row.numpy())[0]) for row in tokens])


@pytest.mark.parametrize("case", PROMPTS)
def test_positions_and_mask_are_read_from_the_ids(tensors: Tensors, case: str) -> None:
    tokens = tensors[f"{case}.input_ids"]
    assert torch.equal(read(tokens), tensors[f"{case}.position_ids"])
    contexts = [READING.read(row.numpy())[1] for row in tokens]
    visible = AttentionMask.prefix(contexts).visible(0, tokens.shape[1])
    assert torch.equal(visible, ~tensors[f"{case}.attention_mask"])


@pytest.mark.parametrize("case", ["prefill", "mask", "mask_and_gmask"])
@pytest.mark.parametrize("files", ["checkpoint_bin", "checkpoint_safetensors"])
def test_logits_of_bare_ids(place: Path, tensors: Tensors, case: str, files: str) -> None:
    m = load_model(place / files, dtype="float32", device="cpu")
    close(m.logits(tensors[f"{case}.input_ids"]), tensors[f"{case}.logits"])


def test_steps_after_a_cached_prompt(model: ChatGLM, tensors: Tensors) -> None:
    prompt, steps = tensors["decode.prompt_ids"], tensors["decode.step_ids"]
    length, mask = prompt.shape[1], prompt_mask(prompt)
    cache = model.new_cache(1, length + steps.shape[1])
    close(model.logits(model(prompt, read(prompt), mask, cache)[:, -1]), tensors["decode.prefill_last_logits"])
    for layer in range(3):
        close(cache.keys[layer][:, :, :length].transpose(1, 2), tensors[f"decode.cache_k.{layer}"])
        close(cache.values[layer][:, :, :length].transpose(1, 2), tensors[f"decode.cache_v.{layer}"])
    for i, token in enumerate(steps.split(1, dim=1)):
        hidden = model(token, tensors["decode.position_ids"][:, :, i : i + 1], mask, cache)
        close(model.logits(hidden[:, 0]), tensors["decode.logits"][:, i])


def test_rows_padded_on_the_left(m: Model, model: ChatGLM, tensors: Tensors) -> None:
    tokens, valid, steps = tensors["batch.input_ids"], tensors["batch.valid"], tensors["batch_decode.step_ids"]
    mask = prompt_mask(tokens, (~valid).sum(1))
    cache = model.new_cache(len(tokens), tokens.shape[1] + steps.shape[1])
    hidden = model(tokens, tensors["batch.position_ids"], mask, cache)
    close(model.logits(hidden)[valid], tensors["batch.logits"][valid])
    for i, token in enumerate(steps.split(1, dim=1)):
        hidden = model(token, tensors["batch_decode.position_ids"][:, :, i : i + 1], mask, cache)
        close(model.logits(hidden[:, 0]), tensors["batch_decode.logits"][:, i])
    close(m.logits(tokens, begin=(~valid).sum(1))[valid], tensors["batch.logits"][valid])


def test_the_output_of_every_layer(model: ChatGLM, tensors: Tensors) -> None:
    seen: list[Tensor] = []
    watched = [model.embedding, *model.blocks]
    handles = [w.register_forward_hook(lambda module, inputs, output: seen.append(output)) for w in watched]
    tokens = tensors["hidden.input_ids"]
    last = model(tokens, read(tokens), prompt_mask(tokens))
    for handle in handles:
        handle.remove()
    for layer in range(3):
        close(seen[layer], tensors[f"hidden.state.{layer}"])
    close(seen[3], tensors["hidden.last_block_output"])
    close(last, tensors["hidden.last_hidden_state"])
    close(last, tensors["hidden.state.3"])


def test_a_long_prompt(model: ChatGLM, tensors: Tensors) -> None:
    tokens = tensors["long.input_ids"]
    close(model.logits(model(tokens, read(tokens), prompt_mask(tokens))[:, -8:]), tensors["long.last_logits"])


def test_greedy_continuations(model: ChatGLM, facts: dict[str, Any]) -> None:
    for case in facts["greedy"]:
        assert written(model, case["prompt_ids"], 16) == case["new_ids"]
    stopped = facts["greedy_eos"]
    assert written(model, stopped["prompt_ids"], 16, stopped["eos_token_id"]) == stopped["new_ids"]


def written(model: ChatGLM, prompt: list[int], count: int, end: int = -1) -> list[int]:
    """The slow greedy loop, without a cache."""
    ids = list(prompt)
    while len(ids) < len(prompt) + count and ids[-1] != end:
        tokens = torch.tensor([ids])
        ids.append(int(model.logits(model(tokens, read(tokens), prompt_mask(tokens))[0, -1]).argmax()))
    return ids[len(prompt) :]


def test_loss_and_gradients(place: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    model = load(place / "checkpoint_bin")
    tokens = tensors["loss.input_ids"]
    loss = shifted_loss(model, model(tokens, read(tokens), prompt_mask(tokens)), tensors["loss.labels"])
    loss.backward()
    close(loss[None], tensors["loss.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, "loss", facts["loss"])


@pytest.mark.parametrize("kind", ["ptuning", "ptuning_projection"])
def test_a_prefix_laid_over_the_base_model(
    m: Model, place: Path, tensors: Tensors, facts: dict[str, Any], kind: str
) -> None:
    model = m.with_prefix(place / kind).module
    tokens, steps = tensors[f"{kind}.input_ids"], tensors[f"{kind}.step_ids"]
    mask = prompt_mask(tokens)
    close(model.logits(model(tokens, read(tokens), mask)), tensors[f"{kind}.logits"])
    for layer, (keys, values) in enumerate(model.prefix(1)):
        close(keys.transpose(1, 2), tensors[f"{kind}.prefix_k.{layer}"])
        close(values.transpose(1, 2), tensors[f"{kind}.prefix_v.{layer}"])

    cache = model.new_cache(1, tokens.shape[1] + steps.shape[1])
    model(tokens, read(tokens), mask, cache)
    places = read(torch.cat([tokens, steps], dim=1))[:, :, tokens.shape[1] :]
    for i, token in enumerate(steps.split(1, dim=1)):
        hidden = model(token, places[:, :, i : i + 1], mask, cache)
        close(model.logits(hidden[:, 0]), tensors[f"{kind}.step_logits"][:, i])

    rows, valid = tensors[f"{kind}.batch.input_ids"], tensors[f"{kind}.batch.valid"]
    hidden = model(rows, tensors[f"{kind}.batch.position_ids"], prompt_mask(rows, (~valid).sum(1)))
    close(model.logits(hidden)[valid], tensors[f"{kind}.batch.logits"][valid])

    tokens = tensors[f"{kind}.loss.input_ids"]
    loss = shifted_loss(model, model(tokens, read(tokens), prompt_mask(tokens)), tensors[f"{kind}.loss.labels"])
    loss.backward()
    close(loss[None], tensors[f"{kind}.loss.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, f"{kind}.loss", facts[f"{kind}.loss"])


@pytest.mark.parametrize("bits", ["int8", "int4"])
def test_checkpoints_published_quantized(place: Path, bits: str) -> None:
    tensors = tensors_of(place / "quant_cases.safetensors")
    model = load(place / f"{bits}_bin")
    tokens = tensors["input_ids"]
    close(model.logits(model(tokens, read(tokens), prompt_mask(tokens))), tensors[f"{bits}.logits"])
    stored = [key for key in tensors if key.startswith(f"{bits}.dequant.")]
    result = {f"{bits}.dequant.{key}": weight for key, weight in official_weights(model).items()}
    assert stored
    for key in stored:
        assert torch.equal(result[key], tensors[key]), key


def official_weights(model: ChatGLM) -> Tensors:
    """The matrices that the codes mean, in the official packing."""
    matrices = {
        f"{name}.weight": layer.dequantize() for name, layer in model.named_modules() if hasattr(layer, "dequantize")
    }
    return {
        place.keys[0]: place.packing.to_external(matrices[name])[0]
        for name, place in statemap(model.config).external(matrices).items()
    }
