"""Filling a batch with a cache is filling one by one without, for any lengths and numbers of blanks."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.generate.beam import Beam, search
from glmkit.generate.follow import run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy, TopP
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect, write
from glmkit.infill.position_schemes import TwoChannel
from glmkit.models.glm import GLM
from glmkit.objective.choices import choice_logprobs
from glmkit.objective.spans import span_logprob
from glmkit.testing import MODEL_TOLERANCE
from glmkit.text.special import SpecialIds
from tests.reference.engine_reader import engine_reader

from ..reference import writing as reference

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7, spare=(8, 9))
VOCAB = 400  # of the model's 448 rows

text_ids = st.integers(10, VOCAB - 1)
blanks = st.sampled_from([SPECIAL.mask, SPECIAL.smask, SPECIAL.gmask])


@st.composite
def prompts(draw: st.DrawFn) -> list[int]:
    """[CLS], text with one to three blanks, an end."""
    ids = draw(st.lists(text_ids, min_size=1, max_size=20))
    for blank in draw(st.lists(blanks, min_size=1, max_size=3)):
        ids.insert(draw(st.integers(0, len(ids))), blank)
    return [SPECIAL.cls, *ids, SPECIAL.eod]


def config(model: GLM, max_tokens: int, min_tokens: int = 0) -> DecodeConfig:
    return DecodeConfig(
        model=model,
        position_scheme=TwoChannel(),
        special=SPECIAL,
        vocab_size=VOCAB,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
    )


def check(ours: Sequence[Completion], theirs: Sequence[tuple[list[int], list[float], str]]) -> None:
    assert [filled.ids for filled in ours] == [ids for ids, _, _ in theirs]
    assert [filled.finish_reason for filled in ours] == [ended for _, _, ended in theirs]
    for filled, (_, logprobs, _) in zip(ours, theirs, strict=True):
        assert filled.logprobs == pytest.approx(logprobs, abs=MODEL_TOLERANCE)


@pytest.fixture(scope="module")
def ending_glm(tiny_glm: GLM) -> GLM:
    """The tiny GLM with its end tokens made likely enough that blanks end by themselves, too."""
    model = GLM(tiny_glm.config).eval()
    model.load_state_dict(tiny_glm.state_dict())
    with torch.no_grad():
        model.embedding.words.weight[[SPECIAL.eop, SPECIAL.eod]] *= 1.6
    return model.requires_grad_(False)


@pytest.mark.slow
@settings(max_examples=30)
@given(batch=st.lists(prompts(), min_size=1, max_size=5), limit=st.integers(1, 6), least=st.integers(0, 2))
def test_a_batch_with_a_cache_is_one_by_one_without(
    ending_glm: GLM, batch: list[list[int]], limit: int, least: int
) -> None:
    settled = config(ending_glm, limit, min(least, limit))
    together = collect(write(settled, batch, Greedy()), len(batch))
    for prompt, filled in zip(batch, together, strict=True):
        check(filled, reference.fill(settled, prompt))


@settings(max_examples=20)
@given(batch=st.lists(prompts(), min_size=2, max_size=4), seed=st.integers(0, 99), copies=st.integers(1, 3))
def test_sampling_does_not_depend_on_the_batch(ending_glm: GLM, batch: list[list[int]], seed: int, copies: int) -> None:
    settled, strategy = config(ending_glm, 4), TopP(p=0.9, seed=seed)
    together = collect(write(settled, batch, strategy, copies), len(batch) * copies)
    for number, prompt in enumerate(batch):
        alone = collect(write(settled, [prompt], strategy, copies), copies)
        ours = together[number * copies : (number + 1) * copies]
        assert [[f.ids for f in row] for row in ours] == [[f.ids for f in row] for row in alone]


@settings(max_examples=20)
@given(batch=st.lists(prompts(), min_size=1, max_size=4), limit=st.integers(1, 4))
def test_one_beam_is_greedy(ending_glm: GLM, batch: list[list[int]], limit: int) -> None:
    settled = config(ending_glm, limit, 1)
    greedy = collect(write(settled, batch, Greedy()), len(batch))
    for filled, prompt in zip(greedy, batch, strict=True):
        hypotheses = search(settled, prompt, Beam(beams=1))
        check(hypotheses[0].blanks, [(f.ids, f.logprobs, f.finish_reason) for f in filled])


@settings(max_examples=20)
@given(batch=st.lists(prompts(), min_size=1, max_size=3), beams=st.integers(2, 4))
def test_beams_are_sorted_different_and_independent_of_the_batch(
    ending_glm: GLM, batch: list[list[int]], beams: int
) -> None:
    settled, beam = config(ending_glm, 4, 1), Beam(beams=beams)
    groups = run(Scheduler(ending_glm), [Request(config=settled, prompt=prompt, strategy=beam) for prompt in batch])
    for prompt, group in zip(batch, groups, strict=True):
        result = group.hypotheses
        assert 1 <= len(result) <= beams
        scores = [hypothesis.score for hypothesis in result]
        assert scores == sorted(scores, reverse=True)
        written = [[(f.ids, f.finish_reason) for f in hypothesis.blanks] for hypothesis in result]
        assert all(a != b for i, a in enumerate(written) for b in written[:i])
        alone = search(settled, prompt, beam)
        assert [[(f.ids, f.finish_reason) for f in h.blanks] for h in alone] == written
        assert [h.score for h in alone] == pytest.approx(scores, abs=MODEL_TOLERANCE)


@settings(max_examples=20)
@given(prompt=prompts(), size=st.integers(1, 3))
def test_no_ngram_comes_twice_in_a_blank(ending_glm: GLM, prompt: list[int], size: int) -> None:
    for hypothesis in search(config(ending_glm, 8, 8), prompt, Beam(beams=2, no_repeat_ngram=size)):
        for filled in hypothesis.blanks:
            grams = [tuple(filled.ids[i : i + size]) for i in range(len(filled.ids) - size + 1)]
            assert len(grams) == len(set(grams))


@settings(max_examples=20)
@given(batch=st.lists(prompts(), min_size=1, max_size=3))
def test_what_is_written_has_the_log_p_it_says(ending_glm: GLM, batch: list[list[int]]) -> None:
    """The sum over blanks of the log p of greedy filling is `span_logprob` in the given order."""
    for prompt, filled in zip(
        batch, collect(write(config(ending_glm, 5, 1), batch, Greedy()), len(batch)), strict=True
    ):
        if all(f.finish_reason == "eop" for f in filled):
            spans = [f.ids for f in filled]
            result = span_logprob(
                engine_reader(ending_glm), TwoChannel(), SPECIAL, prompt, spans, [list(range(len(spans)))]
            )
            assert result.value == pytest.approx(sum(f.logprob for f in filled), abs=1e-3)
            assert result.by_span == pytest.approx([f.logprob for f in filled], abs=1e-3)


@settings(max_examples=20)
@given(
    batch=st.lists(st.tuples(prompts(), st.lists(st.lists(text_ids, min_size=1, max_size=4), min_size=1, max_size=4))),
)
def test_choices_together_are_choices_alone(ending_glm: GLM, batch: list[tuple[list[int], list[list[int]]]]) -> None:
    if not batch:
        return
    contexts, choices = [context for context, _ in batch], [group for _, group in batch]
    together = choice_logprobs(engine_reader(ending_glm), TwoChannel(), SPECIAL, contexts, choices)
    for context, group, result in zip(contexts, choices, together, strict=True):
        for choice, logprobs in zip(group, result, strict=True):
            (((alone),),) = choice_logprobs(engine_reader(ending_glm), TwoChannel(), SPECIAL, [context], [[choice]])
            assert logprobs == pytest.approx(alone, abs=MODEL_TOLERANCE)


def test_a_prompt_without_a_blank(ending_glm: GLM) -> None:
    with pytest.raises(UserError, match="text 2 has no blank"):
        next(write(config(ending_glm, 3), [[2, 3, 1], [2, 20, 1]], Greedy()))


def test_log_p_refuses_what_does_not_fit(ending_glm: GLM) -> None:
    prompt = [2, 20, 3, 21, 3, 1]
    for spans, orders, message in (
        ([[30]], [[0]], "2 blanks and 1 spans"),
        ([[30], []], [[0, 1]], "a span is empty"),
        ([[30], [31]], [[0, 0]], "not a permutation of 0 .. 1"),
    ):
        with pytest.raises(UserError, match=message):
            span_logprob(engine_reader(ending_glm), TwoChannel(), SPECIAL, prompt, spans, orders)


def test_log_p_over_orders_is_the_mean_with_its_standard_error(ending_glm: GLM) -> None:
    prompt, spans = [2, 20, 3, 21, 3, 1], [[30, 31], [32]]
    one, two = (
        span_logprob(engine_reader(ending_glm), TwoChannel(), SPECIAL, prompt, spans, [order])
        for order in ([0, 1], [1, 0])
    )
    both = span_logprob(engine_reader(ending_glm), TwoChannel(), SPECIAL, prompt, spans, [[0, 1], [1, 0]])
    assert one.value != pytest.approx(two.value, abs=1e-3)
    assert both.value == pytest.approx((one.value + two.value) / 2)
    assert both.stderr == pytest.approx(abs(one.value - two.value) / 2)
    assert one.stderr is None
    assert sum(both.by_span) == pytest.approx(both.value, abs=1e-4)
