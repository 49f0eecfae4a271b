"""Tokens of rows of different lengths read together are the tokens of each row read alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glmkit.core.types import AttentionMask, StoredCache
from glmkit.generate.ragged_forward import Part
from glmkit.kernels.cache_rows import attend_rows
from glmkit.kernels.library import library
from glmkit.nn.attention import Attention
from glmkit.nn.cache import KVCache
from glmkit.nn.prefix import PrefixedCache
from glmkit.nn.ragged import FEW, RaggedCache
from glmkit.testing import MODEL_TOLERANCE, tiny

compiled = pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
HEADS = [(8, 2), (4, 4), (6, 2), (2, 1)]  # so many queries read the same keys: 4, 1, 3, 2


def cache_of(length: int, groups: int, dtype: torch.dtype, capacity: int = 0, layers: int = 2) -> KVCache:
    """One row, with `length` random tokens in it."""
    cache = KVCache(layers, 1, groups, capacity or length + 1, 16, dtype, torch.device("cpu"))
    for layer in range(layers):
        cache.append(layer, *(torch.randn(1, groups, length, 16).to(dtype) for _ in "kv"))
    cache.advance(length)
    return cache


def plainly(q: Tensor, k: Tensor, v: Tensor, cache: KVCache, layer: int) -> Tensor:
    """Attention in float32 of one token, head by head: q [H, D], k and v [G, D]."""
    keys, values = (part.float()[0] for part in cache.append(layer, k[None, :, None], v[None, :, None]))
    each = len(q) // len(keys)
    heads = []
    for number, query in enumerate(q.float()):
        scores = keys[number // each] @ query / query.numel() ** 0.5
        heads.append(scores.softmax(-1) @ values[number // each])
    return torch.stack(heads)


def rows_of(caches: Sequence[StoredCache], counts: Sequence[int], contexts: Sequence[int]) -> RaggedCache:
    """The caches with so many more tokens each."""
    tables = [np.zeros((2, count), dtype=np.int64) for count in counts]
    return RaggedCache([Part(*one, None) for one in zip(tables, caches, contexts, strict=True)])


@compiled
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=9),
    heads=st.sampled_from(HEADS),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    layer=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_the_kernel_attends_within_each_row(
    level: str, lengths: list[int], heads: tuple[int, int], dtype: torch.dtype, layer: int, seed: int
) -> None:
    torch.manual_seed(seed)
    caches = [cache_of(length, heads[1], dtype) for length in lengths]
    others = [cache.clone() for cache in caches]
    q, k, v = (torch.randn(len(lengths), count, 16).to(dtype) for count in (heads[0], heads[1], heads[1]))
    rows = rows_of(caches, [1] * len(caches), [0] * len(caches)).few
    assert rows is not None
    result = attend_rows(q, k, v, rows, layer)
    expected = torch.stack([plainly(*one, other, layer) for *one, other in zip(q, k, v, others, strict=True)])
    torch.testing.assert_close(
        result.float(),
        expected,
        atol=1e-5 if dtype == torch.float32 else 2e-2,
        rtol=0 if dtype == torch.float32 else 1e-2,
    )
    for cache, other, length in zip(caches, others, lengths, strict=True):
        for ours, theirs in ((cache.keys, other.keys), (cache.values, other.values)):
            assert torch.equal(ours[layer][:, :, : length + 1], theirs[layer][:, :, : length + 1])


@compiled
def test_rows_that_do_not_fit_are_an_error() -> None:
    caches = [cache_of(3, 2, torch.float32), cache_of(5, 2, torch.float32)]
    rows = rows_of(caches, [1, 1], [0, 0]).few
    assert rows is not None
    q, k = torch.randn(2, 4, 16), torch.randn(2, 2, 16)
    assert attend_rows(q, k, k, rows, 1).shape == (2, 4, 16)
    for arguments, line in (
        ((q, k, k, rows, 2), "layer 2 of rows of"),
        ((q.bfloat16(), k.bfloat16(), k.bfloat16(), rows, 0), "does not fit keys"),
        ((q[:1], k[:1], k[:1], rows, 0), r"must be \[layers, 1\]"),
        ((q, k, k[:1], rows, 0), r"keys and values must be \[2, 2, 16\]"),
        ((q.double(), k.double(), k.double(), rows, 0), "queries must be"),
        ((q, k, k, rows._replace(lengths=rows.capacities[0]), 0), "no room for its next token"),
    ):
        with pytest.raises(ValueError, match=line):
            attend_rows(*arguments)


def ways(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """With the kernel, and through torch."""
    through_torch = lambda: monkeypatch.setattr(Attention, "_by_kernel", lambda *_: False)  # noqa: E731
    return [lambda: None, through_torch]


@pytest.mark.parametrize("family", ["glm", "neoglm", "chatglm", "chatglm2"])
@pytest.mark.parametrize("prefix", [0, 3])
@torch.inference_mode()
def test_a_model_reads_rows_together_as_alone(family: str, prefix: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that begin, go on by a token, or by several; a context read both ways; more tokens than the kernel takes."""
    model = tiny(family)
    module, channels = model.module, model.position_scheme.channels
    if prefix:
        if family == "glm":
            return
        spec = model.family
        module = spec.build(replace(model.config, num_prefix=prefix)).eval()
        spec.initialize(module, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(0)
    before, counts = [0, 7, 4, 0, 20, 0], [3, 1, 4, 1, FEW + 3, 6]
    contexts = [0] * 6 if channels == 1 else [2, 5, 0, 0, 20, 6]
    tokens = [torch.randint(0, 200, (1, b + c), generator=generator) for b, c in zip(before, counts, strict=True)]
    places = [torch.arange(one.shape[1]).expand(1, channels, -1) for one in tokens]
    alone = [
        module(ids, at, AttentionMask.prefix([context]), module.new_cache(1, 4))[0, begin:]
        for ids, at, context, begin in zip(tokens, places, contexts, before, strict=True)
    ]
    for way in ways(monkeypatch):
        way()
        caches = [module.new_cache(1, 4) for _ in before]
        for cache, ids, at, begin, context in zip(caches, tokens, places, before, contexts, strict=True):
            if begin:
                module(ids[:, :begin], at[..., :begin], AttentionMask.prefix([context]), cache)
        for chosen in (range(6), [1], [1, 3], [0, 2, 5]):  # of these read together, those not read before
            ragged = rows_of(
                [caches[row].clone() for row in chosen],
                [counts[row] for row in chosen],
                [contexts[row] for row in chosen],
            )
            ids = torch.cat([tokens[row][:, before[row] :] for row in chosen], dim=1)
            at = torch.cat([places[row][..., before[row] :] for row in chosen], dim=2)
            hidden = module(ids, at, AttentionMask.prefix([0]), ragged)[0]
            expected = torch.cat([alone[row] for row in chosen])
            torch.testing.assert_close(hidden, expected, atol=MODEL_TOLERANCE, rtol=0)
            assert [part.cache.length for part in ragged.parts] == [before[row] + counts[row] for row in chosen]
            assert all(isinstance(part.cache, PrefixedCache) == bool(prefix) for part in ragged.parts)
