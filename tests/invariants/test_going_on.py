"""Going on behind a prompt: batched is single, in pieces is at once, with a memory is from scratch, for any prompts."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.generate import engine
from glmkit.generate.engine import Filled, Writer, collect, write
from glmkit.generate.memory import Memory
from glmkit.generate.sampling import Greedy, Penalties, Strategy, TopP
from glmkit.nn.accelerate import accelerate
from glmkit.quantization.plan import PLANS
from glmkit.testing import MODEL_TOLERANCE, tiny

from ..reference import writing as reference

text_ids = st.integers(0, 255)
prompts = st.lists(text_ids, min_size=1, max_size=20)
limits = st.integers(1, 6)


@pytest.fixture(scope="module")
def causal() -> Writer:
    """A tiny ChatGLM2 whose texts end by themselves now and then."""
    model = tiny("chatglm2")
    with torch.no_grad():
        model.module.output.weight[[model.tokenizer.special.eod, 7]] *= 2
    return Writer(
        model=model.module,
        geometry=model.geometry,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=6,
        max_length=24,
        stop_ids=frozenset([7]),
    )


@pytest.fixture(scope="module")
def filling() -> Writer:
    model = tiny("glm")
    return Writer(
        model=model.module,
        geometry=model.geometry,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=4,
    )


def one(writer: Writer, prompt: list[int], strategy: Strategy | None = None, memory: Memory | None = None) -> Filled:
    return collect(write(writer, [prompt], strategy or Greedy(), memory=memory), 1)[0][0]


def same(ours: Filled, theirs: Filled) -> None:
    assert (ours.ids, ours.ended) == (theirs.ids, theirs.ended)
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=MODEL_TOLERANCE)


@settings(max_examples=30)
@given(batch=st.lists(prompts, min_size=1, max_size=5), limit=limits, least=st.integers(0, 2))
def test_a_batch_with_a_cache_is_one_by_one_without(
    causal: Writer, batch: list[list[int]], limit: int, least: int
) -> None:
    writer = replace(causal, max_tokens=limit, min_tokens=min(least, limit))
    for prompt, (filled,) in zip(batch, collect(write(writer, batch, Greedy()), len(batch)), strict=True):
        ids, logprobs, ended = reference.go_on(writer, prompt)
        assert (filled.ids, filled.ended) == (ids, ended)
        assert filled.logprobs == pytest.approx(logprobs, abs=MODEL_TOLERANCE)


@settings(max_examples=20)
@given(batch=st.lists(prompts, min_size=2, max_size=4), seeds=st.lists(st.integers(0, 99), min_size=4, max_size=4))
def test_each_request_draws_for_itself(causal: Writer, batch: list[list[int]], seeds: list[int]) -> None:
    """Strategies, seeds and penalties are one for each prompt, and what a prompt gets does not depend on the others."""
    strategies: list[Strategy] = [
        TopP(p=0.95, seed=seeds[0]),
        TopP(p=1.0, k=20, temperature=1.3, seed=seeds[1], penalties=Penalties(repetition=1.2)),
        Greedy(penalties=Penalties(frequency=0.5, presence=0.5, bias={3: 2.0})),
        TopP(p=1.0, min_p=0.02, seed=seeds[3]),
    ][: len(batch)]
    together = collect(write(causal, batch, strategies), len(batch))
    for prompt, strategy, (filled,) in zip(batch, strategies, together, strict=True):
        same(filled, one(causal, prompt, strategy))


@settings(max_examples=20)
@given(batch=st.lists(prompts, min_size=1, max_size=3), size=st.integers(1, 7))
def test_a_prompt_is_read_in_pieces_as_at_once(causal: Writer, batch: list[list[int]], size: int) -> None:
    whole = collect(write(causal, batch, Greedy()), len(batch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CHUNK", size)
        for (ours,), (theirs,) in zip(collect(write(causal, batch, Greedy()), len(batch)), whole, strict=True):
            same(ours, theirs)


@settings(max_examples=20)
@given(blanks=st.lists(st.sampled_from([258, 259, 260]), min_size=1, max_size=2), text=prompts, size=st.integers(1, 4))
def test_what_is_read_both_ways_is_read_in_one_piece(
    filling: Writer, blanks: list[int], text: list[int], size: int
) -> None:
    prompt = [263, *text, *blanks, 257]
    whole = collect(write(filling, [prompt], Greedy()), 1)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CHUNK", size)
        for ours, theirs in zip(collect(write(filling, [prompt], Greedy()), 1)[0], whole, strict=True):
            same(ours, theirs)


@settings(max_examples=20)
@given(
    turns=st.lists(st.tuples(st.integers(0, 12), st.lists(text_ids, min_size=1, max_size=5)), min_size=2, max_size=5)
)
def test_a_memory_changes_nothing_but_what_is_read(causal: Writer, turns: list[tuple[int, list[int]]]) -> None:
    """Each prompt keeps some of what stands in the last prompt and its text, and goes on otherwise. What is kept ends
    where a read ended: behind a prompt, or behind any token of a text."""
    memory, before, borders, writer = Memory(), [1, 2, 3], {0}, replace(causal, max_length=None)
    for kept, new in turns:
        prompt, read = [*before[:kept], *new], before[: len(memory)]
        filled = one(writer, prompt, memory=memory)
        same(filled, one(writer, prompt))
        shared = next((i for i, (a, b) in enumerate(zip(read, prompt, strict=False)) if a != b), len(read))
        known = max(border for border in borders if border <= min(shared, len(prompt) - 1))
        assert memory.known == known
        borders = {border for border in borders if border <= known} | set(range(len(prompt), len(memory) + 1))
        before = [*prompt, *filled.ids]


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int4"])
def rounding(request: pytest.FixtureRequest) -> Writer:
    """A tiny ChatGLM2 in which sums depend on how many rows are read at once."""
    model = tiny("chatglm2")
    if request.param != "float32":
        model.module.to(torch.bfloat16)
    if request.param == "int4":
        for name, layer in list(model.module.named_modules()):
            made = PLANS["int4"].quantize(name, layer, layer.weight) if type(layer) is torch.nn.Linear else None
            if made is not None:
                model.module.set_submodule(name, made)
    accelerate(model.module, model.module.embedding.weight.dtype)
    return Writer(
        model=model.module,
        geometry=model.geometry,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=12,
    )


@settings(max_examples=15)
@given(
    talk=st.lists(st.lists(text_ids, min_size=1, max_size=12), min_size=1, max_size=4),
    others=st.lists(st.lists(text_ids, min_size=1, max_size=30), max_size=2),
    start=st.integers(0, 8),
    size=st.sampled_from([3, 8, 512]),
    short=st.integers(1, 9),
)
def test_a_talk_had_again_is_the_same_to_the_last_bit(
    rounding: Writer, talk: list[list[int]], others: list[list[int]], start: int, size: int, short: int
) -> None:
    """Each turn is asked twice, then the whole talk again behind other prompts, some of which begin like it."""
    memory, had = Memory(), list[Filled]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CHUNK", size)
        patch.setattr(engine, "SHORT", short)
        for round in range(2):
            prompt: list[int] = []
            for turn, new in enumerate(talk):
                writer, prompt = replace(rounding, borders=(start, len(prompt))), [*prompt, *new]
                filled = one(writer, prompt, memory=memory)
                assert one(writer, prompt, memory=memory) == filled
                if round:
                    assert filled == had[turn]
                had.append(filled)
                prompt += filled.ids
            for other in others:
                writer = replace(rounding, borders=(start,))
                one(writer, [*talk[0][:start], *other], memory=memory)


def test_a_context_read_both_ways_is_kept_whole_or_not_at_all(filling: Writer) -> None:
    memory = Memory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CHUNK", 4)
        for prompt, known in (
            ([263, 65, 66, 259], 0),
            ([263, 65, 66, 259], 4),  # the very same: only `sop` is read
            ([263, 65, 67, 259], 0),
            ([263, 65, 67, 66, 259], 0),
        ):
            same(one(filling, prompt, memory=memory), one(filling, prompt))
            assert memory.known == known


def test_a_memory_forgets_when_a_weight_changes() -> None:
    model, memory = tiny("chatglm2"), Memory()
    writer = Writer(
        model=model.module,
        geometry=model.geometry,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=4,
    )
    one(writer, [65, 66, 67], memory=memory)
    with torch.no_grad():
        model.module.blocks[0].mlp.up.weight.mul_(1.5)
    same(one(writer, [65, 66, 67, 68], memory=memory), one(writer, [65, 66, 67, 68]))
    assert memory.known == 0


def test_a_text_ends_where_the_context_does(causal: Writer) -> None:
    never = replace(causal, stop_ids=frozenset(), max_tokens=100, min_tokens=100)
    prompt = [65] * 20
    assert len(one(never, prompt).ids) == 4
    with pytest.raises(UserError, match="a prompt of 24 tokens leaves no room to write: the model reads 24"):
        one(never, [65] * 24)


def test_the_most_probable_ids_are_told(causal: Writer) -> None:
    for (token,) in write(causal, [[65, 66]], Greedy(), top=3):
        assert len(token.top) == 3
        assert [p for _, p in token.top] == sorted((p for _, p in token.top), reverse=True)
        if token.id == token.top[0][0]:
            assert token.logprob == pytest.approx(token.top[0][1])


def test_an_empty_prompt(causal: Writer) -> None:
    with pytest.raises(UserError, match="text 1 is empty"):
        one(causal, [])
