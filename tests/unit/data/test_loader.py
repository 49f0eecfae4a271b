"""What the loader refuses, and that it stops when nobody reads on."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.data.chunks import ChunkTable, ExampleSource, cut
from glmkit.data.loader import pretraining_steps
from glmkit.data.shards import Shards
from glmkit.data.steps import micro_batches, refuse_idle
from glmkit.infill.corruption import TokenBlanks, Vocabulary
from glmkit.infill.position_schemes import TwoChannel


@pytest.fixture
def source(shards: Shards, vocabulary: Vocabulary) -> ExampleSource:
    return ExampleSource(
        shards=shards,
        table=cut(shards.lengths, shards.prompts, np.arange(10), 40),
        opening=(vocabulary.special.begin,),
        vocabulary=vocabulary,
        objective=TokenBlanks(),
        position_scheme=TwoChannel(),
        seed=0,
    )


@given(rows=st.integers(1, 40), micro_rows=st.integers(1, 12), world=st.integers(1, 6))
def test_rows_are_dealt_to_processes_by_number_of_their_micro_batch(rows: int, micro_rows: int, world: int) -> None:
    """Micro-batch m is computed by process m mod world; all have as many, some of them without rows."""
    step = [[(0, row)] for row in range(rows)]
    shares = [micro_batches(step, micro_rows, rank, world) for rank in range(world)]
    (rounds,) = {len(share) for share in shares}
    dealt = [shares[number % world][number // world] for number in range(rounds * world)]
    assert [row for batch in dealt for row in batch] == step
    assert max(map(len, dealt)) <= micro_rows
    if micro_rows * world <= rows:
        assert all(map(any, shares))


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(UserError, match="batch_size 2 is less than the 3 processes: raise it, or start fewer"):
        refuse_idle(2, 3)
    refuse_idle(3, 3)


def test_too_little_text_is_refused(source: ExampleSource) -> None:
    pieces = len(source)
    message = rf"hold {pieces} chunks of text, cut from 10 documents, fewer than the {pieces + 1} rows of a batch"
    with pytest.raises(UserError, match=message):
        pretraining_steps(source, rows=pieces + 1, micro_rows=pieces + 1, seq_length=40)


def test_its_thread_ends_with_the_reading(source: ExampleSource) -> None:
    steps = iter(pretraining_steps(source, rows=4, micro_rows=4, seq_length=40))
    assert len(list(itertools.islice(steps, 3))) == 3
    assert any(thread.name.startswith("glmkit-data") for thread in threading.enumerate())
    steps.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("glmkit-data") for thread in threading.enumerate())


def test_an_error_in_the_thread_reaches_the_reader(source: ExampleSource, shards: Shards) -> None:
    beyond = ChunkTable(np.array([len(shards)]), np.array([0]), np.array([5]))  # a document that is not there
    broken = ExampleSource(
        shards=shards,
        table=beyond,
        opening=source.opening,
        vocabulary=source.vocabulary,
        objective=source.objective,
        position_scheme=source.position_scheme,
        seed=0,
    )
    with pytest.raises(IndexError):
        next(iter(pretraining_steps(broken, rows=1, micro_rows=1, seq_length=40)))
