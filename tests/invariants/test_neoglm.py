"""What NeoGLM makes of the two channels: a token is where its positions say, wherever it stands in the row.

row        The [M] on [M] mat | sop the | sop cat sat          segments  0 0 0 0 0 | 1 1 | 2 2 2
reordered  The [M] on [M] mat | sop cat sat | sop the          segments  0 0 0 0 0 | 2 2 2 | 1 1
"""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glmkit.core.types import AttentionMask, IntArray
from glmkit.infill.layout import Layout, blank_layouts, blanked
from glmkit.infill.position_schemes import TwoChannel
from glmkit.testing import tiny

from .strategies import FIRST_TEXT, SIZE, SPECIAL

MODEL = tiny("neoglm").module.double()
TOLERANCE = 1e-6  # of float32 tables in a model of float64


@st.composite
def blanked_texts(draw: st.DrawFn) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """A text, two or more spans of it, and two orders to write them in."""
    count = draw(st.integers(2, 4))
    gaps = draw(st.lists(st.integers(1, 3), min_size=count + 1, max_size=count + 1))
    lengths = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    starts = np.cumsum(gaps[:-1]) + np.cumsum([0, *lengths[:-1]])
    size = sum(gaps) + sum(lengths)
    text = np.array(draw(st.lists(st.integers(FIRST_TEXT, SIZE - 1), min_size=size, max_size=size)))
    orders = [np.array(draw(st.permutations(range(count)))) for _ in range(2)]
    return text, np.stack([starts, starts + lengths], axis=1), *orders


def layout_of(text: IntArray, spans: IntArray, order: IntArray) -> Layout:
    (layout,) = blank_layouts([blanked(text, spans, order, SPECIAL, SPECIAL.mask)], SPECIAL.eop)
    return layout


@torch.no_grad()
def hidden(layout: Layout, segments: Tensor | None = None) -> Tensor:
    """Of each token of a row [T, D]."""
    mask = replace(AttentionMask.prefix([layout.context]), segments=segments)
    positions = torch.from_numpy(TwoChannel().positions(layout))
    return MODEL(torch.from_numpy(layout.tokens)[None], positions[None], mask)[0]


def by_place(layout: Layout, states: Tensor) -> dict[tuple[int, int], Tensor]:
    """The states of a row's tokens by their positions, which no two of them share."""
    places = zip(layout.position_ids.tolist(), layout.block_position_ids.tolist(), strict=True)
    return dict(zip(places, states, strict=True))


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=TOLERANCE)


@given(blanked_texts())
@settings(max_examples=40, deadline=None)
def test_spans_that_do_not_see_each_other_are_the_same_in_any_order(
    drawn: tuple[IntArray, IntArray, IntArray, IntArray],
) -> None:
    text, spans, *orders = drawn
    rows = []
    for order in orders:
        layout = layout_of(text, spans, order)
        begins = np.cumsum(layout.block_position_ids == 1) * (layout.block_position_ids > 0)
        own = np.array([0, *(order + 1)])[begins]  # the span each token is of, 0 in the text
        rows.append(by_place(layout, hidden(layout, torch.from_numpy(own)[None])))
    assert rows[0].keys() == rows[1].keys()
    for place, state in rows[0].items():
        close(state, rows[1][place])


@given(blanked_texts())
@settings(max_examples=40, deadline=None)
def test_the_text_and_the_span_written_first_do_not_know_what_is_written_later(
    drawn: tuple[IntArray, IntArray, IntArray, IntArray],
) -> None:
    text, spans, order, other = drawn
    other = np.array([order[0], *(place for place in other if place != order[0])])
    one, two = (layout_of(text, spans, each) for each in (order, other))
    shared = one.context + int(spans[order[0], 1] - spans[order[0], 0]) + 1
    close(hidden(one)[:shared], hidden(two)[:shared])


@given(blanked_texts(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_where_a_token_of_the_text_stands_in_the_row_says_nothing(
    drawn: tuple[IntArray, IntArray, IntArray, IntArray], random: object
) -> None:
    text, spans, order, _ = drawn
    layout = layout_of(text, spans, order)
    shuffled = list(range(layout.context))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    index = np.array([*shuffled, *range(layout.context, len(layout.tokens))])
    moved = replace(
        layout,
        tokens=layout.tokens[index],
        position_ids=layout.position_ids[index],
        block_position_ids=layout.block_position_ids[index],
    )
    close(hidden(moved), hidden(layout)[torch.from_numpy(index)])


@given(blanked_texts(), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_places_count_by_their_differences(drawn: tuple[IntArray, IntArray, IntArray, IntArray], shift: int) -> None:
    text, spans, order, _ = drawn
    layout = layout_of(text, spans, order)
    moved = replace(layout, position_ids=layout.position_ids + shift)
    torch.testing.assert_close(hidden(moved), hidden(layout), atol=1e-3, rtol=1e-3)  # angles of float32 places


@given(blanked_texts())
@settings(max_examples=20, deadline=None)
def test_both_channels_count(drawn: tuple[IntArray, IntArray, IntArray, IntArray]) -> None:
    layout = layout_of(*drawn[:3])
    for name in ("position_ids", "block_position_ids"):
        changed = replace(layout, **{name: np.where(layout.block_position_ids > 1, 9, getattr(layout, name))})
        last = slice(layout.context + 1, None)
        assert (hidden(changed)[last] - hidden(layout)[last]).abs().max() > 100 * TOLERANCE
