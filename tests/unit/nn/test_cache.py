"""The cache hands back what was written, in place and by row."""

import pytest
import torch

from glmkit.nn.cache import KVCache

LAYERS, BATCH, HEADS, CAPACITY, SIZE = 2, 3, 2, 6, 4


@pytest.fixture
def cache() -> KVCache:
    return KVCache(LAYERS, BATCH, HEADS, CAPACITY, SIZE, torch.float32, torch.device("cpu"))


def tokens(count: int, seed: int) -> torch.Tensor:
    return torch.randn(BATCH, HEADS, count, SIZE, generator=torch.Generator().manual_seed(seed))


def test_what_was_appended_comes_back_in_order_for_each_layer(cache: KVCache) -> None:
    written: dict[int, list[torch.Tensor]] = {0: [], 1: []}
    for step, count in enumerate((3, 1, 2)):
        for layer in range(LAYERS):
            keys = tokens(count, seed=10 * step + layer)
            written[layer].append(keys)
            found, values = cache.append(layer, keys, -keys)
            assert torch.equal(found, torch.cat(written[layer], dim=2))
            assert torch.equal(values, -found)
        cache.advance(count)
    assert cache.length == CAPACITY


def test_nothing_is_copied(cache: KVCache) -> None:
    keys, values = cache.append(1, tokens(2, 0), tokens(2, 1))
    assert keys.data_ptr() == cache.keys[1].data_ptr()
    assert values.data_ptr() == cache.values[1].data_ptr()


def test_more_than_it_holds_is_refused(cache: KVCache) -> None:
    cache.append(0, tokens(4, 0), tokens(4, 1))
    cache.advance(4)
    with pytest.raises(AssertionError, match="cache holds 6 tokens, asked for 7"):
        cache.append(0, tokens(3, 0), tokens(3, 1))


def test_rows_are_taken_in_the_order_asked(cache: KVCache) -> None:
    keys = tokens(2, 0)
    for layer in range(LAYERS):
        cache.append(layer, keys + layer, keys - layer)
    cache.advance(2)
    cache.select(torch.tensor([2, 0, 2, 1]))
    more = torch.zeros(4, HEADS, 1, SIZE)
    for layer in range(LAYERS):
        found, values = cache.append(layer, more, more)
        assert torch.equal(found[:, :, :2], (keys + layer)[[2, 0, 2, 1]])
        assert torch.equal(values[:, :, :2], (keys - layer)[[2, 0, 2, 1]])
