"""GPTQ is what its definition says, and better on correlated inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.kernels.quantized import QuantFormat, dequantize, quantize
from glmkit.quantization.gptq import gptq
from glmkit.quantization.scale_search import search_scales

from ...reference.gptq import column_by_column

formats = st.sampled_from(
    [
        QuantFormat(bits=4, group=32),
        QuantFormat(bits=4, group=64, asymmetric=True),
        QuantFormat(bits=4, group=128),
        QuantFormat(bits=4),
        QuantFormat(bits=8, group=64),
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
@given(format=formats, columns=st.sampled_from([128, 256]), seed=st.integers(0, 99))
def test_gptq_is_its_definition(format: QuantFormat, columns: int, seed: int) -> None:
    weight = torch.randn(5, columns, generator=torch.Generator().manual_seed(seed))
    x = correlated(columns, seed)
    for ours, theirs in zip(gptq(weight, format, x.T @ x), column_by_column(weight, format, x.T @ x), strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


@settings(max_examples=10)
@given(format=formats, seed=st.integers(0, 99))
def test_products_are_nearer_than_rounded_to_nearest(format: QuantFormat, seed: int) -> None:
    weight = torch.randn(40, 256, generator=torch.Generator().manual_seed(seed))
    x = correlated(256, seed)
    quantized = [
        quantize(weight, format),
        search_scales(weight, format, x.square().mean(0)),
        gptq(weight, format, (x.T @ x).float()),
    ]
    off = [float((x @ (dequantize(tensor, format.bits, torch.float64) - weight).T).norm()) for tensor in quantized]
    assert off[2] < 0.8 * min(off[:2])


@pytest.mark.parametrize("format", [QuantFormat(bits=4, group=32, asymmetric=True), QuantFormat(bits=8)], ids=str)
def test_inputs_of_zero_round_to_nearest(format: QuantFormat) -> None:
    weight = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(gptq(weight, format, torch.zeros(64, 64)), search_scales(weight, format), strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be quantized"):
        gptq(torch.full((2, 32), float("nan")), QuantFormat(bits=4, group=32), torch.eye(32))
    with pytest.raises(UserError, match="cannot be quantized"):
        gptq(torch.zeros(2, 32), QuantFormat(bits=4, group=32), torch.full((32, 32), float("inf")))
