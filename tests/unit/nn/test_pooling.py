"""One vector for a text, whichever side its padding is on."""

import pytest
import torch

from glmkit.nn.pooling import last, mean

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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mean_counts_real_tokens_alone(dtype: torch.dtype) -> None:
    real = torch.tensor([[False, True, True, False], [True, False, False, False]])
    result = mean(HIDDEN.to(dtype), real)
    assert result.dtype == dtype
    torch.testing.assert_close(result, torch.stack([HIDDEN[0, 1:3].mean(0), HIDDEN[1, 0]]).to(dtype))


def test_padding_that_is_not_finite_does_not_matter_to_the_last() -> None:
    hidden = HIDDEN.clone()
    hidden[0, :2] = float("nan")
    assert last(hidden, torch.tensor([[False, False, True, True], [True] * 4])).isfinite().all()
