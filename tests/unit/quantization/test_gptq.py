"""Codes that make up for one another are what their definition says, and better on inputs that go together."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.kernels.codes import Form, dequantise, quantise
from glmkit.kernels.fitting import fit
from glmkit.kernels.gptq import gptq

from ...reference.gptq import column_by_column

forms = st.sampled_from(
    [
        Form(bits=4, group=32),
        Form(bits=4, group=64, asymmetric=True),
        Form(bits=4, group=128),
        Form(bits=4),
        Form(bits=8, group=64),
    ]
)


def correlated(columns: int, seed: int) -> torch.Tensor:
    """Inputs [n, columns] that share a few directions; one column is always zero."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.randn(400, columns // 8, generator=generator) @ torch.randn(columns // 8, columns, generator=generator)
    x = few + 0.3 * torch.randn(400, columns, generator=generator)
    x[:, columns // 3] = 0
    return x.double()


@settings(max_examples=10)
@given(form=forms, columns=st.sampled_from([128, 256]), seed=st.integers(0, 99))
def test_codes_are_their_definition(form: Form, columns: int, seed: int) -> None:
    weight = torch.randn(5, columns, generator=torch.Generator().manual_seed(seed))
    x = correlated(columns, seed)
    for ours, theirs in zip(gptq(weight, form, x.T @ x), column_by_column(weight, form, x.T @ x), strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


@settings(max_examples=10)
@given(form=forms, seed=st.integers(0, 99))
def test_products_are_nearer_than_of_the_nearest_codes(form: Form, seed: int) -> None:
    weight = torch.randn(40, 256, generator=torch.Generator().manual_seed(seed))
    x = correlated(256, seed)
    made = [
        quantise(weight, form),
        fit(weight, form, x.square().mean(0)),
        gptq(weight, form, (x.T @ x).float()),
    ]
    off = [float((x @ (dequantise(codes, form.bits, torch.float64) - weight).T).norm()) for codes in made]
    assert off[2] < 0.8 * min(off[:2])


@pytest.mark.parametrize("form", [Form(bits=4, group=32, asymmetric=True), Form(bits=8)], ids=str)
def test_inputs_of_nothing_leave_the_nearest_codes(form: Form) -> None:
    weight = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(gptq(weight, form, torch.zeros(64, 64)), fit(weight, form), strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be quantised"):
        gptq(torch.full((2, 32), float("nan")), Form(bits=4, group=32), torch.eye(32))
    with pytest.raises(UserError, match="cannot be quantised"):
        gptq(torch.zeros(2, 32), Form(bits=4, group=32), torch.full((32, 32), float("inf")))
