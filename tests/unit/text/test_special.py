"""Roles of special ids."""

import pytest

from glmkit.core.errors import UserError
from glmkit.text.special import SpecialIds

PLAIN = {"pad": 0, "eod": 1, "cls": 2, "mask": 3, "smask": 4, "gmask": 5, "sop": 6, "eop": 7}


def test_all_but_text_and_ends_is_never_generated():
    special = SpecialIds(**PLAIN, sep=8, block=9, spare=(10, 11), other=(12,))
    assert special.never_generated == (0, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12)
    assert special.ends == (7, 1)


def test_absent_tokens_rule_nothing_out():
    assert SpecialIds(**PLAIN).never_generated == (0, 2, 3, 4, 5, 6)


def test_an_id_that_ends_something_may_be_generated_whatever_else_it_is():
    """The published vocabularies end documents with the padding id; GLM-10B-Chinese ends spans with [gMASK]'s."""
    special = SpecialIds(**PLAIN | {"pad": 1, "gmask": 7}, sep=1)
    assert special.masks == (3, 4, 7)
    assert special.never_generated == (2, 3, 4, 6)


def test_one_mask_for_every_blank():
    assert SpecialIds(**PLAIN | {"smask": 3, "gmask": 3}).masks == (3,)


def test_sentinels_take_pairs_of_spare_ids():
    special = SpecialIds(**PLAIN, spare=(8, 9, 10, 11))
    assert special.sentinels(1) == ((3,), (6,))
    assert special.sentinels(3) == ((3, 8, 10), (6, 9, 11))
    with pytest.raises(UserError, match=r"4 blanks need 6 spare ids.* has 4"):
        special.sentinels(4)
