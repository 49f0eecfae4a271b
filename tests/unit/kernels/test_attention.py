"""The gradients of attention against those of its definition, at every level this processor runs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glmkit.core.types import AttentionMask
from glmkit.kernels import attention as kernel
from glmkit.kernels.attention import attention, has_fast_backward
from glmkit.kernels.library import library
from glmkit.nn.masks import SDPAMask, sdpa_mask

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
HALF = torch.bfloat16


def heads(*shape: int, seed: int) -> list[Tensor]:
    """q, k, v and the gradient of y, bfloat16, as projections leave them."""
    generator = torch.Generator().manual_seed(seed)
    texts, count, length, size = shape
    wide = torch.randn(texts, length, 4 * count, size, generator=generator).to(HALF).transpose(1, 2)
    return [*wide.split(count, dim=1)]


def grouped(parts: list[Tensor], groups: int) -> list[Tensor]:
    """The same with keys and values of the first `groups` heads alone."""
    q, k, v, dy = parts
    return [q, k[:, :groups], v[:, :groups], dy]


def definition(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool) -> Tensor:
    """softmax(Q K^T / sqrt(D) + bias) V, key by key; query head h reads group h // (H / G)."""
    k, v = (one.repeat_interleave(q.shape[1] // one.shape[1], 1) for one in (k, v))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores.masked_fill(bias < -1e30, torch.finfo(scores.dtype).min)
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) @ v


def torchs_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal, enable_gqa=True)


def gradients(run: object, parts: list[Tensor], dtype: torch.dtype, mask: SDPAMask) -> list[Tensor]:
    q, k, v = (part.to(dtype).detach().requires_grad_() for part in parts[:3])
    y = run(q, k, v, mask.bias, mask.causal)  # type: ignore[operator]
    return [y, *torch.autograd.grad(y, (q, k, v), parts[3].to(dtype))]


def masks(length: int) -> dict[str, SDPAMask]:
    segments = torch.full((3, length), -1)
    for row, end in enumerate((length, length // 2, length - 1)):
        segments[row, :end] = torch.arange(end) // (length // 2 + 1) + 1
    cases = {
        "all": AttentionMask.prefix([length] * 3),
        "causal": AttentionMask.prefix([0] * 3),
        "prefix": AttentionMask.prefix([length // 3, 1, length - 2]),
    }
    cases["packed"] = AttentionMask(
        context=cases["prefix"].context, begin=torch.zeros(3, dtype=torch.long), segments=segments
    )
    return {name: sdpa_mask(mask, 0, length, HALF, torch.device("cpu")) for name, mask in cases.items()}


@pytest.mark.parametrize("name", ["all", "causal", "prefix", "packed"])
@pytest.mark.parametrize("sizes", [(2, 2, 40, 64), (3, 3, 33, 48), (1, 1, 130, 32), (4, 2, 40, 64), (6, 1, 33, 32)])
def test_gradients_are_those_of_the_definition(level: str, name: str, sizes: tuple[int, int, int, int]) -> None:
    count, groups, length, size = sizes
    parts, mask = grouped(heads(3, count, length, size, seed=0), groups), masks(length)[name]
    exact = gradients(definition, parts, torch.float64, mask)
    ours = gradients(attention, parts, HALF, mask)
    torchs = gradients(torchs_attention, parts, HALF, mask)
    for which, one, own, other in zip(("y", "q", "k", "v"), exact, ours, torchs, strict=True):
        assert error(own, one) < 2 * error(other, one) + 1e-3, which


def error(one: Tensor, exact: Tensor) -> float:
    exact = exact.detach()
    return float((one.detach().double() - exact).norm() / exact.norm())


@given(scale=st.floats(0.1, 30), seed=st.integers(0, 99))
def test_sharp_attention_is_as_exact(level: str, scale: float, seed: int) -> None:
    """Scores of hundreds, of which most give P = 0: what is rounded to bfloat16 is their distance to the largest.

    The measure is the error of torch's own, for both subtract delta = dY Y of the same rounded y, which is all of a
    gradient's error where one key has nearly all of a query.
    """
    q, k, v, dy = heads(1, 2, 48, 32, seed=seed)
    parts, mask = [(q * scale).to(HALF), k, v, dy], SDPAMask(None, False)
    exact, ours, torchs = (
        gradients(definition, parts, torch.float64, mask),
        gradients(attention, parts, HALF, mask),
        gradients(torchs_attention, parts, HALF, mask),
    )
    for which, one, own, other in zip(("y", "q", "k", "v"), exact, ours, torchs, strict=True):
        assert own.isfinite().all(), which
        assert error(own, one) < 3 * error(other, one) + 1e-3, which


def test_texts_are_taken_in_parts_without_a_difference(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, mask = grouped(heads(3, 4, 40, 32, seed=1), 2), masks(40)["packed"]
    whole = gradients(attention, parts, HALF, mask)
    monkeypatch.setattr(kernel, "_HELD", 1)
    for one, other in zip(whole, gradients(attention, parts, HALF, mask), strict=True):
        assert torch.equal(one, other)


def test_it_is_taken_where_gradients_of_bfloat16_are_wanted() -> None:
    q, *_ = heads(1, 2, 8, 32, seed=0)
    wanted = q.detach().requires_grad_()
    assert has_fast_backward(wanted, 0.0)
    assert not has_fast_backward(q, 0.0)
    assert not has_fast_backward(wanted, 0.1)
    assert not has_fast_backward(wanted.float(), 0.0)
    with torch.no_grad():
        assert not has_fast_backward(wanted, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (half(4, 3, 5), half(4, 3, 4), None, 2),
        lambda: (half(4, 3, 5), half(4, 3, 5).float(), None, 2),
        lambda: (half(3, 5), half(3, 5), None, 1),
        lambda: (half(4, 5, 3).mT, half(4, 5, 3).mT, None, 2),
        lambda: (half(4, 3, 5), half(4, 3, 5), None, 3),
        lambda: (half(4, 3, 5), half(4, 3, 5), None, 0),
        lambda: (half(4, 3, 5), half(4, 3, 5), half(4, 3, 5), 2),
        lambda: (half(4, 3, 5), half(4, 3, 5), half(2, 5, 3).mT, 2),
        lambda: (half(4, 3, 5), half(4, 3, 5), half(2, 3, 5).float(), 2),
    ],
)
def test_what_does_not_fit_is_an_error(wrong: object) -> None:
    scores, products, bias, count = wrong()  # type: ignore[operator]
    with pytest.raises((ValueError, RuntimeError), match="must be"):
        torch.ops.glmkit.attention_grad(scores, products, bias, count, False, 1.0, 0.0)


def half(*shape: int) -> Tensor:
    return torch.randn(shape).to(HALF)
