"""GELU by compiled kernels is torch's, forwards and backwards."""

import pytest
import torch
from torch.nn import functional as F

from glmkit.kernels.library import library
from glmkit.nn.mlp import gelu_tanh


@pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
@pytest.mark.parametrize("shape", [(1, 1), (3, 33), (5, 4096), (0, 8)])
def test_gelu_and_its_gradient_are_those_of_float64(level: str, shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = (4 * torch.randn(shape, generator=generator)).bfloat16().requires_grad_()
    dy = torch.randn(shape, generator=generator).bfloat16()
    y = gelu_tanh(x)
    (dx,) = torch.autograd.grad(y, x, dy)
    exact_x = x.detach().double().requires_grad_()
    exact = F.gelu(exact_x, approximate="tanh")
    (exact_dx,) = torch.autograd.grad(exact, exact_x, dy.double())
    assert y.grad_fn is not None
    assert "GELU" in type(y.grad_fn).__name__
    torch.testing.assert_close(y.double(), exact, atol=1e-6, rtol=2**-8)
    torch.testing.assert_close(dx.double(), exact_dx, atol=1e-5, rtol=2**-8)


def test_far_from_zero_gelu_is_the_line_and_nothing(level: str) -> None:
    x = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4], dtype=torch.bfloat16, requires_grad=True)
    y = gelu_tanh(x)
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert dx.isfinite().all()
    torch.testing.assert_close(y, F.gelu(x, approximate="tanh"), atol=1e-6, rtol=2**-8)
    torch.testing.assert_close(dx, torch.tensor([0, 0, 0.5, 1, 1], dtype=torch.bfloat16), atol=1e-6, rtol=2**-8)


def test_where_no_gradient_is_wanted_it_is_torchs_to_the_bit() -> None:
    x = torch.randn(3, 40).bfloat16()
    assert torch.equal(gelu_tanh(x), F.gelu(x, approximate="tanh"))
