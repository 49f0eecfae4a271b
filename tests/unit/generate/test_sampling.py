"""Sampling keeps what its definitions say, and each row draws for itself."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.generate.sampling import Greedy, Penalties, TopP, keep_top

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


@given(scores=scores, settings=penalty, data=st.data())
def test_penalties_are_their_definitions(scores: list[float], settings: dict, data: st.DataObject) -> None:
    ids = st.lists(st.integers(0, len(scores) - 1), max_size=6)
    prompt, written = data.draw(ids), data.draw(ids)
    chooser = TopP(p=1.0, penalties=Penalties(**settings)).chooser(prompt, 0)
    given_scores = torch.tensor(scores)
    chooser.choose(given_scores)
    for id in written:
        chooser.wrote(id)
    expected = reference.penalised(scores, prompt, written, **settings)
    torch.testing.assert_close(chooser._penalised(given_scores), torch.tensor(expected))  # type: ignore[attr-defined]
    assert given_scores.tolist() == torch.tensor(scores).tolist(), "the model's own scores stay as they are"


@given(
    scores=scores,
    p=st.floats(0.01, 1),
    k=st.none() | st.integers(1, 14),
    min_p=st.sampled_from([0.0, 0.05, 0.31, 1.0]),
)
def test_what_may_be_drawn_is_its_definition(scores: list[float], p: float, k: int | None, min_p: float) -> None:
    ids, probabilities = keep_top(torch.tensor(scores), p, k, min_p)
    expected = reference.kept(scores, p, k, min_p)
    assert set(ids.tolist()) == set(expected)
    found = dict(zip(ids.tolist(), (probabilities / probabilities.sum()).tolist(), strict=True))
    assert found == pytest.approx(expected, abs=1e-5)


def test_top_p_keeps_the_fewest_that_hold_p() -> None:
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    kept = [len(keep_top(scores, p)[0]) for p in (0.01, 0.5, 0.51, 0.8, 0.81, 0.94, 1.0)]
    assert kept == [1, 1, 2, 2, 3, 3, 4]


def test_draws_follow_the_distribution() -> None:
    """10,000 draws from p = (0.6, 0.3, 0.1) are within five standard errors of it; a forbidden id never comes."""
    p = torch.tensor([0.0, 0.6, 0.3, 0.1, 0.0])
    chooser = TopP(p=1.0, seed=3).chooser([], 0)
    draws = torch.stack([chooser.choose(p.log()) for _ in range(10_000)])
    shares = draws.bincount(minlength=5) / 10_000
    assert shares[0] == shares[4] == 0
    assert ((shares - p).abs() <= 5 * (p * (1 - p) / 10_000).sqrt() + 1e-9).all()


def test_temperature_near_zero_is_greedy() -> None:
    for scores in torch.randn(5, 50, generator=torch.Generator().manual_seed(0)):
        assert TopP(p=1.0, temperature=1e-4).chooser([], 0).choose(scores) == Greedy().chooser([], 0).choose(scores)


def test_a_row_draws_by_its_own_seed() -> None:
    scores = torch.zeros(1000)
    draws = {(seed, n): TopP(p=1.0, seed=seed).chooser([], n).choose(scores).item() for seed in (1, 2) for n in (0, 1)}
    assert draws[1, 1] == draws[2, 0], "alternative n draws with seed + n"
    assert len(set(draws.values())) == 3


def test_a_bias_outside_the_vocabulary() -> None:
    with pytest.raises(UserError, match="bias names id 9, the model has 3"):
        Greedy(penalties=Penalties(bias={9: 1.0})).chooser([], 0).choose(torch.zeros(3))


@pytest.mark.parametrize(
    "wrong",
    [{"p": 0.0}, {"p": 1.1}, {"k": 0}, {"min_p": 1.5}, {"min_p": -0.1}, {"temperature": 0.0}, {"temperature": -1.0}],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        TopP(**wrong)  # type: ignore[arg-type]


def test_a_repetition_penalty_is_positive() -> None:
    with pytest.raises(UserError, match=r"repetition must be a positive finite number .*, got 0"):
        Penalties(repetition=0)
    assert math.isclose(Penalties().repetition, 1.0)
