"""The mask rule and what it promises: rows do not depend on padding, neighbours or caching."""

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glmkit.core.types import AttentionMask, Batch, Example
from glmkit.data.packing import pack
from glmkit.infill.corruption import write_out
from glmkit.infill.position_schemes import Detached, OneChannel, TwoChannel, example
from glmkit.models.glm import GLM
from glmkit.nn.masks import sdpa_mask
from glmkit.objective.loss import token_losses
from glmkit.testing import MODEL_TOLERANCE, MODULE_TOLERANCE

from ..reference import glm as reference_glm
from ..reference import mask as reference_mask
from .strategies import OBJECTIVES, SPECIAL, VOCABULARY, generators, pieces

GEOMETRIES = [TwoChannel(), OneChannel(), Detached(far=200)]


@st.composite
def masks(draw: st.DrawFn) -> tuple[AttentionMask, int, int]:
    """A mask of one to three rows, and the queries start .. start + length - 1 to ask it about."""
    rows, length = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    start = draw(st.one_of(st.just(0), st.integers(0, 6)))
    keys = start + length
    number = st.one_of(st.integers(0, 2), st.integers(0, keys))  # 0 and 1 are the same as no context at all
    numbers = st.lists(number, min_size=rows, max_size=rows)
    begin = draw(st.one_of(st.just([0] * rows), numbers))
    segment = st.lists(st.integers(-1, 2), min_size=keys, max_size=keys)
    segments = draw(st.one_of(st.none(), st.lists(segment, min_size=rows, max_size=rows)))
    mask = AttentionMask(
        context=torch.tensor(draw(numbers)),
        begin=torch.tensor(begin),
        segments=None if segments is None else torch.tensor(segments),
    )
    return mask, start, length


def by_hand(mask: AttentionMask, row: int, start: int, length: int) -> list[list[bool]]:
    segments = None if mask.segments is None else mask.segments[row].tolist()
    return reference_mask.visible(int(mask.context[row]), int(mask.begin[row]), segments, start, length)


@settings(max_examples=300)
@given(drawn=masks())
def test_visible_is_the_rule(drawn: tuple[AttentionMask, int, int]) -> None:
    mask, start, length = drawn
    visible = mask.visible(start, length)
    assert visible.shape == (len(mask.context), 1, length, start + length)
    for row in range(len(mask.context)):
        assert visible[row, 0].tolist() == by_hand(mask, row, start, length)


@settings(max_examples=300)
@given(drawn=masks())
def test_the_form_handed_to_the_kernels_says_the_same(drawn: tuple[AttentionMask, int, int]) -> None:
    mask, start, length = drawn
    form = sdpa_mask(mask, start, length, torch.float32, torch.device("cpu"))
    if form.bias is not None:
        assert not form.causal
        assert set(form.bias.unique().tolist()) <= {0.0, torch.finfo(torch.float32).min}
        seen = form.bias == 0
    elif form.causal:
        assert start == 0, "the kernels count a causal mask from the first key"
        seen = torch.ones(length, length).tril().bool().expand(len(mask.context), 1, length, length)
    else:
        seen = torch.ones(len(mask.context), 1, length, start + length, dtype=torch.bool)
    assert torch.equal(seen, mask.visible(start, length))


@given(drawn=masks(), data=st.data())
def test_rows_of_a_mask_are_taken_in_the_order_asked(
    drawn: tuple[AttentionMask, int, int], data: st.DataObject
) -> None:
    mask, start, length = drawn
    index = torch.tensor(data.draw(st.lists(st.integers(0, len(mask.context) - 1), min_size=1, max_size=4)))
    assert torch.equal(mask.rows(index).visible(start, length), mask.visible(start, length)[index])


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Examples of every objective and position_scheme."""
    objective = OBJECTIVES[draw(st.sampled_from(sorted(OBJECTIVES)))]
    drawn = objective(draw(pieces(12)), VOCABULARY, draw(generators()))
    return example(write_out([drawn], SPECIAL)[0], draw(st.sampled_from(GEOMETRIES)))


def losses(model: GLM, batch: Batch) -> list[list[Tensor]]:
    """The losses of the tokens that count, by row and example."""
    hidden = model(batch.tokens, batch.positions, batch.mask)
    segments = torch.ones_like(batch.tokens) if batch.mask.segments is None else batch.mask.segments
    counts = batch.weights > 0
    result = torch.zeros_like(batch.weights)
    result[counts] = token_losses(model, hidden[counts], batch.targets[counts])
    return [
        [result[row][counts[row] & (segments[row] == number)] for number in range(1, int(segments[row].max()) + 1)]
        for row in range(len(result))
    ]


def close(ours: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


@settings(max_examples=30)
@given(rows=st.lists(st.lists(examples(), max_size=4), min_size=1, max_size=3).filter(any))
def test_packed_losses_are_those_of_each_example_alone(tiny_glm: GLM, rows: list[list[Example]]) -> None:
    for row, together in zip(rows, losses(tiny_glm, pack(rows, SPECIAL.pad)), strict=True):
        for one, result in zip(row, together, strict=True):
            close(result, losses(tiny_glm, pack([[one]], SPECIAL.pad))[0][0])


def without(batch: Batch, length: int) -> Batch:
    """The first `length` tokens of each row."""
    return Batch(
        tokens=batch.tokens[:, :length],
        targets=batch.targets[:, :length],
        weights=batch.weights[:, :length],
        positions=batch.positions[:, :, :length],
        mask=batch.mask,
    )


@settings(max_examples=20)
@given(one=examples())
def test_the_model_computes_the_definition(tiny_glm: GLM, one: Example) -> None:
    batch = without(pack([[one]], SPECIAL.pad), len(one))
    hidden = tiny_glm(batch.tokens, batch.positions, batch.mask)
    weights = {name: tensor.numpy() for name, tensor in tiny_glm.state_dict().items()}
    visible = reference_mask.visible(one.context, 0, None, 0, len(one))
    wanted, logits = reference_glm.forward(weights, 2, 2, one.tokens.tolist(), one.positions.tolist(), visible)
    tolerance = {"atol": MODEL_TOLERANCE, "rtol": MODEL_TOLERANCE, "check_dtype": False}
    torch.testing.assert_close(hidden[0], torch.from_numpy(wanted), **tolerance)
    torch.testing.assert_close(tiny_glm.logits(hidden)[0], torch.from_numpy(logits), **tolerance)


@settings(max_examples=30)
@given(rows=st.lists(st.lists(examples(), min_size=1, max_size=2), min_size=1, max_size=3), data=st.data())
def test_cached_steps_give_what_one_pass_gives(tiny_glm: GLM, rows: list[list[Example]], data: st.DataObject) -> None:
    batch = pack(rows, SPECIAL.pad)
    length = batch.tokens.shape[1]
    whole = tiny_glm(batch.tokens, batch.positions, batch.mask)
    # The corrupted text is read at once, as its tokens see each other both ways; what follows, in any steps.
    first = max(int(batch.mask.context.max()), 1)
    cuts = sorted({first, length, *data.draw(st.lists(st.integers(first, length), max_size=5))})
    cache = tiny_glm.new_cache(len(rows), length)
    parts = []
    for start, stop in zip([0, *cuts[:-1]], cuts, strict=True):
        parts.append(tiny_glm(batch.tokens[:, start:stop], batch.positions[:, :, start:stop], batch.mask, cache))
        assert cache.length == stop
    close(torch.cat(parts, dim=1), whole)


def shifted(batch: Batch, paddings: Sequence[int], pad: int) -> Batch:
    """The rows moved to the right by so many padding tokens each, which the mask hides."""
    width = batch.tokens.shape[1] + max(paddings)
    tokens = torch.full((len(paddings), width), pad)
    positions = torch.zeros(len(paddings), batch.positions.shape[1], width, dtype=torch.long)
    for row, padding in enumerate(paddings):
        tokens[row, padding : padding + batch.tokens.shape[1]] = batch.tokens[row]
        positions[row, :, padding : padding + batch.tokens.shape[1]] = batch.positions[row]
    moved = torch.tensor(paddings)
    mask = AttentionMask.prefix(batch.mask.context + moved, moved)
    return Batch(tokens=tokens, targets=tokens, weights=torch.zeros(tokens.shape), positions=positions, mask=mask)


@settings(max_examples=30)
@given(rows=st.lists(examples(), min_size=1, max_size=3), data=st.data())
def test_padding_on_the_left_changes_nothing(tiny_glm: GLM, rows: list[Example], data: st.DataObject) -> None:
    batch = pack([[one] for one in rows], SPECIAL.pad)
    plain = tiny_glm(batch.tokens, batch.positions, batch.mask)
    paddings = data.draw(st.lists(st.integers(0, 7), min_size=len(rows), max_size=len(rows)))
    moved = shifted(batch, paddings, pad=data.draw(st.sampled_from([SPECIAL.pad, SPECIAL.mask])))
    result = tiny_glm(moved.tokens, moved.positions, moved.mask)
    assert result.isfinite().all(), "a padding query that sees nothing must not spread NaN"
    for row, padding in enumerate(paddings):
        close(result[row, padding : padding + len(rows[row])], plain[row, : len(rows[row])])
