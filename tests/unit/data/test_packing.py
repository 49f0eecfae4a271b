"""Rows of several examples, as the docstring of the packing draws them."""

import numpy as np
import pytest
import torch

from glmkit.core.types import Example
from glmkit.data.packing import pack

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
