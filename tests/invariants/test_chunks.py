"""Cutting keeps every token that can be predicted, and an example depends on (seed, epoch, index) alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.types import Example
from glmkit.data.chunks import ChunkTable, ExampleSource, cut, cut_short, split_validation
from glmkit.data.shards import Shards
from glmkit.infill.corruption import (
    DocumentBlank,
    LeftToRight,
    MaskedLM,
    Mixture,
    SentenceBlanks,
    TokenBlanks,
    Vocabulary,
)
from glmkit.infill.position_schemes import TwoChannel

from .strategies import OBJECTIVES

EVERYTHING = Mixture(
    ((1, TokenBlanks()), (1, SentenceBlanks()), (1, DocumentBlank()), (1, MaskedLM()), (1, LeftToRight()))
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of documents, each at least one token of text after its prompt, and the lengths of the prompts."""
    sizes = st.tuples(st.one_of(st.just(0), st.integers(0, 60)), st.integers(1, 90))
    drawn = draw(st.lists(sizes, min_size=1, max_size=6))
    return np.array([prompt + text for prompt, text in drawn]), np.array([prompt for prompt, _ in drawn])


def ranges(table: ChunkTable, document: int) -> list[tuple[int, int]]:
    mine = table.documents == document
    return list(zip(table.starts[mine].tolist(), table.stops[mine].tolist(), strict=True))


def blankable(chunk: tuple[int, int], prompt: int) -> bool:
    """Whether some token of the chunk is neither its last nor part of the prompt."""
    return any(index >= prompt for index in range(chunk[0], chunk[1] - 1))


@given(drawn=documents(), seq_length=st.integers(8, 40))
def test_pieces_cover_each_document_to_its_end_exactly_once(
    drawn: tuple[np.ndarray, np.ndarray], seq_length: int
) -> None:
    lengths, prompts = drawn
    table = cut(lengths, np.zeros_like(prompts), np.arange(len(lengths)), seq_length)
    for document, length in enumerate(lengths.tolist()):
        chunks = ranges(table, document)
        assert [start for start, _ in chunks] == [0, *(stop for _, stop in chunks[:-1])]
        assert chunks[-1][1] == length + 1, "the end token counts as one"
        assert len(chunks) == -(-(length + 1) // (seq_length - 1)), "no more chunks than it takes"
        sizes = [stop - start for start, stop in chunks]
        assert max(sizes) - min(sizes) <= 1, "as equal as can be"
    assert table.lengths.max() <= seq_length


@given(drawn=documents(), seq_length=st.integers(8, 40))
def test_pieces_with_nothing_to_blank_are_left_out_and_no_others(
    drawn: tuple[np.ndarray, np.ndarray], seq_length: int
) -> None:
    lengths, prompts = drawn
    everything = cut(lengths, np.zeros_like(prompts), np.arange(len(lengths)), seq_length)
    table = cut(lengths, prompts, np.arange(len(lengths)), seq_length)
    for document, prompt in enumerate(prompts.tolist()):
        wanted = [chunk for chunk in ranges(everything, document) if blankable(chunk, prompt)]
        assert ranges(table, document) == wanted


@given(drawn=documents(), seq_length=st.integers(8, 40), data=st.data())
def test_only_the_documents_asked_for_are_cut(
    drawn: tuple[np.ndarray, np.ndarray], seq_length: int, data: st.DataObject
) -> None:
    lengths, prompts = drawn
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), unique=True, min_size=1).map(sorted))
    table = cut(lengths, prompts, np.array(chosen), seq_length)
    everything = cut(lengths, prompts, np.arange(len(lengths)), seq_length)
    assert set(table.documents.tolist()) <= set(chosen)
    for document in chosen:
        assert ranges(table, document) == ranges(everything, document)


@given(
    drawn=documents(),
    seq_length=st.integers(8, 80),
    probability=st.sampled_from([0.0, 0.5, 1.0]),
    shortest=st.integers(4, 32),
    seed=st.integers(0, 99),
)
def test_cutting_short_loses_no_token_that_can_be_predicted(
    drawn: tuple[np.ndarray, np.ndarray], seq_length: int, probability: float, shortest: int, seed: int
) -> None:
    lengths, prompts = drawn
    table = cut(lengths, prompts, np.arange(len(lengths)), seq_length)
    short = cut_short(table, prompts, probability, shortest, seq_length, seed)
    for document, prompt in enumerate(prompts.tolist()):
        parts = ranges(short, document)
        for start, stop in ranges(table, document):
            mine = [part for part in parts if start <= part[0] < stop]
            left_out = mine[0][0] - start
            assert left_out == 0 or start + left_out <= prompt + 1, "only a prompt is left out"
            assert [part[0] for part in mine[1:]] == [part[1] for part in mine[:-1]]
            assert mine[-1][1] == stop
            smallest = min(shortest, seq_length - 1, stop - start)
            assert all(part[1] - part[0] >= smallest for part in mine)
            if probability == 0:
                assert mine == [(start, stop)]
        assert all(blankable(part, prompt) for part in parts)


@given(count=st.integers(2, 300), share=st.floats(0.001, 0.999), seed=st.integers(-3, 99))
def test_heldout_documents_are_a_share_of_their_own(count: int, share: float, seed: int) -> None:
    training, kept = split_validation(count, share, seed)
    assert sorted([*training.tolist(), *kept.tolist()]) == list(range(count))
    assert len(training) >= 1
    assert len(kept) >= 1
    assert abs(len(kept) - share * count) <= 1
    again = split_validation(count, share, seed)
    assert (training.tolist(), kept.tolist()) == (again[0].tolist(), again[1].tolist())


@pytest.fixture(scope="module")
def source(shards: Shards, vocabulary: Vocabulary) -> ExampleSource:
    return ExampleSource(
        shards=shards,
        table=cut(shards.lengths, shards.prompts, np.arange(len(shards)), 48),
        opening=(vocabulary.special.begin,),
        vocabulary=vocabulary,
        objective=EVERYTHING,
        position_scheme=TwoChannel(),
        seed=7,
    )


def as_lists(one: Example) -> list[object]:
    arrays = (one.tokens, one.targets, one.weights, one.positions)
    return [*(array.tolist() for array in arrays), one.context]


@given(data=st.data())
def test_an_example_depends_on_seed_epoch_and_index_alone(source: ExampleSource, data: st.DataObject) -> None:
    key = st.tuples(st.integers(0, 3), st.integers(0, len(source) - 1))
    keys = data.draw(st.lists(key, min_size=1, max_size=12))
    together = [as_lists(one) for one in source(keys)]
    shuffled = data.draw(st.permutations(range(len(keys))))
    assert [as_lists(one) for one in source(keys[i] for i in shuffled)] == [together[i] for i in shuffled]
    fresh = replace(source)  # draws from a generator of its own
    assert [as_lists(fresh([one])[0]) for one in keys] == together


def test_seed_and_epoch_change_the_examples(source: ExampleSource) -> None:
    keys = [(0, index) for index in range(40)]
    first = [as_lists(one) for one in source(keys)]
    assert first != [as_lists(one) for one in source((1, index) for _, index in keys)]
    assert first != [as_lists(one) for one in replace(source, seed=8)(keys)]
    assert first != [as_lists(one) for one in replace(source, seed=-7)(keys)]


@given(epoch=st.integers(0, 50), seed=st.integers(-5, 50))
def test_an_epoch_visits_every_piece_once(source: ExampleSource, epoch: int, seed: int) -> None:
    order = replace(source, seed=seed).order(epoch)
    assert sorted(order.tolist()) == list(range(len(source)))


def test_epochs_and_seeds_have_orders_of_their_own(source: ExampleSource) -> None:
    orders = [replace(source, seed=seed).order(epoch).tolist() for seed in (0, 1, -1) for epoch in (0, 1)]
    assert all(orders.count(order) == 1 for order in orders)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_piece_of_real_data_gives_an_example(source: ExampleSource, shards: Shards, name: str) -> None:
    for seq_length in (8, 16, 48):
        table = cut(shards.lengths, shards.prompts, np.arange(len(shards)), seq_length)
        short = cut_short(table, shards.prompts, 0.5, 4, seq_length, seed=0)
        for chunks in (table, short):
            one_epoch = replace(source, table=chunks, objective=OBJECTIVES[name])
            built = one_epoch((0, index) for index in range(len(chunks)))
            assert all(one.weights.sum() >= 1 for one in built)


def test_a_piece_is_its_part_of_the_document_between_cls_and_end(source: ExampleSource, shards: Shards) -> None:
    special = source.vocabulary.special
    for index in range(len(source)):
        document, start, stop = source.table.row(index)
        whole = [*shards.read(document, 0, int(shards.lengths[document])).tolist(), special.eod]
        chunk = source.chunk(index)
        assert chunk.tokens.tolist() == [special.cls, *whole[start:stop]]
        assert chunk.complete == (stop == len(whole))
        prompt = whole[: shards.prompts[document]][start:stop]
        assert chunk.first == 1 + len(prompt)
