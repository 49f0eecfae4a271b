"""Positions as the docstring draws them, and the same ones when a span is decoded token by token."""

import numpy as np
import pytest

from glmkit.infill.layout import Layout, blank_layouts, blanked, suffix_layout
from glmkit.infill.position_schemes import (
    Answering,
    Detached,
    OneChannel,
    PositionScheme,
    Sequential,
    TwoChannel,
    example,
)
from glmkit.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)
ANCHORS = [0, 1, 2, 3, 4, 3, 3, 1, 1, 1]
STEPS = [0, 0, 0, 0, 0, 1, 2, 1, 2, 3]


@pytest.fixture
def layout() -> Layout:
    """The [M] on [M] mat | sop the | sop cat sat"""
    spans, order = np.array([[1, 3], [4, 5]]), np.array([1, 0])
    return blank_layouts([blanked(np.arange(10, 16), spans, order, SPECIAL, SPECIAL.mask)], SPECIAL.eop)[0]


@pytest.mark.parametrize(
    ("position_scheme", "wanted"),
    [
        (TwoChannel(), [ANCHORS, STEPS]),
        (OneChannel(), [ANCHORS, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]),
        (Detached(far=64), [[0, 1, 2, 3, 4, 64, 64, 64, 64, 64], STEPS]),
    ],
)
def test_positions(layout: Layout, position_scheme: PositionScheme, wanted: list[list[int]]) -> None:
    built = example(layout, position_scheme)
    assert built.positions.tolist() == wanted
    assert len(wanted) == position_scheme.channels
    assert built.context == 5
    assert (built.tokens is layout.tokens, built.weights is layout.weights) == (True, True)


@pytest.mark.parametrize("position_scheme", [TwoChannel(), OneChannel(), Detached(far=64)])
@pytest.mark.parametrize("kind", ["blanks", "suffix"])
def test_decoding_walks_the_positions_of_training(layout: Layout, position_scheme: PositionScheme, kind: str) -> None:
    if kind == "suffix":
        layout = suffix_layout(np.arange(10, 20), 3, SPECIAL)
    positions = position_scheme.positions(layout)
    last = np.zeros(2, dtype=np.int64)
    for index in range(layout.context, len(layout.tokens)):
        starts_a_span = layout.block_position_ids[index] == 1
        last = (
            position_scheme.start(int(layout.position_ids[index]), len(layout.tokens))
            if starts_a_span
            else position_scheme.advance(last)
        )
        assert last.tolist() == positions[:, index].tolist()


def test_sequential_positions(layout: Layout) -> None:
    built = example(layout, Sequential())
    assert built.positions.tolist() == [list(range(10))]
    assert built.context == 0, "nothing is read both ways"


def test_sequential_decoding_goes_on_where_the_prompt_ends() -> None:
    start = Sequential().start(anchor=3, length=7)
    assert start.tolist() == [7]
    assert Sequential().advance(start).tolist() == [8]


@pytest.mark.parametrize(
    ("position_scheme", "wanted"),
    [
        (TwoChannel(), ([[0, 1, 2, 3], [0, 0, 0, 0]], 0)),
        (Sequential(), ([[0, 1, 2, 3]], 0)),
        (Answering(mask=3, gmask=4, sop=5), ([[0, 1, 1, 1], [0, 0, 1, 2]], 2)),
    ],
)
def test_bare_ids(position_scheme: PositionScheme, wanted: tuple[list[list[int]], int]) -> None:
    positions, context = position_scheme.read(np.array([9, 4, 5, 3]))
    assert (positions.tolist(), context) == wanted


def test_an_answer_stands_at_gmask_before_mask_and_at_the_first_of_several() -> None:
    reading = Answering(mask=3, gmask=4, sop=5)
    assert reading.read(np.array([3, 9, 4, 4, 5]))[0][0, -1] == 2
    assert reading.read(np.array([9, 3, 3, 9, 5]))[0][0, -1] == 1
