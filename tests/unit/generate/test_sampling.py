"""Sampling keeps what it says it keeps, and each row draws for itself."""

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.generate.sampling import Greedy, TopP, keep_top


def test_top_p_keeps_the_fewest_that_hold_p() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept = [(keep_top(scores, p, None) > float("-inf")).sum().item() for p in (0.01, 0.5, 0.51, 0.8, 0.81, 0.95, 1.0)]
    assert kept == [1, 1, 2, 2, 3, 3, 4]


def test_top_k_keeps_the_k_highest_wherever_they_stand() -> None:
    scores = torch.tensor([[0.0, 3.0, 1.0, 2.0], [9.0, 8.0, 7.0, 6.0]])
    kept = keep_top(scores, 1.0, 2) > float("-inf")
    assert kept.tolist() == [[False, True, False, True], [True, True, False, False]]


def test_draws_follow_the_distribution() -> None:
    """10,000 draws from p = (0.6, 0.3, 0.1) are within five standard errors of it; a forbidden id never comes."""
    p = torch.tensor([0.6, 0.3, 0.1, 0.0])
    strategy = TopP(p=1.0, seed=3)
    (generator,) = strategy.generators([0])
    draws = torch.cat([strategy.choose(p.log()[None], [generator]) for _ in range(10_000)])
    shares = draws.bincount(minlength=4) / 10_000
    assert shares[3] == 0
    assert ((shares - p).abs() <= 5 * (p * (1 - p) / 10_000).sqrt() + 1e-9).all()


def test_temperature_near_zero_is_greedy() -> None:
    scores = torch.randn(5, 50, generator=torch.Generator().manual_seed(0))
    cold = TopP(p=1.0, temperature=1e-4)
    assert torch.equal(cold.choose(scores, cold.generators(range(5))), Greedy().choose(scores, []))


def test_a_row_draws_the_same_alone_and_beside_others() -> None:
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    strategy = TopP(p=0.95, seed=1)
    together = strategy.choose(scores, strategy.generators([0, 1, 2]))
    alone = [strategy.choose(scores[i : i + 1], strategy.generators([i])).item() for i in range(3)]
    assert together.tolist() == alone


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"p": 1.1}, {"k": 0}, {"temperature": 0.0}, {"temperature": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        TopP(**wrong)  # type: ignore[arg-type]
