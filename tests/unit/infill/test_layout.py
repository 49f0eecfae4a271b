"""The layouts that the docstrings draw."""

import numpy as np

from glmkit.infill.layout import blank_layouts, blanked, causal_layout, masked_layout, suffix_layout
from glmkit.text.special import SpecialIds
from reference.layout import as_written

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
M, G, SOP, EOP, EOD = SPECIAL.mask, SPECIAL.gmask, SPECIAL.sop, SPECIAL.eop, SPECIAL.eod
THE, CAT, SAT, ON, THE_2, MAT = range(10, 16)


def test_the_drawn_text() -> None:
    text = np.array([THE, CAT, SAT, ON, THE_2, MAT])
    spans, order = np.array([[1, 3], [4, 5]]), np.array([1, 0])
    (layout,) = blank_layouts([blanked(text, spans, order, SPECIAL, M)], EOP)
    assert layout.tokens.tolist() == [THE, M, ON, M, MAT, SOP, THE_2, SOP, CAT, SAT]
    assert layout.targets[5:].tolist() == [THE_2, EOP, CAT, SAT, EOP]
    assert layout.weights.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert layout.anchors.tolist() == [0, 1, 2, 3, 4, 3, 3, 1, 1, 1]
    assert layout.steps.tolist() == [0, 0, 0, 0, 0, 1, 2, 1, 2, 3]
    assert layout.context == 5


def test_the_drawn_suffix() -> None:
    a, b, c, d = range(10, 14)
    layout = suffix_layout(np.array([a, b, c, d, EOD]), 2, SPECIAL)
    assert layout.tokens.tolist() == [a, b, G, SOP, c, d]
    assert layout.targets[3:].tolist() == [c, d, EOD]
    assert layout.weights.tolist() == [0, 0, 0, 1, 1, 1]
    assert layout.anchors.tolist() == [0, 1, 2, 2, 2, 2]
    assert layout.steps.tolist() == [0, 0, 0, 1, 2, 3]
    assert layout.context == 3


def test_a_prompt_in_a_suffix_is_read_and_not_scored() -> None:
    layout = suffix_layout(np.arange(10, 16), 1, SPECIAL, first=3)
    assert layout.targets[layout.weights > 0].tolist() == [13, 14, 15]


def test_baselines() -> None:
    text = np.array([THE, CAT, SAT, ON])
    masked = masked_layout(text, np.array([THE, M, SAT, ON]), np.array([1]))
    assert as_written(masked).tokens == [THE, M, SAT, ON]
    assert masked.targets[masked.weights > 0].tolist() == [CAT]
    assert (masked.anchors.tolist(), masked.steps.tolist(), masked.context) == ([0, 1, 2, 3], [0, 0, 0, 0], 4)
    causal = causal_layout(text, first=2)
    assert causal.tokens.tolist() == [THE, CAT, SAT]
    assert causal.targets.tolist() == [CAT, SAT, ON]
    assert causal.weights.tolist() == [0, 1, 1]
    assert (causal.anchors.tolist(), causal.steps.tolist(), causal.context) == ([0, 1, 2], [0, 0, 0], 0)
