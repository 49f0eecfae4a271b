"""Which example is read when: every piece once an epoch, whatever the rows, the processes and the interruptions."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.types import Batch
from glmkit.data.chunks import ExampleSource, cut
from glmkit.data.loader import one_pass, pretraining_steps
from glmkit.data.packing import Plan
from glmkit.data.shards import Shards
from glmkit.data.steps import Step, StepSource
from glmkit.infill.corruption import SentenceBlanks, TokenBlanks, Vocabulary
from glmkit.infill.position_schemes import TwoChannel

Key = tuple[int, int]


def order(pieces: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(epoch).permutation(pieces)


def read_so_far(plan: Plan, pieces: int) -> Counter[Key]:
    """All keys of the epochs that are over, and of this one up to the cursor."""
    keys = [(epoch, index) for epoch in range(plan.epoch) for index in range(pieces)]
    return Counter(keys + [(plan.epoch, int(index)) for index in order(pieces, plan.epoch)[: plan.cursor]])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    seq_length = draw(st.integers(4, 20))
    lengths = np.array(draw(st.lists(st.integers(2, seq_length), min_size=1, max_size=25)))
    return Plan(lengths, lambda epoch: order(len(lengths), epoch), draw(st.integers(1, 6)), seq_length)


@given(plan=plans(), steps=st.integers(1, 12))
def test_every_piece_of_an_epoch_is_planned_exactly_once(plan: Plan, steps: int) -> None:
    planned: Counter[Key] = Counter()
    for _ in range(steps):
        waited = plan.waiting
        rows = plan.next()
        assert len(rows) == plan.rows
        for row in rows:
            assert row, "no row is empty"
            assert sum(int(plan.lengths[index]) for _, index in row) <= plan.seq_length
        step = Counter(key for row in rows for key in row)
        assert all(step[key] == 1 for key in waited), "no piece waits twice"
        planned += step
        assert planned + Counter(plan.waiting) == read_so_far(plan, len(plan.lengths))


@given(plan=plans(), steps=st.integers(0, 8))
def test_a_plan_goes_on_from_its_state(plan: Plan, steps: int) -> None:
    for _ in range(steps):
        plan.next()
    state = json.loads(json.dumps(plan.state))
    waiting = [(epoch, index) for epoch, index in state["waiting"]]
    again = Plan(
        plan.lengths,
        plan.order,
        plan.rows,
        plan.seq_length,
        epoch=state["epoch"],
        cursor=state["cursor"],
        waiting=waiting,
    )
    for _ in range(4):
        assert again.next() == plan.next()
        assert again.state == plan.state


@pytest.fixture(scope="module")
def source(shards: Shards, vocabulary: Vocabulary) -> ExampleSource:
    return ExampleSource(
        shards=shards,
        table=cut(shards.lengths, shards.prompts, np.arange(len(shards)), 40),
        opening=(vocabulary.special.begin,),
        vocabulary=vocabulary,
        objective=TokenBlanks(),
        position_scheme=TwoChannel(),
        seed=3,
    )


def loader(source: ExampleSource, rows: int, micro_rows: int, **options: object) -> StepSource:
    return pretraining_steps(source, rows=rows, micro_rows=micro_rows, seq_length=40, **options)  # type: ignore[arg-type]


def take(steps: StepSource, count: int) -> list[Step]:
    return list(itertools.islice(steps, count))


def rows_of(batches: list[Batch]) -> Iterator[tuple[object, ...]]:
    """The rows of micro-batches without their padding, which depends on the company a row is in."""
    for batch in batches:
        for row in range(len(batch.tokens)):
            segments = None if batch.mask.segments is None else batch.mask.segments[row]
            length = int((batch.tokens[row] != 0).sum())  # the padding is id 0, which no text holds
            yield (
                batch.tokens[row, :length].tolist(),
                batch.targets[row, :length].tolist(),
                batch.weights[row, :length].tolist(),
                batch.positions[row, :, :length].tolist(),
                int(batch.mask.context[row]),
                [1] * length if segments is None else segments[:length].tolist(),
            )


@settings(max_examples=15)
@given(micro_rows=st.integers(1, 6), micro_batches=st.integers(1, 3))
def test_an_epoch_of_steps_reads_every_piece_exactly_once(
    source: ExampleSource, micro_rows: int, micro_batches: int
) -> None:
    seen: Counter[Key] = Counter()
    for step in loader(source, micro_rows * micro_batches, micro_rows):
        assert [len(batch.tokens) for batch in step.batches] == [micro_rows] * micro_batches
        assert step.tokens == int(source.table.lengths[[index for _, index in step.examples]].sum())
        seen += Counter(step.examples)
        if step.state["epoch"] == 2 and not any(epoch == 0 for epoch, _ in step.state["waiting"]):
            break
    of_epoch = {epoch: sorted(index for e, index in seen.elements() if e == epoch) for epoch in (0, 1)}
    waiting = [index for epoch, index in step.state["waiting"] if epoch == 1]
    assert of_epoch[0] == list(range(len(source)))
    assert sorted(of_epoch[1] + waiting) == list(range(len(source)))


@pytest.mark.parametrize(("rows", "micro_rows"), [(8, 2), (8, 4), (12, 3)])
def test_processes_and_micro_batches_share_the_same_rows(source: ExampleSource, rows: int, micro_rows: int) -> None:
    whole = take(loader(source, rows, rows), 6)
    cut_up = take(loader(source, rows, micro_rows), 6)
    first = take(loader(source, rows, micro_rows, rank=0, world=2), 6)
    second = take(loader(source, rows, micro_rows, rank=1, world=2), 6)
    for one, micro, left, right in zip(whole, cut_up, first, second, strict=True):
        rows_alone = list(rows_of(one.batches))
        assert list(rows_of(micro.batches)) == rows_alone
        assert sorted(map(str, [*rows_of(left.batches), *rows_of(right.batches)])) == sorted(map(str, rows_alone))
        assert sorted(left.examples + right.examples) == sorted(one.examples)
        assert left.tokens + right.tokens == one.tokens == micro.tokens
        assert one.state == micro.state == left.state == right.state


def test_the_rows_of_each_process_are_those_its_docstring_draws(source: ExampleSource) -> None:
    (whole,) = take(loader(source, 8, 8), 1)
    alone = list(rows_of(whole.batches))
    for rank, wanted in ((0, [[0, 1], [4, 5]]), (1, [[2, 3], [6, 7]])):
        (step,) = take(loader(source, 8, 2, rank=rank, world=2), 1)
        results = [list(rows_of([micro])) for micro in step.batches]
        assert results == [[alone[row] for row in micro] for micro in wanted]


def same(one: Step, other: Step) -> bool:
    tensors = ("tokens", "targets", "weights", "positions")
    return (
        one.examples == other.examples
        and one.tokens == other.tokens
        and one.state == other.state
        and all(
            torch.equal(getattr(a, name), getattr(b, name))
            for a, b in zip(one.batches, other.batches, strict=True)
            for name in tensors
        )
    )


def test_resuming_from_any_step_goes_on_identically(source: ExampleSource) -> None:
    steps = take(loader(source, 16, 8), 40)  # more than an epoch
    assert steps[-1].state["epoch"] > 0
    assert any(step.state["waiting"] for step in steps)
    for done in range(0, 38, 3):
        state = json.loads(json.dumps(steps[done].state))
        resumed = take(loader(source, 16, 8, state=state), 2)
        assert all(same(*pair) for pair in zip(resumed, steps[done + 1 : done + 3], strict=True)), done


@settings(max_examples=15)
@given(rows=st.integers(1, 9), limit=st.one_of(st.none(), st.integers(0, 400)))
def test_one_pass_reads_the_first_examples_once_and_in_order(
    source: ExampleSource, rows: int, limit: int | None
) -> None:
    sentences = replace(source, objective=SentenceBlanks())
    batches = list(one_pass(sentences, rows=rows, seq_length=40, limit=limit))
    wanted = sentences((0, index) for index in range(len(source) if limit is None else min(limit, len(source))))
    assert all(1 <= len(batch.tokens) <= rows for batch in batches)
    assert sum(float(batch.weights.sum()) for batch in batches) == sum(float(one.weights.sum()) for one in wanted)
    results = [row for batch in batches for row in split_rows(batch)]
    assert results == [one.tokens.tolist() for one in wanted]


def split_rows(batch: Batch) -> Iterator[list[int]]:
    """The tokens of each example of a packed batch."""
    for tokens, *_, segments in rows_of([batch]):
        assert isinstance(tokens, list)
        assert isinstance(segments, list)
        for number in range(1, max(segments) + 1):
            yield [token for token, segment in zip(tokens, segments, strict=True) if segment == number]
