"""ChatGLM2's and ChatGLM3's numbers against the official code's, on the same weights and inputs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.api import Model
from glmkit.api import load as load_model
from glmkit.data.packing import pack
from glmkit.infill.layout import causal_layout
from glmkit.infill.position_schemes import Sequential, example
from glmkit.models.chatglm2 import ChatGLM2
from glmkit.objective.loss import Loss
from glmkit.testing import MODEL_TOLERANCE

from .official import Tensors, causal, close, close_gradients, counted, load, shifted_loss, tensors_of
from .original import table_mask

VERSIONS = ["v2", "v3", "v2_32k", "v3_32k"]


@pytest.fixture(scope="module", params=VERSIONS)
def place(request: pytest.FixtureRequest, chatglm_golden: Path) -> Path:
    return chatglm_golden / request.param


@pytest.fixture(scope="module", params=["v2", "v3"])
def fine_tuned(request: pytest.FixtureRequest, chatglm_golden: Path) -> Path:
    """Where there are prefixes and classification heads too."""
    return chatglm_golden / request.param


@pytest.fixture(scope="module")
def tensors(place: Path) -> Tensors:
    return tensors_of(place / "cases.safetensors")


@pytest.fixture(scope="module")
def facts(place: Path) -> dict[str, Any]:
    return json.loads((place / "cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(place: Path) -> ChatGLM2:
    return load(place / "checkpoint_safetensors").requires_grad_(False)


def test_logits_of_bare_ids(place: Path, tensors: Tensors) -> None:
    m = load_model(place / "checkpoint_bin", dtype="float32", device="cpu")
    close(m.logits(tensors["prefill.input_ids"]), tensors["prefill.logits"])
    valid = tensors["batch.valid"]
    close(m.logits(tensors["batch.input_ids"], begin=(~valid).sum(1))[valid], tensors["batch.logits"][valid])


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
        where = valid.sum(1)[:, None, None] + i
        close(model.logits(model(token, where, mask, cache)[:, 0]), tensors["batch_decode.logits"][:, i])


def test_the_output_of_every_layer(model: ChatGLM2, tensors: Tensors) -> None:
    seen: list[Tensor] = []
    watched = [model.embedding, *model.blocks]
    handles = [m.register_forward_hook(lambda module, inputs, output: seen.append(output)) for m in watched]
    tokens = tensors["hidden.input_ids"]
    last = model(tokens, counted(tokens), causal(1))
    for handle in handles:
        handle.remove()
    for layer, output in enumerate(seen):
        close(output, tensors[f"hidden.state.{layer}"])
    close(last, tensors["hidden.last_hidden_state"])
    assert len(seen) == 4


def test_far_and_irregular_positions(model: ChatGLM2, tensors: Tensors) -> None:
    hidden = model(tensors["positions.input_ids"], tensors["positions.position_ids"][:, None], causal(1))
    # Angles of several thousand in float32 are a few 1e-4 from the truth, here and there.
    close(model.logits(hidden), tensors["positions.logits"], 10 * MODEL_TOLERANCE)


def test_a_long_text(model: ChatGLM2, tensors: Tensors) -> None:
    tokens = tensors["long.input_ids"]
    close(model.logits(model(tokens, counted(tokens), causal(1))[:, -8:]), tensors["long.last_logits"])


def test_greedy_continuations(model: ChatGLM2, facts: dict[str, Any]) -> None:
    for case in facts["greedy"]:
        assert written(model, case["prompt_ids"], 16) == case["new_ids"]
    stopped = facts["greedy_eos"]
    assert written(model, stopped["prompt_ids"], 16, stopped["eos_token_id"]) == stopped["new_ids"]


def written(model: ChatGLM2, prompt: list[int], count: int, end: int = -1) -> list[int]:
    """The slow greedy loop, without a cache."""
    ids = list(prompt)
    while len(ids) < len(prompt) + count and ids[-1] != end:
        tokens = torch.tensor([ids])
        ids.append(int(model.logits(model(tokens, counted(tokens), causal(1))[0, -1]).argmax()))
    return ids[len(prompt) :]


def test_loss_and_gradients(place: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    model = load(place / "checkpoint_bin")
    tokens = tensors["loss.input_ids"]
    loss = shifted_loss(model, model(tokens, counted(tokens), causal(len(tokens))), tensors["loss.labels"])
    loss.backward()
    close(loss[None], tensors["loss.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, "loss", facts["loss"])


@pytest.mark.parametrize("rows", ["a row each", "one row"])
def test_loss_and_gradients_as_pretraining_works_them_out(
    place: Path, tensors: Tensors, facts: dict[str, Any], rows: str
) -> None:
    """The same texts through a packed batch and the loss of a training step."""
    model = load(place / "checkpoint_bin")
    examples = []
    for ids, labels in zip(tensors["loss.input_ids"].numpy(), tensors["loss.labels"].numpy(), strict=True):
        counts = (labels[1:] != -100).astype(np.float32)
        layout = replace(causal_layout(ids, 1), targets=np.maximum(labels[1:], 0), weights=counts)
        examples.append(example(layout, Sequential()))
    batch = pack([[one] for one in examples] if rows == "a row each" else [examples], pad=0)
    loss = Loss(model)(batch) / batch.weights.sum()
    loss.backward()
    close(loss[None], tensors["loss.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, "loss", facts["loss"])


def test_loss_and_gradients_of_rows_padded_on_the_left(place: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    model = load(place / "checkpoint_bin")
    tokens, real = tensors["loss_leftpad.input_ids"], tensors["loss_leftpad.attention_mask"].bool()
    # The first real token is a target too, of padding before it, which the official code lets see the whole row.
    mask = table_mask(
        ((real[:, None, :] & torch.ones_like(real[0].outer(real[0])).tril()) | ~real[:, :, None])[:, None]
    )
    hidden = model(tokens, tensors["loss_leftpad.position_ids"][:, None], mask)
    loss = shifted_loss(model, hidden, tensors["loss_leftpad.labels"])
    loss.backward()
    close(loss[None], tensors["loss_leftpad.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, "loss_leftpad", facts["loss_leftpad"])


@pytest.mark.parametrize("kind", ["ptuning", "ptuning_projection"])
def test_a_prefix_laid_over_the_base_model(fine_tuned: Path, kind: str) -> None:
    tensors = tensors_of(fine_tuned / "cases.safetensors")
    facts = json.loads((fine_tuned / "cases.json").read_text(encoding="utf-8"))
    model = base(fine_tuned).with_prefix(fine_tuned / kind).module
    tokens, steps = tensors[f"{kind}.input_ids"], tensors[f"{kind}.step_ids"]
    close(model.logits(model(tokens, counted(tokens), causal(1))), tensors[f"{kind}.logits"])
    for layer, (keys, values) in enumerate(model.prefix(1)):
        close(keys.transpose(1, 2), tensors[f"{kind}.prefix_k.{layer}"])
        close(values.transpose(1, 2), tensors[f"{kind}.prefix_v.{layer}"])

    cache = model.new_cache(1, tokens.shape[1] + steps.shape[1])
    model(tokens, counted(tokens), causal(1), cache)
    for i, token in enumerate(steps.split(1, dim=1)):
        hidden = model(token, counted(token, tokens.shape[1] + i), causal(1), cache)
        close(model.logits(hidden[:, 0]), tensors[f"{kind}.step_logits"][:, i])

    valid = tensors[f"{kind}.batch.valid"]
    mask = causal(len(valid), (~valid).sum(1))
    hidden = model(tensors[f"{kind}.batch.input_ids"], tensors[f"{kind}.batch.position_ids"][:, None], mask)
    close(model.logits(hidden)[valid], tensors[f"{kind}.batch.logits"][valid])

    tokens = tensors[f"{kind}.loss.input_ids"]
    loss = shifted_loss(model, model(tokens, counted(tokens), causal(1)), tensors[f"{kind}.loss.labels"])
    loss.backward()
    close(loss[None], tensors[f"{kind}.loss.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, f"{kind}.loss", facts[f"{kind}.loss"])


def base(place: Path) -> Model:
    return load_model(place / "checkpoint_safetensors", dtype="float32", device="cpu")


def test_classification(fine_tuned: Path) -> None:
    tensors = tensors_of(fine_tuned / "cases.safetensors")
    facts = json.loads((fine_tuned / "cases.json").read_text(encoding="utf-8"))
    model = load(fine_tuned / "seqcls")
    tokens, real = tensors["seqcls.input_ids"], tensors["seqcls.attention_mask"].bool()
    padding = (~real).sum(1)
    hidden = model(tokens, tensors["seqcls.position_ids"][:, None], causal(len(tokens), padding))
    logits = model.classify(hidden, real)
    close(logits, tensors["seqcls.logits"])
    loss = F.cross_entropy(logits, tensors["seqcls.labels"])
    loss.backward()
    close(loss[None], tensors["seqcls.loss"], MODEL_TOLERANCE / 10)
    close_gradients(model, tensors, "seqcls", facts["seqcls"])
    right = torch.stack([row.roll(-int(pad)) for row, pad in zip(tokens, padding, strict=True)])
    moved = torch.stack([row.roll(-int(pad)) for row, pad in zip(real, padding, strict=True)])
    close(model.classify(model(right, counted(right), causal(len(right))), moved), tensors["seqcls.logits"])


@pytest.mark.parametrize("files", ["bin", "safetensors"])
@pytest.mark.parametrize("bits", ["int8", "int4"])
def test_checkpoints_published_quantized(chatglm_golden: Path, bits: str, files: str) -> None:
    tensors = tensors_of(chatglm_golden / "v2/quant_cases.safetensors")
    model = load(chatglm_golden / f"v2/{bits}_{files}")
    tokens = tensors["input_ids"]
    close(model.logits(model(tokens, counted(tokens), causal(1))), tensors[f"{bits}.logits"])
    for layer in (0, 1):
        stored = f"{bits}.dequant.transformer.encoder.layers.{layer}"
        block = model.blocks[layer]
        assert torch.equal(block.mlp.down.dequantize(), tensors[f"{stored}.mlp.dense_4h_to_h.weight"])
        assert torch.equal(block.attention.qkv.dequantize(), tensors[f"{stored}.self_attention.query_key_value.weight"])
