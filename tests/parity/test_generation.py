"""Filling and scoring against the original's goldens (golden/glm/generation)."""

import json
from pathlib import Path

import numpy as np
import pytest

from glmkit.generate.beam import Beam, search
from glmkit.generate.follow import run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect, write
from glmkit.infill.position_schemes import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.choices import choice_logprobs
from glmkit.objective.spans import span_logprob
from glmkit.testing import MODEL_TOLERANCE
from glmkit.text.special import SpecialIds
from tests.reference.engine_reader import engine_reader

from ..reference.engine import engine
from .original import build, weights

SPECIAL = SpecialIds(pad=0, eod=0, cls=1, mask=2, smask=6, gmask=5, sop=3, eop=4)


@pytest.fixture(scope="module")
def fills(golden: Path) -> list[dict]:
    """Items of the golden but those of kind `limit`: there the original forgets the last token of a blank that was
    cut off before it writes the next one, and we do not."""
    items = json.loads((golden / "generation/fill.json").read_text())["items"]
    return [item for item in items if item["kind"] != "limit"]


def config(model: GLM, max_tokens: int, min_tokens: int = 0) -> DecodeConfig:
    return DecodeConfig(
        model=model,
        position_scheme=TwoChannel(),
        special=SPECIAL,
        vocab_size=512,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
    )


def check(filled: list, item: dict) -> None:
    for ours, theirs in zip(filled, item["blanks"], strict=True):
        assert ours.ids == theirs["tokens"], item["id"]
        assert ours.finish_reason == {"eos": "eod"}.get(theirs["ended"], theirs["ended"])
        np.testing.assert_allclose(ours.logprobs, theirs["step_logprobs"], atol=MODEL_TOLERANCE)


def test_fills_one_by_one(golden_glm: GLM, fills: list[dict]) -> None:
    for item in fills:
        steps = write(config(golden_glm, item["out_seq_length"]), [item["prompt"]], Greedy())
        check(collect(steps, 1)[0], item)


def test_fills_in_one_batch(golden_glm: GLM, fills: list[dict]) -> None:
    """Prompts of different lengths and numbers of blanks, padded on the left, give what they give alone."""
    for limit in {item["out_seq_length"] for item in fills}:
        items = [item for item in fills if item["out_seq_length"] == limit]
        prompts = [item["prompt"] for item in items]
        steps = write(config(golden_glm, limit), prompts, Greedy())
        for filled, item in zip(collect(steps, len(items)), items, strict=True):
            check(filled, item)
        for filled, item in zip(engine(config(golden_glm, limit), prompts), items, strict=True):
            check(filled, item)


def test_beam_search(golden_glm: GLM, golden: Path) -> None:
    """The seq2seq evaluator's beam search, deterministic: predictions and scores."""
    for item in json.loads((golden / "generation/beam.json").read_text())["items"]:
        beam = Beam(
            beams=item["num_beams"], length_penalty=item["length_penalty"], no_repeat_ngram=item["no_repeat_ngram_size"]
        )
        decoding = config(golden_glm, item["tgt_seq_length"], item["min_tgt_length"])
        match = [search(decoding, source, beam) for source in item["sources"]]
        assert [group[0].blanks[0].ids for group in match] == item["predictions"], item["id"]
        np.testing.assert_allclose([group[0].score for group in match], item["scores"], atol=1e-3)
        requests = [Request(config=decoding, prompt=source, strategy=beam) for source in item["sources"]]
        together = [group.hypotheses for group in run(Scheduler(golden_glm), requests)]
        assert [group[0].blanks[0].ids for group in together] == item["predictions"], item["id"]
        np.testing.assert_allclose([group[0].score for group in together], item["scores"], atol=1e-3)


@pytest.fixture(scope="module")
def choices(golden: Path) -> list[dict]:
    return json.loads((golden / "generation/choice.json").read_text())["items"]


def test_scores_of_choices(golden_glm: GLM, choices: list[dict]) -> None:
    """log p of every token of every choice, ragged, all contexts and choices as one read."""
    result = choice_logprobs(
        engine_reader(golden_glm),
        TwoChannel(),
        SPECIAL,
        [item["context"] for item in choices],
        [item["choices"] for item in choices],
    )
    for item, group in zip(choices, result, strict=True):
        assert [sum(logprobs) for logprobs in group] == pytest.approx(item["logprob"], abs=1e-3)
        normalized = [sum(logprobs) / len(logprobs) for logprobs in group]
        assert normalized == pytest.approx(item["logprob_length_penalty_1"], abs=1e-3)
        for ours, theirs in zip(group, item["token_logprobs"], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_a_choice_is_a_span(golden_glm: GLM, choices: list[dict]) -> None:
    """The log p of a span and of a choice are the same thing where there is one blank."""
    for item in choices[:4]:
        if sum(id in SPECIAL.masks for id in item["context"]) == 1:
            for choice, expected in zip(item["choices"], item["logprob"], strict=True):
                result = span_logprob(
                    engine_reader(golden_glm), TwoChannel(), SPECIAL, item["context"], [choice], [[0]]
                )
                assert result.value == pytest.approx(expected, abs=1e-3)


def test_single_token_labels(golden_glm: GLM, golden: Path) -> None:
    """log p of one-token labels at the sop, over the whole vocabulary, without their end."""
    for item in json.loads((golden / "generation/single_token.json").read_text())["items"]:
        labels = [[id] for id in item["verbalizer_ids"]]
        (result,) = choice_logprobs(engine_reader(golden_glm), TwoChannel(), SPECIAL, [item["context"]], [labels])
        np.testing.assert_allclose([p[0] for p in result], item["verbalizer_log_softmax"], atol=MODEL_TOLERANCE)


@pytest.fixture(scope="module")
def golden_glm(golden: Path) -> GLM:
    return build(weights(golden)).eval()
