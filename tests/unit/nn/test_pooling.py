"""One vector for a text, whichever side its padding is on."""

import pytest
import torch

from glmkit.nn.pooling import last

HIDDEN = torch.arange(24.0).view(2, 4, 3)


@pytest.mark.parametrize(
    ("real", "ends"),
    [
        ([[1, 1, 1, 1], [1, 1, 1, 1]], [3, 3]),
        ([[0, 0, 1, 1], [1, 1, 1, 1]], [3, 3]),
        ([[1, 1, 0, 0], [1, 0, 0, 0]], [1, 0]),
    ],
)
def test_last_is_the_last_real_token(real: list[list[int]], ends: list[int]) -> None:
    wanted = torch.stack([HIDDEN[row, end] for row, end in enumerate(ends)])
    assert torch.equal(last(HIDDEN, torch.tensor(real).bool()), wanted)


def test_padding_that_is_not_finite_does_not_matter_to_the_last() -> None:
    hidden = HIDDEN.clone()
    hidden[0, :2] = float("nan")
    assert last(hidden, torch.tensor([[False, False, True, True], [True] * 4])).isfinite().all()
