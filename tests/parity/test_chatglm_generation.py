"""Greedy generation against the official code's (golden/chatglm/v*/cases.json), alone and in left-padded batches."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glmkit.api import load
from glmkit.generate.engine import Filled, Writer, collect, write
from glmkit.generate.memory import Memory
from glmkit.generate.sampling import Greedy
from glmkit.text.special import SpecialIds

OPTIONS = {"v2_32k": {"long_context": "positions"}, "v3_32k": {"long_context": "base"}}


@pytest.fixture(scope="module", params=["v1", "v2", "v3", "v2_32k", "v3_32k"])
def case(request: pytest.FixtureRequest, chatglm_golden: Path) -> tuple[Writer, dict]:
    folder = chatglm_golden / request.param
    cases = json.loads((folder / "cases.json").read_text())
    model = load(folder / "checkpoint_safetensors", dtype="float32", **OPTIONS.get(request.param, {}))
    # Nothing is forbidden or ends a text, as in the official run: every special token but sop, with which the prompts
    # of ChatGLM-6B end, has an id that never comes.
    never = min(set(range(model.config.vocab_size)) - {id for item in cases["greedy"] for id in item["new_ids"]})
    sop = getattr(model.config, "sop", never)
    special = SpecialIds(pad=never, eod=never, mask=never, smask=never, gmask=never, sop=sop, eop=never)
    writer = Writer(
        model=model.module,
        geometry=model.geometry,
        special=special,
        vocab_size=model.config.vocab_size,
        max_tokens=16,
    )
    return writer, cases


def single(writer: Writer, prompt: list[int], memory: Memory | None = None) -> Filled:
    return collect(write(writer, [prompt], Greedy(), memory=memory), 1)[0][0]


def test_greedy(case: tuple[Writer, dict]) -> None:
    writer, cases = case
    for item in cases["greedy"]:
        assert single(writer, item["prompt_ids"]).ids == item["new_ids"]


def test_greedy_until_an_end(case: tuple[Writer, dict]) -> None:
    """The official code hands the end token out, too; here it is what ended the text."""
    writer, cases = case
    item = cases["greedy_eos"]
    stopping = replace(writer, stop_ids=frozenset([item["eos_token_id"]]))
    found = single(stopping, item["prompt_ids"])
    assert [*found.ids, item["eos_token_id"]] == item["new_ids"]
    assert found.ended == "turn"
    assert len(found.logprobs) == len(item["new_ids"])


def test_greedy_in_a_batch(case: tuple[Writer, dict]) -> None:
    writer, cases = case
    prompts = [item["prompt_ids"] for item in cases["greedy"][:3]]
    found = collect(write(writer, prompts, Greedy()), 3)
    assert [filled.ids for (filled,) in found] == cases["greedy_batch"]["new_ids"]


def test_greedy_with_a_memory(case: tuple[Writer, dict]) -> None:
    """One memory for prompts that share no more than chance gives what none gives."""
    writer, cases = case
    memory = Memory()
    for item in [*cases["greedy"], *cases["greedy"]]:
        assert single(writer, item["prompt_ids"], memory).ids == item["new_ids"]
