"""Rows of several examples, as the docstring of the packing draws them."""

import json
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.types import Example
from glmkit.data.packing import DensePlan, fullest, pack

PAD = 9


def numbered(first: int, context: int, length: int) -> Example:
    """An example whose numbers tell where they come from: targets are tokens + 100, places tokens + 1000."""
    tokens = np.arange(first, first + length)
    weights = (np.arange(length) >= context).astype(np.float32)
    return Example(
        tokens=tokens,
        targets=tokens + 100,
        weights=weights,
        positions=np.array([tokens + 1000, tokens + 2000]),
        context=context,
    )


def test_corrupted_texts_come_first_then_the_spans() -> None:
    batch = pack([[numbered(11, 3, 6), numbered(21, 3, 5)]], PAD)
    tokens = [11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25]
    padding = 16 - len(tokens)
    assert batch.tokens[0].tolist() == tokens + [PAD] * padding
    assert batch.targets[0].tolist() == [token + 100 for token in tokens] + [PAD] * padding
    assert batch.weights[0].tolist() == [0.0] * 6 + [1.0] * 5 + [0.0] * padding
    assert batch.positions[0].tolist() == [
        [token + 1000 for token in tokens] + [0] * padding,
        [token + 2000 for token in tokens] + [0] * padding,
    ]
    assert batch.mask.segments is not None
    assert batch.mask.segments[0, : len(tokens)].tolist() == [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2]
    assert set(batch.mask.segments[0, len(tokens) :].tolist()).isdisjoint({1, 2}), "padding is of no document"
    assert batch.mask.context.tolist() == [6]
    assert batch.mask.begin.tolist() == [0]


def test_padding_sees_no_text_and_no_text_sees_padding() -> None:
    batch = pack([[numbered(11, 3, 6), numbered(21, 3, 5)], [numbered(31, 0, 4)]], PAD)
    visible = batch.mask.visible(0, 16)[:, 0]
    for row, length in enumerate((11, 4)):
        assert not visible[row, :length, length:].any()
        assert not visible[row, length:, :length].any()


@pytest.mark.parametrize(("lengths", "width"), [([16], 16), ([17], 32), ([1], 16), ([20, 3, 33], 48)])
def test_rows_are_widened_to_a_multiple_of_sixteen(lengths: list[int], width: int) -> None:
    batch = pack([[numbered(10, 1, length)] for length in lengths], PAD)
    assert batch.tokens.shape == (len(lengths), width)


def test_rows_of_one_example_need_no_segments() -> None:
    batch = pack([[numbered(11, 3, 6)], [numbered(21, 0, 5)]], PAD)
    assert batch.mask.segments is None
    assert batch.mask.context.tolist() == [3, 0]
    assert batch.tokens.dtype == batch.targets.dtype == batch.positions.dtype == torch.int64
    assert batch.weights.dtype == torch.float32


@given(lengths=st.lists(st.integers(1, 12), max_size=9), room=st.integers(0, 30))
def test_fullest_is_the_best_of_all_subsets(lengths: list[int], room: int) -> None:
    chosen = fullest(lengths, room)
    sums = [sum(some) for size in range(len(lengths) + 1) for some in combinations(lengths, size)]
    assert chosen == sorted(set(chosen))
    assert sum(lengths[place] for place in chosen) == max(total for total in sums if total <= room)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=25), rows=st.integers(1, 4), steps=st.integers(1, 12))
def test_a_dense_plan_reads_every_piece_once_an_epoch_and_goes_on_from_its_state(
    lengths: list[int], rows: int, steps: int
) -> None:
    def plan(**state: Any) -> DensePlan:
        return DensePlan(np.array(lengths), lambda epoch: order(epoch, len(lengths)), rows, 20, **state)

    one, planned = plan(), Counter[tuple[int, int]]()
    for _ in range(steps):
        batch = one.next()
        assert all(row and sum(lengths[index] for _, index in row) <= 20 for row in batch)
        planned += Counter(key for row in batch for key in row)
    read = [(epoch, int(index)) for epoch in range(one.epoch + 1) for index in order(epoch, len(lengths))]
    assert planned + Counter(one.waiting) == Counter(read[: one.epoch * len(lengths) + one.cursor])
    other = plan(**json.loads(json.dumps(one.state)))
    other.waiting = [(epoch, index) for epoch, index in other.waiting]
    assert other.next() == one.next()


def test_a_dense_plan_fills_rows_with_pieces_of_a_third_of_a_row() -> None:
    lengths = np.random.default_rng(0).integers(68, 212, 1000)  # as AdvertiseGen's
    plan = DensePlan(lengths, lambda epoch: order(epoch, len(lengths)), 16, 512)
    filled = [sum(int(lengths[index]) for row in plan.next() for _, index in row) / (16 * 512) for _ in range(50)]
    assert min(filled) > 0.95


def order(epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng(epoch).permutation(count)
