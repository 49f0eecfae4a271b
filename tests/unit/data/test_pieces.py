"""The cut that the docstring of the pieces draws, and a split that cannot be made."""

import numpy as np
import pytest

from glmkit.core.errors import UserError
from glmkit.data.pieces import cut, split_heldout


def test_the_drawn_document_is_cut_as_drawn() -> None:
    # a b c d e f g <eod>  ->  [CLS] a b c d  |  [CLS] e f g <eod>
    table = cut(np.array([7]), np.array([0]), np.array([0]), 6)
    assert [table.row(index) for index in range(len(table))] == [(0, 0, 4), (0, 4, 8)]
    assert table.lengths.tolist() == [5, 5]


def test_one_document_cannot_be_split() -> None:
    with pytest.raises(UserError, match="1 document cannot be split into training and held-out text"):
        split_heldout(1, 0.1, seed=0)
    training, kept = split_heldout(1, 0, seed=0)
    assert (training.tolist(), kept.tolist()) == ([0], [])
