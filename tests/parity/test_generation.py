"""Filling and scoring against the original's goldens (golden/glm/generation)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from glmkit.generate.beam import Beam, search
from glmkit.generate.engine import Writer, collect, write
from glmkit.generate.sampling import Greedy
from glmkit.infill.geometry import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.spans import span_logprob
from glmkit.testing import MODEL_TOLERANCE
from glmkit.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, eod=0, cls=1, mask=2, smask=6, gmask=5, sop=3, eop=4)


@pytest.fixture(scope="module")
def fills(golden: Path) -> list[dict]:
    """Items of the golden but those of kind `limit`: there the original forgets the last token of a blank that was
    cut off before it writes the next one, and we do not."""
    items = json.loads((golden / "generation/fill.json").read_text())["items"]
    return [item for item in items if item["kind"] != "limit"]


def writer(model: GLM, max_tokens: int, min_tokens: int = 0) -> Writer:
    return Writer(
        model=model,
        geometry=TwoChannel(),
        special=SPECIAL,
        vocab_size=512,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
    )


def check(filled: list, item: dict) -> None:
    for ours, theirs in zip(filled, item["blanks"], strict=True):
        assert ours.ids == theirs["tokens"], item["id"]
        assert ours.ended == {"eos": "eod"}.get(theirs["ended"], theirs["ended"])
        np.testing.assert_allclose(ours.logprobs, theirs["step_logprobs"], atol=MODEL_TOLERANCE)


def test_fills_one_by_one(golden_glm: GLM, fills: list[dict]) -> None:
    for item in fills:
        steps = write(
            golden_glm, TwoChannel(), SPECIAL, 512, [item["prompt"]], Greedy(), max_tokens=item["out_seq_length"]
        )
        check(collect(steps, 1)[0], item)


def test_fills_in_one_batch(golden_glm: GLM, fills: list[dict]) -> None:
    """Prompts of different lengths and numbers of blanks, padded on the left, give what they give alone."""
    for limit in {item["out_seq_length"] for item in fills}:
        items = [item for item in fills if item["out_seq_length"] == limit]
        prompts = [item["prompt"] for item in items]
        steps = write(writer(golden_glm, limit), prompts, Greedy())
        for filled, item in zip(collect(steps, len(items)), items, strict=True):
            check(filled, item)


def test_beam_search(golden_glm: GLM, golden: Path) -> None:
    """The seq2seq evaluator's beam search, deterministic: predictions and scores."""
    for item in json.loads((golden / "generation/beam.json").read_text())["items"]:
        beam = Beam(
            beams=item["num_beams"], length_penalty=item["length_penalty"], no_repeat_ngram=item["no_repeat_ngram_size"]
        )
        found = search(writer(golden_glm, item["tgt_seq_length"], item["min_tgt_length"]), item["sources"], beam)
        assert [group[0].blanks[0].ids for group in found] == item["predictions"], item["id"]
        np.testing.assert_allclose([group[0].score for group in found], item["scores"], atol=1e-3)


def test_scores_of_choices(golden_glm: GLM, golden: Path) -> None:
    """log p of a choice and its end token; the original uses the last mask, so contexts with one are compared."""
    items = json.loads((golden / "generation/choice.json").read_text())["items"]
    compared = 0
    for item in items:
        if sum(id in SPECIAL.masks for id in item["context"]) == 1:
            for choice, expected in zip(item["choices"], item["logprob"], strict=True):
                found = span_logprob(golden_glm, TwoChannel(), SPECIAL, item["context"], [choice], [[0]])
                assert found.value == pytest.approx(expected, abs=1e-3)
                compared += 1
    assert compared > 20


@pytest.fixture(scope="module")
def golden_glm(golden: Path) -> GLM:
    from .weights import from_original

    tensors = load_file(golden / "model/model.safetensors")
    with torch.no_grad():
        return from_original(tensors)
