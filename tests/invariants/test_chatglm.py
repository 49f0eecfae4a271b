"""What holds for every text in ChatGLM-6B, 2 and 3: neither caching, nor padding, nor neighbours change a token."""

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glmkit.api import Model
from glmkit.core.types import AttentionMask, Batch
from glmkit.data.packing import pack
from glmkit.infill.corruption import write_out
from glmkit.infill.layout import Layout
from glmkit.infill.position_schemes import example
from glmkit.objective.loss import token_losses
from glmkit.testing import MODULE_TOLERANCE, tiny

from .strategies import OBJECTIVES, SPECIAL, VOCABULARY, generators, pieces

MODELS = {name: tiny(name) for name in ("chatglm", "chatglm2", "neoglm")}
models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)


def close(ours: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, atol=10 * MODULE_TOLERANCE, rtol=10 * MODULE_TOLERANCE)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    objective = OBJECTIVES[draw(st.sampled_from(sorted(OBJECTIVES)))]
    return write_out([objective(draw(pieces(12)), VOCABULARY, draw(generators()))], SPECIAL)[0]


def read(m: Model, batch: Batch) -> Tensor:
    with torch.inference_mode():
        return m.module(batch.tokens, batch.positions, batch.mask)


@settings(max_examples=30)
@given(m=models, rows=st.lists(st.lists(layouts(), max_size=4), min_size=1, max_size=3).filter(any))
def test_packed_losses_are_those_of_each_example_alone(m: Model, rows: list[list[Layout]]) -> None:
    examples = [[example(layout, m.position_scheme) for layout in row] for row in rows]
    for row, together in zip(examples, losses(m, pack(examples, SPECIAL.pad)), strict=True):
        for one, result in zip(row, together, strict=True):
            close(result, losses(m, pack([[one]], SPECIAL.pad))[0][0])


@torch.inference_mode()
def losses(m: Model, batch: Batch) -> list[list[Tensor]]:
    """The losses of the tokens that count, by row and example."""
    hidden = read(m, batch)
    segments = torch.ones_like(batch.tokens) if batch.mask.segments is None else batch.mask.segments
    counts = batch.weights > 0
    result = torch.zeros_like(batch.weights)
    result[counts] = token_losses(m.module, hidden[counts], batch.targets[counts])
    return [
        [result[row][counts[row] & (segments[row] == number)] for number in range(1, int(segments[row].max()) + 1)]
        for row in range(len(result))
    ]


@settings(max_examples=30)
@given(m=models, rows=st.lists(layouts(), min_size=1, max_size=3), data=st.data())
def test_cached_steps_give_what_one_pass_gives(m: Model, rows: list[Layout], data: st.DataObject) -> None:
    batch = pack([[example(layout, m.position_scheme)] for layout in rows], SPECIAL.pad)
    length, module = batch.tokens.shape[1], m.module
    first = max(int(batch.mask.context.max()), 1)
    cuts = sorted({first, length, *data.draw(st.lists(st.integers(first, length), max_size=5))})
    cache = module.new_cache(len(rows), length)
    parts = []
    with torch.inference_mode():
        for start, stop in zip([0, *cuts[:-1]], cuts, strict=True):
            parts.append(module(batch.tokens[:, start:stop], batch.positions[:, :, start:stop], batch.mask, cache))
    close(torch.cat(parts, dim=1), read(m, batch))


@settings(max_examples=30)
@given(m=models, rows=st.lists(layouts(), min_size=1, max_size=3), data=st.data())
def test_padding_on_the_left_changes_nothing(m: Model, rows: list[Layout], data: st.DataObject) -> None:
    batch = pack([[example(layout, m.position_scheme)] for layout in rows], SPECIAL.pad)
    plain = read(m, batch)
    paddings = data.draw(st.lists(st.integers(0, 7), min_size=len(rows), max_size=len(rows)))
    result = read(m, shifted(batch, paddings, counts_padding=data.draw(st.booleans())))
    assert result.isfinite().all()
    for row, padding in enumerate(paddings):
        close(result[row, padding : padding + len(rows[row].tokens)], plain[row, : len(rows[row].tokens)])


def shifted(batch: Batch, paddings: Sequence[int], counts_padding: bool) -> Batch:
    """The rows moved to the right. `counts_padding`: places count from the padding on, as rotary positions allow."""
    width = batch.tokens.shape[1]
    tokens = torch.full((len(paddings), width + max(paddings)), SPECIAL.pad)
    positions = torch.zeros(len(paddings), batch.positions.shape[1], tokens.shape[1], dtype=torch.long)
    for row, padding in enumerate(paddings):
        tokens[row, padding : padding + width] = batch.tokens[row]
        positions[row, :, padding : padding + width] = batch.positions[row] + padding * counts_padding
    moved = torch.tensor(paddings)
    context = torch.where(batch.mask.context > 0, batch.mask.context + moved, 0)
    mask = AttentionMask.prefix(context, moved)
    return Batch(tokens=tokens, targets=tokens, weights=torch.zeros(tokens.shape), positions=positions, mask=mask)
