"""Dropout by counted random numbers against Philox as its authors wrote it down, at every level."""

import functools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.kernels.dropout import dropout, has_fast_dropout
from glmkit.kernels.library import library
from glmkit.nn.attention import Attention
from glmkit.nn.dropout import Dropout
from glmkit.nn.masks import SDPAMask

pytestmark = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
MASK = 2**32 - 1


def philox(counter: int, key: int) -> list[int]:
    """The four words of Philox4x32-10 under a 64-bit counter and key."""
    words = [counter & MASK, counter >> 32 & MASK, 0, 0]
    low, high = key & MASK, key >> 32 & MASK
    for _ in range(10):
        p, q = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
        words = [q >> 32 ^ words[1] ^ low, q & MASK, p >> 32 ^ words[3] ^ high, p & MASK]
        low, high = low + 0x9E3779B9 & MASK, high + 0xBB67AE85 & MASK
    return words


@functools.cache
def random_numbers(seed: int, count: int) -> Tensor:
    """As the kernel lays them out: of 64 numbers, number 16 w + l is word w of counter l."""
    counters = [philox(counter, seed) for counter in range(16 * -(-count // 64))]
    rows = torch.tensor(counters, dtype=torch.int64).view(-1, 16, 4)
    return rows.transpose(1, 2).flatten()[:count]


def test_the_oracle_gives_the_published_answer() -> None:
    assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("count", "p"), [(0, 0.5), (1, 0.5), (63, 0.9), (64, 0.1), (1000, 0.1), (20_000, 0.3)])
def test_what_is_dropped(level: str, dtype: torch.dtype, count: int, p: float) -> None:
    seed = 0x1234_5678_9ABC_DEF0 % 2**63
    x = torch.randn(count).to(dtype)
    kept = random_numbers(seed, count) >= round(p * 2**32)
    wanted = torch.where(kept, x.float() * torch.tensor(1 / (1 - p)), 0.0).to(dtype)
    assert torch.equal(torch.ops.glmkit.dropout(x, p, seed), wanted)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_gradient_is_dropped_as_the_number_was(level: str, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x = torch.randn(7, 129, 65).transpose(0, 1).requires_grad_()  # not contiguous
        torch.manual_seed(3)
        y = dropout(x, 0.2)
        y.backward(torch.ones_like(y))
        assert x.grad is not None
        assert torch.equal(x.grad, torch.where(y == 0, 0.0, torch.tensor(1 / 0.8)))
        assert abs(float((y == 0).float().mean()) - 0.2) < 0.01
        torch.manual_seed(3)
        assert torch.equal(dropout(x, 0.2), y)
        assert not torch.equal(dropout(x, 0.2), y)
    finally:
        torch.set_num_threads(before)


def test_attention_drops_probabilities(level: str) -> None:
    """Every value is 1 where its key is the query's own group: a query reads what is left of its probabilities."""
    torch.manual_seed(0)
    layer = Attention(torch.nn.Identity(), torch.nn.Identity(), 8, 4, 2, dropout=0.25)
    q, k = torch.randn(2, 4, 30, 8), torch.randn(2, 2, 30, 8)
    v = torch.eye(30)[:, :8].expand(2, 2, 30, 8)
    for visible in (SDPAMask(None, True), SDPAMask(None, False), SDPAMask(-torch.rand(2, 1, 30, 30), False)):
        plain = layer.eval()._attend(q, k, v, visible)
        mean = sum(layer.train()._attend(q, k, v, visible) for _ in range(400)) / 400
        assert (mean - plain).abs().max() < 0.1  # five deviations of the mean of 400
        once = layer._attend(q, k, v, visible)
        dropped, seen = once == 0, plain > 0
        assert torch.allclose(once[~dropped & seen], plain[~dropped & seen] / 0.75, rtol=1e-4, atol=1e-6)
        assert abs(float(dropped[seen].float().mean()) - 0.25) < 0.03


def test_its_gradient_is_that_of_what_it_dropped(level: str) -> None:
    layer = Attention(torch.nn.Identity(), torch.nn.Identity(), 8, 2, 2, dropout=0.25).train()
    parts = [torch.randn(1, 2, 12, 8, requires_grad=True) for _ in range(3)]
    q, k, v = parts
    torch.manual_seed(1)
    ours = torch.autograd.grad(layer._attend(q, k, v, SDPAMask(None, True)).square().sum(), parts)
    torch.manual_seed(1)
    kept = dropout(torch.ones(1, 2, 12, 12), 0.25)
    hidden = torch.ones(12, 12, dtype=torch.bool).triu(1)
    scores = (q @ k.mT / 8**0.5).masked_fill(hidden, float("-inf"))
    wanted = torch.autograd.grad(((scores.softmax(-1) * kept) @ v).square().sum(), parts)
    for one, other in zip(ours, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_where_the_kernel_is_not() -> None:
    x = torch.randn(100).half()
    assert not has_fast_dropout(x)
    torch.manual_seed(0)
    y = dropout(x, 0.5)
    torch.manual_seed(0)
    assert torch.equal(y, F.dropout(x, 0.5))
    layer = Dropout(0.5)
    assert layer.eval()(x) is x
    assert torch.equal(dropout(x.float(), 0.0), x.float())
    assert not dropout(x.float(), 1.0).any()
    with pytest.raises((ValueError, RuntimeError), match="p must be"):
        torch.ops.glmkit.dropout(x.float(), 1.0, 0)
