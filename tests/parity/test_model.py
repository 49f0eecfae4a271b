"""GLM's logits, losses, gradients and cached steps against the original's, on the same weights and inputs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from glmkit.core.types import AttentionMask, Batch
from glmkit.models.glm import GLM
from glmkit.objective.loss import batch_loss, targets_of, token_losses
from glmkit.testing import DOUBLE_TOLERANCE, GRADIENT_TOLERANCE, MODEL_TOLERANCE

from ..reference import glm as reference_glm
from ..reference import mask as reference_mask
from .original import build, rename, table_mask, weights

Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def tensors(golden: Path) -> Tensors:
    return load_file(golden / "model/cases.safetensors")


@pytest.fixture(scope="module")
def facts(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "model/cases.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def glm(golden: Path) -> GLM:
    return build(weights(golden)).requires_grad_(False)


def batch_of(tensors: Tensors, case: str) -> Batch:
    return Batch(
        tokens=tensors[f"{case}.tokens"],
        targets=tensors[f"{case}.targets"],
        weights=tensors[f"{case}.loss_mask"].float(),
        positions=tensors[f"{case}.position_ids"],
        mask=AttentionMask.prefix(tensors[f"{case}.sep"]),
    )


def first_row(tensors: Tensors) -> tuple[Tensor, Tensor, AttentionMask]:
    """What the one-row cases were run on: row 0 of `a_token`."""
    batch = batch_of(tensors, "a_token")
    return batch.tokens[:1], batch.positions[:1], batch.mask.rows(torch.tensor([0]))


def close(ours: Tensor, golden: Tensor, tolerance: float = MODEL_TOLERANCE) -> None:
    torch.testing.assert_close(ours, golden, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("case", ["a_token", "a_sentence", "a_document", "a_infill"])
def test_logits_and_losses_of_training_rows(glm: GLM, tensors: Tensors, case: str) -> None:
    batch = batch_of(tensors, case)
    logits = glm.logits(glm(batch.tokens, batch.positions, batch.mask))
    hidden, targets, counted = targets_of(glm, batch)
    losses = torch.zeros_like(batch.weights)
    losses[batch.weights > 0] = token_losses(glm, hidden, targets)
    close(logits, tensors[f"{case}.logits"])
    close(losses, tensors[f"{case}.token_loss"] * batch.weights)
    close(batch_loss(glm, batch)[None] / counted.sum(), tensors[f"{case}.loss"])


@pytest.mark.parametrize("case", ["b_causal", "b_bidirectional", "b_scalar_sep"])
def test_logits_under_masks_that_a_context_describes(glm: GLM, tensors: Tensors, case: str) -> None:
    tokens = tensors[f"{case}.tokens"]
    context = tensors[f"{case}.sep"].expand(len(tokens))  # one number serves every row
    close(
        glm.logits(glm(tokens, tensors[f"{case}.position_ids"], AttentionMask.prefix(context))),
        tensors[f"{case}.logits"],
    )


def test_logits_under_an_arbitrary_mask(glm: GLM, tensors: Tensors) -> None:
    case = "b_explicit_mask"
    hidden = glm(tensors[f"{case}.tokens"], tensors[f"{case}.position_ids"], table_mask(tensors[f"{case}.mask"]))
    close(glm.logits(hidden), tensors[f"{case}.logits"])


def test_a_query_that_sees_nothing_stays_finite_and_disturbs_no_other(glm: GLM, tensors: Tensors) -> None:
    case = "b_masked_row"
    hidden = glm(tensors[f"{case}.tokens"], tensors[f"{case}.position_ids"], table_mask(tensors[f"{case}.mask"]))
    logits = glm.logits(hidden)
    close(logits[:, :3], tensors[f"{case}.logits"][:, :3])
    assert logits.isfinite().all()


@pytest.mark.parametrize("case", ["c_one_blank", "c_two_blanks"])
def test_steps_after_a_cached_context(glm: GLM, tensors: Tensors, case: str) -> None:
    context, steps = tensors[f"{case}.context"], tensors[f"{case}.step_tokens"]
    rows, length = context.shape
    mask = AttentionMask.prefix([length] * rows)
    cache = glm.new_cache(rows, length + steps.shape[1])
    close(
        glm.logits(glm(context, tensors[f"{case}.context_position_ids"], mask, cache)),
        tensors[f"{case}.context_logits"],
    )
    for i in range(steps.shape[1]):
        place = tensors[f"{case}.step_position_ids"][:, :, i : i + 1]
        logits = glm.logits(glm(steps[:, i : i + 1], place, mask, cache))
        close(logits[:, 0], tensors[f"{case}.step_logits"][:, i])


def test_the_output_of_every_layer(glm: GLM, tensors: Tensors) -> None:
    seen: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda module, inputs, output: seen.append(output))
        for module in (glm.embedding, *glm.blocks)
    ]
    context = tensors["c_one_blank.context"]
    glm(context, tensors["c_one_blank.context_position_ids"], AttentionMask.prefix([context.shape[1]]))
    for handle in handles:
        handle.remove()
    for layer, output in enumerate(seen):
        close(output, tensors[f"c_one_blank.memory_{layer}"])
    assert len(seen) == 4


def test_final_hidden_states(glm: GLM, tensors: Tensors) -> None:
    close(glm(*first_row(tensors)), tensors["final_hidden.hidden"])


def test_the_scaled_attention_of_the_original_is_the_same_function(glm: GLM, tensors: Tensors) -> None:
    close(glm.logits(glm(*first_row(tensors))), tensors["attention_scale_8.logits"])


def test_erf_gelu(golden: Path, tensors: Tensors) -> None:
    model = build(weights(golden), gelu="erf")
    close(model.logits(model(*first_row(tensors))), tensors["erf_gelu.logits"])


def test_weights_stored_as_float16(golden: Path, tensors: Tensors) -> None:
    model = build({name: tensor.half().float() for name, tensor in weights(golden).items()})
    close(model.logits(model(*first_row(tensors))), tensors["fp16_weights.logits"])


def test_float64(golden: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    model = build(weights(golden), dtype=torch.float64)
    logits = model.logits(model(*first_row(tensors)))[:, : facts["fp64"]["valid_len"]]
    close(logits, tensors["fp64.logits"], DOUBLE_TOLERANCE)


def test_gradients(golden: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    model = build(weights(golden))
    batch = batch_of(tensors, "a_token")
    (batch_loss(model, batch) / batch.weights.sum()).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    norms = {rename(name): norm for name, norm in facts["d_grad"]["norms"].items()}
    assert gradients.keys() == norms.keys()
    for name, norm in norms.items():
        assert gradients[name].norm().item() == pytest.approx(norm, rel=MODEL_TOLERANCE), name
    total = torch.stack([gradient.norm() for gradient in gradients.values()]).norm().item()
    assert total == pytest.approx(facts["d_grad"]["total_norm"], rel=MODEL_TOLERANCE)
    stored = {name.removeprefix("d_grad."): t for name, t in tensors.items() if name.startswith("d_grad.")}
    assert stored.keys() == set(facts["d_grad"]["full_grads"])
    for name, gradient in stored.items():
        torch.testing.assert_close(gradients[rename(name)], gradient, atol=GRADIENT_TOLERANCE, rtol=MODEL_TOLERANCE)


def test_our_slow_forward_is_the_original_too(golden: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    tokens, positions, mask = first_row(tensors)
    length = facts["fp64"]["valid_len"]
    visible = reference_mask.visible(int(mask.context), 0, None, 0, length)
    plain = {name: tensor.numpy() for name, tensor in weights(golden).items()}
    _, logits = reference_glm.forward(
        plain, 3, 4, tokens[0, :length].tolist(), positions[0, :, :length].tolist(), visible
    )
    close(torch.from_numpy(logits)[None], tensors["fp64.logits"], DOUBLE_TOLERANCE)
