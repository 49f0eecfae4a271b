"""The cache hands back what was written, in place and by row, and grows by blocks."""

import pytest
import torch

from glmkit.nn.cache import BLOCK, KVCache

LAYERS, BATCH, HEADS, CAPACITY, SIZE = 2, 3, 2, 6, 4


@pytest.fixture
def cache() -> KVCache:
    return KVCache(LAYERS, BATCH, HEADS, CAPACITY, SIZE, torch.float32, torch.device("cpu"))


def tokens(count: int, seed: int) -> torch.Tensor:
    return torch.randn(BATCH, HEADS, count, SIZE, generator=torch.Generator().manual_seed(seed))


def test_what_was_appended_comes_back_in_order_for_each_layer(cache: KVCache) -> None:
    """The last two pieces do not fit into the room it began with."""
    written: dict[int, list[torch.Tensor]] = {0: [], 1: []}
    for step, count in enumerate((3, 1, 2, 1, BLOCK)):
        for layer in range(LAYERS):
            keys = tokens(count, seed=10 * step + layer)
            written[layer].append(keys)
            result, values = cache.append(layer, keys, -keys)
            assert torch.equal(result, torch.cat(written[layer], dim=2))
            assert torch.equal(values, -result)
        cache.advance(count)
    assert cache.length == CAPACITY + 1 + BLOCK


def test_nothing_is_copied_while_there_is_room(cache: KVCache) -> None:
    keys, values = cache.append(1, tokens(2, 0), tokens(2, 1))
    assert keys.data_ptr() == cache.keys[1].data_ptr()
    assert values.data_ptr() == cache.values[1].data_ptr()


def test_it_grows_a_layer_at_a_time_by_whole_blocks(cache: KVCache) -> None:
    cache.append(0, tokens(CAPACITY + 1, 0), tokens(CAPACITY + 1, 1))
    assert [keys.shape[2] for keys in cache.keys] == [BLOCK, CAPACITY]
    at = cache.keys[0].data_ptr()
    cache.append(0, tokens(BLOCK, 0), tokens(BLOCK, 1))
    assert cache.keys[0].data_ptr() == at


def test_what_is_cut_is_written_over(cache: KVCache) -> None:
    first, second = tokens(4, 0), tokens(2, 1)
    cache.append(0, first, first)
    cache.advance(4)
    cache.cut(3)
    result, _ = cache.append(0, second, second)
    assert torch.equal(result, torch.cat([first[:, :, :3], second], dim=2))
    with pytest.raises(AssertionError, match="cache holds 3 tokens, asked to keep 5"):
        cache.cut(5)


def test_rows_are_taken_in_the_order_asked(cache: KVCache) -> None:
    keys = tokens(2, 0)
    for layer in range(LAYERS):
        cache.append(layer, keys + layer, keys - layer)
    cache.advance(2)
    cache.select(torch.tensor([2, 0, 2, 1]))
    more = torch.zeros(4, HEADS, 1, SIZE)
    for layer in range(LAYERS):
        result, values = cache.append(layer, more, more)
        assert torch.equal(result[:, :, :2], (keys + layer)[[2, 0, 2, 1]])
        assert torch.equal(values[:, :, :2], (keys - layer)[[2, 0, 2, 1]])


def test_room_that_a_shorter_text_would_not_have_is_given_back(cache: KVCache) -> None:
    keys = tokens(5, 0)
    for layer in range(LAYERS):
        cache.append(layer, keys, -keys)
    cache.advance(5)
    for layer in range(LAYERS):
        cache.room(layer, 10 * BLOCK)
    cache.fit(10 * BLOCK)
    assert cache.keys[0].shape[2] == 10 * BLOCK
    cache.fit(7)
    for layer in range(LAYERS):
        assert cache.keys[layer].shape[2] == cache.values[layer].shape[2] == 7
        assert torch.equal(cache.keys[layer][:, :, :5], keys)
        assert torch.equal(cache.values[layer][:, :, :5], -keys)
