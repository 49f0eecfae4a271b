"""What every objective keeps, for any piece of text with a token to blank."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.infill.corruption import Chunk, MaskedLM, Objective, SentenceBlanks, write_out
from glmkit.infill.layout import Blanked, Layout, blank_layouts, suffix_layout
from glmkit.infill.spans import sentence_spans

from ..reference.layout import as_written, rebuild, write_blanks, write_suffix
from ..reference.spans import placement_faults, sentences
from .strategies import BLANKS, FIRST_TEXT, OBJECTIVES, SIZE, SPECIAL, VOCABULARY, generators, pieces


def laid_out(objective: Objective, piece: Chunk, rng: np.random.Generator) -> Layout:
    return write_out([objective(piece, VOCABULARY, rng)], SPECIAL)[0]


@pytest.mark.parametrize("name", OBJECTIVES)
@given(piece=pieces(), rng=generators())
def test_any_piece_gives_an_example_with_something_to_predict(
    name: str, piece: Chunk, rng: np.random.Generator
) -> None:
    layout = laid_out(OBJECTIVES[name], piece, rng)
    size = len(layout.tokens)
    assert layout.weights.sum() >= 1
    assert all(
        len(array) == size for array in (layout.targets, layout.weights, layout.position_ids, layout.block_position_ids)
    )
    assert 0 <= layout.context <= size
    assert layout.tokens.dtype == layout.targets.dtype == np.int64
    assert layout.weights.dtype == np.float32


@pytest.mark.parametrize("name", BLANKS)
@given(piece=pieces(), rng=generators())
def test_blanks_and_context_rebuild_the_document(name: str, piece: Chunk, rng: np.random.Generator) -> None:
    assert rebuild(laid_out(BLANKS[name], piece, rng), SPECIAL) == piece.tokens.tolist()


@pytest.mark.parametrize("name", BLANKS)
@given(piece=pieces(), rng=generators())
def test_weights_lie_on_part_b_and_nowhere_else(name: str, piece: Chunk, rng: np.random.Generator) -> None:
    layout = laid_out(BLANKS[name], piece, rng)
    assert not layout.weights[: layout.context].any()
    assert (layout.weights[layout.context :] == 1).all()


@pytest.mark.parametrize("name", BLANKS)
@given(piece=pieces(), rng=generators())
def test_no_span_leaves_its_room(name: str, piece: Chunk, rng: np.random.Generator) -> None:
    drawn = BLANKS[name](piece, VOCABULARY, rng)
    end = len(piece.tokens) - 1
    if isinstance(drawn, Layout):  # a suffix takes the last token too, since nothing stands behind it
        assert piece.first < drawn.context - 1 <= end, "a token is left to start from, one at least is predicted"
        return
    if isinstance(BLANKS[name], SentenceBlanks):
        # Sentences may touch, and one may stop where the text was cut.
        faults = placement_faults(drawn.spans.tolist(), piece.first, end + (not piece.complete), apart=0)
    else:
        faults = placement_faults(drawn.spans.tolist(), piece.first, end)
    assert faults == []
    assert sorted(drawn.order.tolist()) == list(range(len(drawn.spans)))


@given(piece=pieces(), rng=generators())
def test_sentence_blanks_are_whole_sentences(piece: Chunk, rng: np.random.Generator) -> None:
    drawn = SentenceBlanks()(piece, VOCABULARY, rng)
    end = len(piece.tokens) - piece.complete
    ends = VOCABULARY.sentence_ends[piece.tokens].tolist()
    known = sentences(ends, piece.first, end, piece.complete) or [(piece.first, end)]
    assert {tuple(span) for span in drawn.spans.tolist()} <= set(known)


@given(data=st.data(), complete=st.booleans())
def test_sentences_are_those_of_the_definition(data: st.DataObject, complete: bool) -> None:
    ends = data.draw(st.lists(st.booleans(), min_size=1, max_size=30))
    begin = data.draw(st.integers(0, len(ends) - 1))
    end = data.draw(st.integers(begin + 1, len(ends)))
    result = sentence_spans(np.array(ends), begin, end, complete)
    assert [tuple(span) for span in result.tolist()] == sentences(ends, begin, end, complete)


@given(piece=pieces(), rng=generators())
def test_masked_lm_predicts_the_text_in_place(piece: Chunk, rng: np.random.Generator) -> None:
    layout = laid_out(MaskedLM(ratio=0.5), piece, rng)
    room = slice(piece.first, len(piece.tokens) - 1)
    kept = layout.weights == 0
    assert layout.targets.tolist() == piece.tokens.tolist()
    assert (layout.tokens == piece.tokens)[kept].all()
    assert layout.weights[room].sum() == layout.weights.sum() == max(1, layout.weights[room].sum())
    assert layout.context == len(piece.tokens), "everything is read both ways"


@given(piece=pieces(), rng=generators())
def test_left_to_right_predicts_everything_behind_the_prompt(piece: Chunk, rng: np.random.Generator) -> None:
    layout = laid_out(OBJECTIVES["left_to_right"], piece, rng)
    assert [*layout.tokens.tolist(), int(layout.targets[-1])] == piece.tokens.tolist()
    assert layout.targets[:-1].tolist() == layout.tokens[1:].tolist()
    assert layout.weights.tolist() == [float(index >= piece.first) for index in range(1, len(piece.tokens))]
    assert layout.context == 0


@given(drawn=st.lists(st.tuples(pieces(30), st.sampled_from(sorted(OBJECTIVES)), generators()), min_size=1, max_size=8))
def test_layouts_written_together_are_those_written_alone_and_the_definition(
    drawn: list[tuple[Chunk, str, np.random.Generator]],
) -> None:
    blanks = [OBJECTIVES[name](chunk, VOCABULARY, rng) for chunk, name, rng in drawn]
    together = write_out(blanks, SPECIAL)
    for (chunk, _, _), blank, layout in zip(drawn, blanks, together, strict=True):
        (alone,) = write_out([blank], SPECIAL)
        assert as_written(alone) == as_written(layout)
        if isinstance(blank, Blanked):
            spans = [(start, stop) for start, stop in blank.spans.tolist()]
            assert as_written(layout) == write_blanks(
                chunk.tokens.tolist(),
                spans,
                blank.order.tolist(),
                blank.masks.tolist(),
                blank.starts.tolist(),
                SPECIAL.eop,
            )


@given(data=st.data(), size=st.integers(2, 40))
def test_layouts_of_any_spans_are_those_of_the_definition(data: st.DataObject, size: int) -> None:
    """Spans the objectives never draw count too: touching ones, and ones at the very edges."""
    text = data.draw(st.lists(st.integers(FIRST_TEXT, SIZE - 1), min_size=size, max_size=size))
    edges = data.draw(st.lists(st.integers(0, size), min_size=2, max_size=10, unique=True).map(sorted))
    spans = data.draw(st.lists(st.sampled_from(list(itertools.pairwise(edges))), min_size=1, unique=True).map(sorted))
    order = data.draw(st.permutations(range(len(spans))))
    masks, starts = SPECIAL.sentinels(len(spans))
    blank = Blanked(np.array(text), np.array(spans), np.array(order), np.array(masks), np.array(starts))
    layouts = blank_layouts([blank, blank], SPECIAL.eop)
    wanted = write_blanks(text, spans, order, masks, starts, SPECIAL.eop)
    assert [as_written(layout) for layout in layouts] == [wanted, wanted]


@given(piece=pieces(), data=st.data())
def test_suffixes_are_those_of_the_definition(piece: Chunk, data: st.DataObject) -> None:
    division = data.draw(st.integers(0, len(piece.tokens) - 1))
    layout = suffix_layout(piece.tokens, division, SPECIAL, piece.first)
    assert as_written(layout) == write_suffix(piece.tokens.tolist(), division, SPECIAL, piece.first)
