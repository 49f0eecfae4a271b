"""Prompt look-up changes nothing but the number of passes over the weights."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.bench.lookup import Dictated
from glmkit.core.types import AttentionMask
from glmkit.generate.draft_model import DraftModel
from glmkit.generate.follow import follow, run
from glmkit.generate.penalties import Penalties
from glmkit.generate.prompt_lookup import DRAFT_COST, MAX_DRAFT, PromptLookup
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy, Strategy, TopP
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.infill.position_schemes import Sequential
from glmkit.testing import MODEL_TOLERANCE, tiny

SMALL = 12  # ids that texts are made of, so that they repeat themselves


@pytest.fixture(scope="module", params=["glm", "neoglm", "chatglm", "chatglm2"])
def config(request: pytest.FixtureRequest) -> DecodeConfig:
    """Writes SMALL ids, ends now and then; counts in `passes` how often its model is asked."""
    model = tiny(request.param)
    special = model.tokenizer.special
    return DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=replace(special, other=(*special.other, *range(SMALL, 256))),
        vocab_size=len(model.tokenizer),
        max_tokens=24,
    )


def prompt_of(config: DecodeConfig, ids: Sequence[int], blanks: Sequence[int]) -> list[int]:
    """The text `ids`; where blanks are filled, with a blank at each place of `blanks`, else as it is."""
    if isinstance(config.position_scheme, Sequential):
        return list(ids)
    prompt = list(ids)
    for place in blanks:
        prompt.insert(place % (len(prompt) + 1), config.special.gmask)
    return prompt


def passes(
    config: DecodeConfig,
    prompt: Sequence[int],
    how: Strategy,
    lookup: bool,
    draft: DraftModel | None = None,
    sequences: int = 1,
) -> tuple[list[Token], int]:
    """The tokens written, and how many times the model was asked for them."""
    requests = []
    hook = config.model.register_forward_pre_hook(lambda *_: requests.append(1))  # type: ignore[attr-defined]
    try:
        request = Request(
            config=config, prompt=prompt, strategy=how, top=2, lookup=lookup, num_return_sequences=sequences
        )
        (group,) = run(Scheduler(config.model, draft=draft), [request])
        return [*group.inbox], len(requests)
    finally:
        hook.remove()


def same(ours: Sequence[Token], theirs: Sequence[Token]) -> None:
    summary = [[(t.row, t.blank, t.id, t.finish_reason) for t in tokens] for tokens in (ours, theirs)]
    assert summary[0] == summary[1]
    assert [t.logprob for t in ours] == pytest.approx([t.logprob for t in theirs], abs=MODEL_TOLERANCE)
    assert [[id for id, _ in t.top] for t in ours] == [[id for id, _ in t.top] for t in theirs]


small_ids = st.lists(st.integers(0, SMALL - 1), min_size=1, max_size=30)
strategies = st.sampled_from(
    [
        Greedy(),
        Greedy(penalties=Penalties(frequency=0.3)),
        TopP(p=0.9, temperature=0.4, seed=1),
        TopP(p=1.0, k=3, temperature=2.0, seed=2, penalties=Penalties(repetition=0.8)),
    ]
)


@settings(max_examples=15)
@given(
    ids=small_ids,
    blanks=st.lists(st.integers(0, 99), min_size=1, max_size=2),
    how=strategies,
    limit=st.integers(1, 24),
)
def test_the_same_tokens_as_one_at_a_time(
    config: DecodeConfig, ids: list[int], blanks: list[int], how: Strategy, limit: int
) -> None:
    config = replace(config, max_tokens=limit)
    prompt = prompt_of(config, ids, blanks)
    same(passes(config, prompt, how, True)[0], passes(config, prompt, how, False)[0])


def test_what_repeats_the_prompt_takes_few_passes(config: DecodeConfig) -> None:
    """Of 24 tokens that the prompt holds in a row, two have to be written before anything can be drafted."""
    ids = [(7 * i * i + i) % 251 for i in range(40)]
    prompt, how = prompt_of(config, ids, [0]), Dictated(ids[8:32])
    drafted, few = passes(config, prompt, how, True)
    plain, many = passes(config, prompt, how, False)
    same(drafted, plain)
    assert many == 24
    assert few <= 8


@settings(max_examples=15)
@given(ids=st.lists(st.integers(0, 3), min_size=4, max_size=40), reply=st.lists(st.integers(0, 3), max_size=200))
def test_what_is_lost_on_wrong_drafts_is_bounded(ids: list[int], reply: list[int]) -> None:
    """By the account: a pass costs a token's time and DRAFT_COST for each draft token in it."""
    lookup, ahead, spent = PromptLookup(ids), list[int](), 0.0
    for id in reply:
        lookup.observe(id, np.zeros(1, dtype=np.int64))
        if ahead and ahead[0] == id:
            ahead = ahead[1:]
        else:
            ahead = lookup.draft_tokens(99)
            assert len(ahead) <= MAX_DRAFT
            spent += 1 + DRAFT_COST * len(ahead)
    assert spent <= 1.02 * len(reply) + 1 + 1e-6


@settings(max_examples=10)
@given(ids=small_ids, new=small_ids, kept=st.integers(0, 40), read=st.integers(1, 24))
def test_a_prefix_cache_knows_only_what_was_written(
    config: DecodeConfig, ids: list[int], new: list[int], kept: int, read: int
) -> None:
    """The first reply may be left unread at any token; the next prompt shares some of it."""
    if not isinstance(config.position_scheme, Sequential):
        return
    scheduler, written = Scheduler(config.model), []
    with closing(follow(scheduler, Request(config=config, prompt=ids, strategy=Greedy(), keep=True))) as steps:
        for _, token in steps:
            written.append(token.id)
            if len(written) == read:
                break
    prompt = [*[*ids, *written][:kept], *new]
    (group,) = run(scheduler, [Request(config=config, prompt=prompt, strategy=Greedy(), keep=True, top=2)])
    same([*group.inbox], passes(config, prompt, Greedy(), False)[0])


@pytest.mark.slow
def test_draws_keep_their_distribution() -> None:
    """Over four ids, with drafts in two of three passes: shares of all triples behind a prompt are within five
    standard errors of what the model's own probabilities make them."""
    model = tiny("chatglm2")
    special = model.tokenizer.special
    config = DecodeConfig(
        model=model.module,
        position_scheme=model.position_scheme,
        special=replace(special, other=(*special.other, *range(4, 256))),
        vocab_size=256,
        max_tokens=4,
    )
    prompt, draws = [0, 1, 2, 3, 0, 1, 2, 0, 1, 3, 0, 1, 2, 2, 0, 1], 600
    results: dict[tuple[int, ...], int] = {}
    scheduler = Scheduler(config.model)
    for seed in range(draws):
        how = TopP(p=1.0, temperature=8.0, seed=1000 * seed)
        (group,) = run(scheduler, [Request(config=config, prompt=prompt, strategy=how)])
        ids = tuple(token.id for token in group.inbox)
        results[ids[:3]] = results.get(ids[:3], 0) + 1
    for ids, share in _shares(config, prompt, 8.0).items():
        error = (share * (1 - share) / draws) ** 0.5
        assert abs(results.get(ids, 0) / draws - share) <= 5 * error + 1e-9, ids


@torch.inference_mode()
def _shares(config: DecodeConfig, prompt: list[int], temperature: float) -> dict[tuple[int, ...], float]:
    """Triple of ids below 4 -> its probability behind the prompt, from the whole row read anew for each."""
    shares: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(3):
        longer = {}
        for ids, share in shares.items():
            row = torch.tensor([[*prompt, *ids]])
            hidden = config.model(row, torch.arange(row.shape[1])[None, None], AttentionMask.prefix([0]))
            p = (config.model.logits(hidden[0, -1])[:4] / temperature).softmax(-1).tolist()
            longer |= {(*ids, id): share * p[id] for id in range(4)}
        shares = longer
    return shares
