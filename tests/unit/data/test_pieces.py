"""A split into training and held-out text that cannot be made."""

import pytest

from glmkit.core.errors import UserError
from glmkit.data.pieces import split_heldout


def test_one_document_cannot_be_split() -> None:
    with pytest.raises(UserError, match="1 document cannot be split into training and held-out text"):
        split_heldout(1, 0.1, seed=0)
    training, kept = split_heldout(1, 0, seed=0)
    assert (training.tolist(), kept.tolist()) == ([0], [])
