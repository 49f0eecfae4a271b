"""Greedy generation against the official code's (golden/chatglm/v*/cases.json), alone and in left-padded batches."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glmkit.api import load
from glmkit.generate.sampling import Greedy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect, write
from glmkit.text.special import SpecialIds

from ..reference.engine import engine, one

OPTIONS = {"v2_32k": {"rope_scaling": "positions"}, "v3_32k": {"rope_scaling": "base"}}


@pytest.fixture(scope="module", params=["v1", "v2", "v3", "v2_32k", "v3_32k"])
def case(request: pytest.FixtureRequest, chatglm_golden: Path) -> tuple[DecodeConfig, dict]:
    folder = chatglm_golden / request.param
    cases = json.loads((folder / "cases.json").read_text())
    model = load(folder / "checkpoint_safetensors", dtype="float32", **OPTIONS.get(request.param, {}))
    # Nothing is forbidden or ends a text, as in the official run: every special token but sop, with which the prompts
    # of ChatGLM-6B end, has an id that never comes.
    never = min(set(range(model.config.vocab_size)) - {id for item in cases["greedy"] for id in item["new_ids"]})
    sop = getattr(model.config, "sop", never)
    special = SpecialIds(pad=never, eod=never, mask=never, smask=never, gmask=never, sop=sop, eop=never)
    config = DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=special,
        vocab_size=model.config.vocab_size,
        max_tokens=16,
    )
    return config, cases


def single(config: DecodeConfig, prompt: list[int]) -> Completion:
    return collect(write(config, [prompt], Greedy()), 1)[0][0]


def test_greedy(case: tuple[DecodeConfig, dict]) -> None:
    config, cases = case
    for item in cases["greedy"]:
        assert single(config, item["prompt_ids"]).ids == item["new_ids"]


def test_greedy_until_an_end(case: tuple[DecodeConfig, dict]) -> None:
    """The official code hands the end token out, too; here it is what ended the text."""
    config, cases = case
    item = cases["greedy_eos"]
    stopping = replace(config, stop_ids=frozenset([item["eos_token_id"]]))
    result = single(stopping, item["prompt_ids"])
    assert [*result.ids, item["eos_token_id"]] == item["new_ids"]
    assert result.finish_reason == "turn"
    assert len(result.logprobs) == len(item["new_ids"])


def test_greedy_in_a_batch(case: tuple[DecodeConfig, dict]) -> None:
    config, cases = case
    prompts = [item["prompt_ids"] for item in cases["greedy"][:3]]
    result = collect(write(config, prompts, Greedy()), 3)
    assert [filled.ids for (filled,) in result] == cases["greedy_batch"]["new_ids"]
    assert [filled.ids for (filled,) in engine(config, prompts)] == cases["greedy_batch"]["new_ids"]


def test_greedy_with_a_prefix_cache(case: tuple[DecodeConfig, dict]) -> None:
    """One prefix cache for prompts that share no more than chance gives what none gives."""
    config, cases = case
    scheduler = Scheduler(config.model)
    for item in [*cases["greedy"], *cases["greedy"]]:
        assert one(scheduler, config, item["prompt_ids"])[0].ids == item["new_ids"]
