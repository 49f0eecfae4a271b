"""Going on behind a prompt: batched is single, in chunks is at once, with a prefix cache is from scratch."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.generate import active_sequence
from glmkit.generate import scheduler as engine_room
from glmkit.generate.penalties import Penalties
from glmkit.generate.sampling import Greedy, Strategy, TopP
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect, write
from glmkit.nn.accelerate import accelerate
from glmkit.quantization.plan import PLANS
from glmkit.testing import MODEL_TOLERANCE, tiny

from ..reference import writing as reference
from ..reference.engine import engine
from ..reference.engine import one as kept_one

text_ids = st.integers(0, 255)
prompts = st.lists(text_ids, min_size=1, max_size=20)
limits = st.integers(1, 6)


@pytest.fixture(scope="module")
def causal() -> DecodeConfig:
    """A tiny ChatGLM2 whose texts end by themselves now and then."""
    model = tiny("chatglm2")
    with torch.no_grad():
        model.module.output.weight[[model.tokenizer.special.eod, 7]] *= 2
    return DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=6,
        max_length=24,
        stop_ids=frozenset([7]),
    )


@pytest.fixture(scope="module")
def filling() -> DecodeConfig:
    model = tiny("glm")
    return DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=4,
    )


def one(config: DecodeConfig, prompt: list[int], strategy: Strategy | None = None) -> Completion:
    return collect(write(config, [prompt], strategy or Greedy()), 1)[0][0]


def length_kept(scheduler: Scheduler) -> int:
    """Tokens of the row that is kept."""
    return sum(len(row.tokens) for row in scheduler.prefix_cache.rows)


def same(ours: Completion, theirs: Completion) -> None:
    assert (ours.ids, ours.finish_reason) == (theirs.ids, theirs.finish_reason)
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=MODEL_TOLERANCE)


@settings(max_examples=30)
@given(batch=st.lists(prompts, min_size=1, max_size=5), limit=limits, least=st.integers(0, 2))
def test_a_batch_with_a_cache_is_one_by_one_without(
    causal: DecodeConfig, batch: list[list[int]], limit: int, least: int
) -> None:
    config = replace(causal, max_tokens=limit, min_tokens=min(least, limit))
    for prompt, (filled,) in zip(batch, collect(write(config, batch, Greedy()), len(batch)), strict=True):
        ids, logprobs, ended = reference.go_on(config, prompt)
        assert (filled.ids, filled.finish_reason) == (ids, ended)
        assert filled.logprobs == pytest.approx(logprobs, abs=MODEL_TOLERANCE)


@settings(max_examples=20)
@given(batch=st.lists(prompts, min_size=2, max_size=4), seeds=st.lists(st.integers(0, 99), min_size=4, max_size=4))
def test_each_request_draws_for_itself(causal: DecodeConfig, batch: list[list[int]], seeds: list[int]) -> None:
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
def test_a_prompt_is_read_in_chunks_as_at_once(causal: DecodeConfig, batch: list[list[int]], size: int) -> None:
    whole = collect(write(causal, batch, Greedy()), len(batch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_room, "CHUNK", size)
        patch.setattr(engine_room, "CHUNK_BESIDE", max(1, size // 2))
        for (ours,), (theirs,) in zip(engine(causal, batch), whole, strict=True):
            same(ours, theirs)


@settings(max_examples=20)
@given(blanks=st.lists(st.sampled_from([258, 259, 260]), min_size=1, max_size=2), text=prompts, size=st.integers(1, 4))
def test_what_is_read_both_ways_is_read_in_one_piece(
    filling: DecodeConfig, blanks: list[int], text: list[int], size: int
) -> None:
    prompt = [263, *text, *blanks, 257]
    whole = collect(write(filling, [prompt], Greedy()), 1)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_room, "CHUNK", size)
        for ours, theirs in zip(engine(filling, [prompt])[0], whole, strict=True):
            same(ours, theirs)


@settings(max_examples=20)
@given(
    turns=st.lists(st.tuples(st.integers(0, 12), st.lists(text_ids, min_size=1, max_size=5)), min_size=2, max_size=5)
)
def test_a_prefix_cache_changes_nothing_but_what_is_read(
    causal: DecodeConfig, turns: list[tuple[int, list[int]]]
) -> None:
    """Each prompt keeps some of what stands in the last prompt and its text, and goes on otherwise. What is kept ends
    where a read ended: behind a prompt, or behind any token of a text."""
    scheduler, before, borders, config = Scheduler(causal.model), [1, 2, 3], {0}, replace(causal, max_length=None)
    for kept, new in turns:
        prompt, read = [*before[:kept], *new], before[: length_kept(scheduler)]
        filled, group = kept_one(scheduler, config, prompt)
        same(filled, one(config, prompt))
        shared = next((i for i, (a, b) in enumerate(zip(read, prompt, strict=False)) if a != b), len(read))
        known = max(border for border in borders if border <= min(shared, len(prompt) - 1))
        assert group.cached_tokens == known
        borders = {border for border in borders if border <= known}
        borders |= set(range(len(prompt), length_kept(scheduler) + 1))
        before = [*prompt, *filled.ids]


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int4"])
def rounding(request: pytest.FixtureRequest) -> DecodeConfig:
    """A tiny ChatGLM2 in which sums depend on how many rows are read at once."""
    model = tiny("chatglm2")
    if request.param != "float32":
        model.module.to(torch.bfloat16)
    if request.param == "int4":
        for name, layer in list(model.module.named_modules()):
            built = PLANS["int4"].quantize(name, layer, layer.weight) if type(layer) is torch.nn.Linear else None
            if built is not None:
                model.module.set_submodule(name, built)
    accelerate(model.module, model.module.embedding.weight.dtype)
    return DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
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
    rounding: DecodeConfig, talk: list[list[int]], others: list[list[int]], start: int, size: int, short: int
) -> None:
    """Each turn is asked twice, then the whole talk again behind other prompts, some of which begin like it."""
    scheduler, had = Scheduler(rounding.model), list[Completion]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_room, "CHUNK", size)
        patch.setattr(active_sequence, "MIN_CHUNK", short)
        for round in range(2):
            prompt: list[int] = []
            for turn, new in enumerate(talk):
                config, prompt = replace(rounding, boundaries=(start, len(prompt))), [*prompt, *new]
                filled = kept_one(scheduler, config, prompt)[0]
                assert kept_one(scheduler, config, prompt)[0] == filled
                if round:
                    assert filled == had[turn]
                had.append(filled)
                prompt += filled.ids
            for other in others:
                config = replace(rounding, boundaries=(start,))
                kept_one(scheduler, config, [*talk[0][:start], *other])


def test_a_context_read_both_ways_is_kept_whole_or_not_at_all(filling: DecodeConfig) -> None:
    scheduler = Scheduler(filling.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_room, "CHUNK", 4)
        for prompt, known in (
            ([263, 65, 66, 259], 0),
            ([263, 65, 66, 259], 4),  # the very same: only `sop` is read
            ([263, 65, 67, 259], 0),
            ([263, 65, 67, 66, 259], 0),
        ):
            filled, group = kept_one(scheduler, filling, prompt)
            same(filled, one(filling, prompt))
            assert group.cached_tokens == known


def test_a_prefix_cache_forgets_when_a_weight_changes() -> None:
    model = tiny("chatglm2")
    scheduler = Scheduler(model.module)
    config = DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=model.tokenizer.special,
        vocab_size=len(model.tokenizer),
        max_tokens=4,
    )
    kept_one(scheduler, config, [65, 66, 67])
    with torch.no_grad():
        model.module.blocks[0].mlp.up.weight.mul_(1.5)
    filled, group = kept_one(scheduler, config, [65, 66, 67, 68])
    same(filled, one(config, [65, 66, 67, 68]))
    assert group.cached_tokens == 0


def test_a_text_ends_where_the_context_does(causal: DecodeConfig) -> None:
    never = replace(causal, stop_ids=frozenset(), max_tokens=100, min_tokens=100)
    prompt = [65] * 20
    assert len(one(never, prompt).ids) == 4
    with pytest.raises(UserError, match="a prompt of 24 tokens leaves no room to write: the model reads 24"):
        one(never, [65] * 24)


def test_the_most_probable_ids_are_told(causal: DecodeConfig) -> None:
    for (token,) in write(causal, [[65, 66]], Greedy(), top=3):
        assert len(token.top) == 3
        assert [p for _, p in token.top] == sorted((p for _, p in token.top), reverse=True)
        if token.id == token.top[0][0]:
            assert token.logprob == pytest.approx(token.top[0][1])


def test_an_empty_prompt(causal: DecodeConfig) -> None:
    with pytest.raises(UserError, match="text 1 is empty"):
        one(causal, [])
