"""Sampling keeps what its definitions say, and each row draws for itself, alone or in a batch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.generate.penalties import Penalties, TokenCounts, penalized
from glmkit.generate.samplers import BatchChoice, keep_top
from glmkit.generate.sampling import Greedy, SamplingParams, Strategy, TopP

from ...reference import sampling as reference

# No two scores are so close that rounding decides between them.
scores = st.lists(st.integers(-40, 40), min_size=2, max_size=12, unique=True).map(lambda all: [x / 7 for x in all])
penalty = st.fixed_dictionaries(
    {
        "repetition": st.sampled_from([1.0, 1.3, 0.7]),
        "presence": st.sampled_from([0.0, 0.53, -0.31]),
        "frequency": st.sampled_from([0.0, 0.17, 0.91]),
        "bias": st.dictionaries(st.integers(0, 1), st.sampled_from([-3.1, 2.3]), max_size=2),
    }
)


@given(scores=scores, settings=st.lists(penalty, min_size=1, max_size=3), data=st.data())
def test_penalties_are_their_definitions(scores: list[float], settings: list[dict], data: st.DataObject) -> None:
    """Rows with other prompts, texts and penalties stand beside one another."""
    ids = st.lists(st.integers(0, len(scores) - 1), max_size=40)
    rows, expected = [], []
    for row, setting in enumerate(settings):
        prompt, written = data.draw(ids), data.draw(ids)
        counts = TokenCounts(prompt)
        for id in written:
            counts.add(id)
        rows.append((row, Penalties(**setting), counts))
        expected.append(reference.penalized(scores, prompt, written, **setting))
    given_scores = torch.tensor([scores] * len(settings))
    torch.testing.assert_close(penalized(given_scores, rows), torch.tensor(expected))
    assert given_scores.tolist() == torch.tensor([scores] * len(settings)).tolist(), "the model's own stay as they are"


@given(
    scores=scores,
    rows=st.lists(st.tuples(st.floats(0.01, 0.999), st.sampled_from([0.0, 0.05, 0.31, 1.0])), min_size=1, max_size=3),
    k=st.none() | st.integers(1, 14),
    cuts=st.booleans(),
)
def test_what_may_be_drawn_is_its_definition(
    scores: list[float], rows: list[tuple[float, float]], k: int | None, cuts: bool
) -> None:
    p, min_p = torch.tensor(rows).split(1, dim=1)
    batch, k_given = torch.tensor([scores] * len(rows)), k if k is not None and k < len(scores) else None
    ids, probabilities, unsettled = keep_top(batch, k_given, p if cuts else None, min_p, len(scores))
    assert unsettled is None
    ids = torch.arange(len(scores)).expand(len(rows), -1) if ids is None else ids
    for row, (one_p, one_min_p) in enumerate(rows):
        kept = probabilities[row] > 0
        total = float(probabilities[row].sum())
        result = dict(zip(ids[row][kept].tolist(), (probabilities[row][kept] / total).tolist(), strict=True))
        assert result == pytest.approx(reference.kept(scores, one_p if cuts else 1.0, k, one_min_p), abs=1e-5)


def test_top_p_keeps_the_fewest_that_hold_p() -> None:
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    p = torch.tensor([[0.01], [0.5], [0.51], [0.8], [0.81], [0.94]])
    _, probabilities, _ = keep_top(scores.expand(len(p), -1), None, p, None, 4)
    assert (probabilities > 0).sum(-1).tolist() == [1, 1, 2, 2, 3, 3]


STRATEGIES: list[Strategy] = [
    Greedy(),
    SamplingParams(p=0.9, temperature=0.5, seed=1),
    SamplingParams(p=0.97, seed=2),  # some thousand ids hold p
    SamplingParams(p=0.9999, temperature=1e6, seed=3),  # nearly all do
    SamplingParams(p=1.0, k=50, seed=4),
    SamplingParams(p=0.7, k=300, min_p=0.01, temperature=1.5, seed=5),
    SamplingParams(p=0.5, temperature=1e-5, seed=6),
    SamplingParams(p=1.0, min_p=0.02, temperature=0.7, seed=7, penalties=Penalties(repetition=1.2, bias={5: 1.0})),
    Greedy(penalties=Penalties(frequency=0.5)),
]


def test_a_row_gets_in_a_batch_what_it_gets_alone() -> None:
    """Over 6000 scores in steps of 1/64, many of them equal: settled at once, by a second look or by a third."""
    generator, prompt = torch.Generator().manual_seed(0), [1, 2, 3, 2]
    together = [strategy.sampler(prompt, row) for row, strategy in enumerate(STRATEGIES)]
    alone = [strategy.sampler(prompt, row) for row, strategy in enumerate(STRATEGIES)]
    looks = []
    for _ in range(5):
        scores = (torch.randn(len(STRATEGIES), 6000, generator=generator) * 128).round() / 64
        choice, unsettled = BatchChoice(together, scores), []
        assert choice.unsettled is not None
        while rows := choice.unsettled.nonzero()[:, 0].tolist():
            unsettled.append(len(rows))
            choice.widen(rows)
        looks.append(tuple(unsettled))
        singly = [sampler.sample(row) for sampler, row in zip(alone, scores, strict=True)]
        assert choice.ids.tolist() == [int(id) for id in singly]
        for sampler, other, id in zip(together, alone, choice.ids.tolist(), strict=True):
            sampler.observe(id)
            other.observe(id)
    assert set(looks) == {(2, 1)}


def test_draws_follow_the_distribution() -> None:
    """10,000 draws from p = (0.6, 0.3, 0.1) are within five standard errors of it; a forbidden id never comes."""
    p = torch.tensor([0.0, 0.6, 0.3, 0.1, 0.0])
    sampler = TopP(p=1.0, seed=3).sampler([], 0)
    draws = torch.stack([sampler.sample(p.log()) for _ in range(10_000)])
    shares = draws.bincount(minlength=5) / 10_000
    assert shares[0] == shares[4] == 0
    assert ((shares - p).abs() <= 5 * (p * (1 - p) / 10_000).sqrt() + 1e-9).all()


def test_the_last_id_of_a_draw_has_a_probability() -> None:
    """A random number next to 1 is 1 in float32; the ids that may not be chosen come behind those that may."""
    sampler = TopP(p=1.0).sampler([], 0)
    sampler.drawing.rng.random = lambda: 1 - 2**-53  # type: ignore[attr-defined]
    assert sampler.sample(torch.tensor([0.0, 0.0, float("-inf")])) == 1


def test_temperature_near_zero_is_greedy() -> None:
    for scores in torch.randn(5, 50, generator=torch.Generator().manual_seed(0)):
        assert TopP(p=1.0, temperature=1e-4).sampler([], 0).sample(scores) == Greedy().sampler([], 0).sample(scores)


def test_a_row_draws_by_its_own_seed() -> None:
    scores = torch.zeros(1000)
    draws = {(seed, n): TopP(p=1.0, seed=seed).sampler([], n).sample(scores).item() for seed in (1, 2) for n in (0, 1)}
    assert draws[1, 1] == draws[2, 0], "sequence n of a prompt draws with seed + n"
    assert len(set(draws.values())) == 3


def test_a_bias_outside_the_vocabulary() -> None:
    with pytest.raises(UserError, match="bias names id 9, the model has 3"):
        Greedy(penalties=Penalties(bias={9: 1.0})).sampler([], 0).sample(torch.zeros(3))


@pytest.mark.parametrize(
    "wrong",
    [{"p": 0.0}, {"p": 1.1}, {"k": 0}, {"min_p": 1.5}, {"min_p": -0.1}, {"temperature": 0.0}, {"temperature": -1.0}],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        SamplingParams(**wrong)  # type: ignore[arg-type]


def test_a_repetition_penalty_is_positive() -> None:
    with pytest.raises(UserError, match=r"repetition must be a positive finite number .*, got 0"):
        Penalties(repetition=0)
    assert math.isclose(Penalties().repetition, 1.0)


def test_top_p_is_another_name_of_sampling_params() -> None:
    assert TopP(p=0.5, seed=1) == SamplingParams(p=0.5, seed=1)
