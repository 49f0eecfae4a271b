"""Losses of answers, continuous prompts and the classifier head against the original (golden/glm/generation)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from glmkit.core.types import AttentionMask
from glmkit.finetuning.pool import pooled
from glmkit.infill.position_schemes import TwoChannel
from glmkit.models.glm import GLM
from glmkit.nn.head import PooledHead
from glmkit.nn.prompt import PromptedWords, PromptEncoder
from glmkit.objective.answers import answer_batch, answer_scores, label_scores
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.objective.loss import targets_of
from glmkit.objective.ranking import LOSSES, table
from glmkit.testing import MODEL_TOLERANCE

from .original import build, weights
from .test_generation import SPECIAL


@pytest.fixture(scope="module")
def glm(golden: Path) -> GLM:
    return build(weights(golden)).requires_grad_(False)


def load(golden: Path, name: str) -> dict[str, Any]:
    return json.loads((golden / f"generation/{name}.json").read_text())


def test_losses_of_choices(glm: GLM, golden: Path) -> None:
    """Batches of contexts with 2 to 5 choices: scores, the wanting choices masked, and every loss."""
    data = load(golden, "choice")
    items = {item["id"]: item for item in data["items"]}
    for batch in data["batches"]:
        examples = [
            [
                ScoringRequest(
                    context=items[id]["context"],
                    blank=items[id]["mask_index_used"],
                    answers=[[*choice, SPECIAL.eop] for choice in items[id]["choices"]],
                )
            ]
            for id in batch["contexts"]
        ]
        gold = torch.tensor(batch["labels"])
        ours = answer_batch(TwoChannel(), SPECIAL, examples, batch["labels"])
        for penalty, losses in ((0.0, batch["loss"]), (1.0, batch["loss_length_penalty_1"])):
            scores = table(answer_scores(glm, ours, penalty), ours.counts)
            assert scores.argmax(1).tolist() == batch["prediction"] or penalty
            for name, expected in losses.items():
                assert float(LOSSES[name](scores, gold).mean()) == pytest.approx(expected, abs=1e-3), name
            if not penalty:
                mask = np.array(batch["choice_mask"])
                np.testing.assert_array_equal(np.isinf(scores.numpy()), mask == 0)
                np.testing.assert_allclose(scores[mask == 1], np.array(batch["masked_logits"])[mask == 1], atol=1e-3)


def test_losses_of_single_labels(glm: GLM, golden: Path) -> None:
    data = load(golden, "single_token")
    items = {item["id"]: item for item in data["items"]}
    every = load_file(golden / "generation/heads.safetensors")["single.sop_logits"]
    for item, logits in zip(data["items"], every, strict=True):
        hidden = sop_hidden(glm, [item])
        np.testing.assert_allclose(glm.logits(hidden)[0], logits, atol=MODEL_TOLERANCE)
        result = label_scores(glm, hidden, torch.tensor(item["verbalizer_ids"]))
        np.testing.assert_allclose(result[0], item["verbalizer_log_softmax"], atol=MODEL_TOLERANCE)
        assert int(result.argmax()) == item["prediction"]
    for batch in data["batches"]:
        chosen = [items[id] for id in batch["contexts"]]
        result = [
            label_scores(glm, sop_hidden(glm, [item]), torch.tensor(item["verbalizer_ids"]))[0] for item in chosen
        ]
        scores = table(torch.cat(result), [len(entry) for entry in result])
        gold = torch.tensor([item["label"] for item in chosen])
        for name, expected in batch["loss"].items():
            assert float(LOSSES[name](scores, gold).mean()) == pytest.approx(expected, rel=1e-4, abs=1e-4), name


def sop_hidden(glm: GLM, items: list[dict[str, Any]]) -> torch.Tensor:
    requests = [
        ScoringRequest(context=item["context"], blank=item["mask_index"], answers=[[SPECIAL.eop]]) for item in items
    ]
    return targets_of(glm, choice_batch(TwoChannel(), SPECIAL, requests))[0]


@pytest.mark.parametrize("kind", ["lstm", "mlp", "none"])
def test_continuous_prompts(kind: str, glm: GLM, golden: Path) -> None:
    """The encoder's vectors, and the logits at the sop when they stand in for words."""
    every = load_file(golden / "generation/prompt.safetensors")
    data = {name.removeprefix(f"{kind}."): value for name, value in every.items() if name.startswith(f"{kind}.")}
    prompt = PromptEncoder(5, 64, kind)
    renamed = {"lstm_head": "lstm", "mlp_head": "mlp", "spell_embeddings": "vectors"}
    prompt.load_state_dict(
        {
            ".".join(renamed.get(part, part) for part in name.split(".")[1:]): value.float()
            for name, value in data.items()
            if name.startswith("prompt_spell.")
        }
    )
    with torch.no_grad():
        np.testing.assert_allclose(prompt(), data["prompt_embeddings"], atol=MODEL_TOLERANCE)
    rows = glm.config.vocab_size
    tokens = data["tokens"].scatter(1, data["prompt_pos"], torch.arange(rows, rows + 5).expand(2, -1))
    words = glm.embedding.words
    try:
        glm.embedding.words = PromptedWords(words, prompt)
        with torch.no_grad():
            hidden = glm(tokens, data["position_ids"], AttentionMask.prefix(data["sep"]))
            np.testing.assert_allclose(glm.logits(hidden[:, -1]), data["sop_logits"], atol=MODEL_TOLERANCE)
    finally:
        glm.embedding.words = words


@pytest.mark.parametrize(("pool", "theirs"), [("cls", "cls"), ("start", "start"), ("end", "pad")])
def test_classifier_head(pool: str, theirs: str, glm: GLM, golden: Path) -> None:
    data = load(golden, "classifier_head")
    tensors = load_file(golden / "generation/heads.safetensors")
    head = PooledHead(64, 3).eval()
    names = {"pool": "pool_layer", "out": "multichoice_head"}
    head.load_state_dict(
        {
            f"{ours}.{part}": tensors[f"classifier.{old}.{part}"]
            for ours, old in names.items()
            for part in ("weight", "bias")
        }
    )
    batch = pooled(TwoChannel(), SPECIAL, data["rows"], pool)
    with torch.no_grad():
        hidden, _, _ = targets_of(glm, batch)
        np.testing.assert_allclose(head(hidden), data["logits"][theirs], atol=MODEL_TOLERANCE)
