"""Layouts beyond the drawn ones (tests/unit/test_drawings.py): prompts, and the baselines."""

import numpy as np

from glmkit.infill.layout import causal_layout, masked_layout, suffix_layout
from glmkit.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
THE, CAT, SAT, ON = range(10, 14)


def test_a_prompt_in_a_suffix_is_read_and_not_scored() -> None:
    layout = suffix_layout(np.arange(10, 16), 1, SPECIAL, first=3)
    assert layout.targets[layout.weights > 0].tolist() == [13, 14, 15]


def test_baselines() -> None:
    text = np.array([THE, CAT, SAT, ON])
    masked = masked_layout(text, np.array([THE, SPECIAL.mask, SAT, ON]), np.array([1]))
    assert masked.tokens.tolist() == [THE, SPECIAL.mask, SAT, ON]
    assert masked.targets[masked.weights > 0].tolist() == [CAT]
    assert (masked.position_ids.tolist(), masked.block_position_ids.tolist(), masked.context) == (
        [0, 1, 2, 3],
        [0, 0, 0, 0],
        4,
    )
    causal = causal_layout(text, first=2)
    assert causal.tokens.tolist() == [THE, CAT, SAT]
    assert causal.targets.tolist() == [CAT, SAT, ON]
    assert causal.weights.tolist() == [0, 1, 1]
    assert (causal.position_ids.tolist(), causal.block_position_ids.tolist(), causal.context) == (
        [0, 1, 2],
        [0, 0, 0],
        0,
    )
