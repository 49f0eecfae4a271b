"""A split into training and validation that cannot be made."""

import pytest

from glmkit.core.errors import UserError
from glmkit.data.chunks import split_validation


def test_one_document_cannot_be_split() -> None:
    with pytest.raises(UserError, match=r"1 document cannot be split.*--split line"):
        split_validation(1, 0.1, seed=0)
    training, kept = split_validation(1, 0, seed=0)
    assert (training.tolist(), kept.tolist()) == ([0], [])
