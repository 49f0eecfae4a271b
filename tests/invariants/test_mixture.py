"""Several corpora in one run: each is read by epochs of its own, in its share, and every example has an address."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.core.types import Example
from glmkit.data.chunks import ExampleSource, cut
from glmkit.data.loader import pretraining_steps
from glmkit.data.mixture import MixtureSource, shares_of
from glmkit.data.shards import Shards
from glmkit.data.steps import StepSource
from glmkit.infill.corruption import TokenBlanks, Vocabulary
from glmkit.infill.position_schemes import TwoChannel


@pytest.fixture(scope="module")
def parts(shards: Shards, vocabulary: Vocabulary) -> tuple[ExampleSource, ...]:
    """Three corpora of different sizes and lengths, cut from the documents of one."""
    results: list[ExampleSource] = []
    for documents, seq_length in ((np.arange(0, 70), 40), (np.arange(70, 75), 16), (np.arange(75, 118), 24)):
        source = ExampleSource(
            shards=shards,
            table=cut(shards.lengths, shards.prompts, documents, seq_length),
            opening=(vocabulary.special.begin,),
            vocabulary=vocabulary,
            objective=TokenBlanks(),
            position_scheme=TwoChannel(),
            seed=3,
            first=sum(map(len, results)),
        )
        results.append(source)
    return tuple(results)


def mixed(parts: tuple[ExampleSource, ...], shares: tuple[float, ...], seed: int = 3) -> MixtureSource:
    return MixtureSource(parts=parts, names=tuple("abc"[: len(parts)]), shares=shares, seed=seed)


def as_lists(one: Example) -> list[object]:
    return [*(array.tolist() for array in (one.tokens, one.targets, one.weights, one.positions)), one.context]


SHARES = st.lists(st.floats(0.02, 1.0), min_size=3, max_size=3).map(lambda s: tuple(one / sum(s) for one in s))


@settings(max_examples=20)
@given(shares=SHARES, seed=st.integers(0, 9))
def test_each_corpus_is_read_in_epochs_of_its_own(
    parts: tuple[ExampleSource, ...], shares: tuple[float, ...], seed: int
) -> None:
    source = mixed(parts, shares, seed)
    visits = [tuple(key) for epoch in range(4) for key in source.order(epoch).tolist()]
    assert len(set(visits)) == len(visits), "an address is read once"
    for part in parts:
        mine = [key for key in visits if part.first <= key[1] < part.first + len(part)]
        own = ((epoch, part.first + int(index)) for epoch in itertools.count() for index in part.order(epoch))
        assert mine == list(itertools.islice(own, len(mine)))


@settings(max_examples=20)
@given(shares=SHARES)
def test_shares_are_of_the_tokens(parts: tuple[ExampleSource, ...], shares: tuple[float, ...]) -> None:
    source = mixed(parts, shares)
    assert sum(source.quotas) == len(source.order(0)) >= len(source)
    tokens = [quota * part.lengths.mean() for quota, part in zip(source.quotas, parts, strict=True)]
    slack = 2 * max(part.lengths.mean() for part in parts) / sum(tokens)
    for share, count in zip(shares, tokens, strict=True):
        assert count / sum(tokens) == pytest.approx(share, abs=slack)


def test_by_size_every_corpus_is_read_once_an_epoch(parts: tuple[ExampleSource, ...]) -> None:
    sizes = [int(part.lengths.sum()) for part in parts]
    source = mixed(parts, tuple(shares_of([None] * 3, sizes)))
    assert source.quotas == tuple(map(len, parts))
    assert sorted(source.order(5).tolist()) == [[5, index] for index in range(len(source))]


def test_one_corpus_is_what_it_is_alone(parts: tuple[ExampleSource, ...]) -> None:
    alone = parts[0]
    source = mixed(parts[:1], (1.0,))
    for epoch in range(3):
        assert source.order(epoch).tolist() == [[epoch, index] for index in alone.order(epoch).tolist()]
    keys = [(1, 5), (0, 2)]
    assert [as_lists(one) for one in source(keys)] == [as_lists(one) for one in alone(keys)]


def test_an_example_depends_on_its_address_alone(parts: tuple[ExampleSource, ...]) -> None:
    source = mixed(parts, (0.2, 0.5, 0.3))
    keys = [(epoch, index) for epoch in (0, 2) for index in (0, len(parts[0]), len(parts[0]) + 1, len(source) - 1)]
    together = [as_lists(one) for one in source(keys)]
    other = mixed(tuple(replace(part) for part in parts), (0.7, 0.2, 0.1), seed=3)
    assert [as_lists(other([key])[0]) for key in reversed(keys)][::-1] == together
    assert together[:4] != together[4:], "another reading draws other blanks"


def test_resuming_goes_on_identically_and_epochs_are_counted(parts: tuple[ExampleSource, ...]) -> None:
    def steps(state: dict[str, object] | None = None) -> StepSource:
        return pretraining_steps(mixed(parts, (0.2, 0.5, 0.3)), rows=4, micro_rows=4, seq_length=40, state=state)

    whole = list(itertools.islice(steps(), 60))
    read = dict.fromkeys("abc", 0)
    for number, step in enumerate(whole):
        for _, index in step.examples:
            read["abc"[sum(index >= part.first for part in parts) - 1]] += 1
        counted = {name: count / len(part) for (name, count), part in zip(read.items(), parts, strict=True)}
        assert step.epochs == pytest.approx(counted)
        if number % 17 == 0:
            again = list(itertools.islice(steps(json.loads(json.dumps(step.state))), 3))
            assert [one.examples for one in again] == [one.examples for one in whole[number + 1 : number + 4]]
    assert whole[-1].epochs["b"] > 1, "the small corpus was read more than once"


def test_shares_that_are_not_given_are_what_is_left() -> None:
    assert shares_of([0.7, None], [10, 90]) == pytest.approx([0.7, 0.3])
    assert shares_of([None, 0.4, None], [30, 5, 10]) == pytest.approx([0.45, 0.4, 0.15])
    assert shares_of([None, None], [30, 10]) == pytest.approx([0.75, 0.25])
    assert shares_of([3.0, 1.0], [1, 1]) == pytest.approx([0.75, 0.25])
    with pytest.raises(UserError, match=r"leave nothing for data\.1: give data\.1\.weight"):
        shares_of([1.0, None], [1, 1])


def test_a_piece_says_where_it_comes_from(parts: tuple[ExampleSource, ...], prepared: Path) -> None:
    source = mixed(parts, (0.2, 0.5, 0.3))
    for part in parts:
        document, start, stop = part.table.row(2)
        assert source.origin(part.first + 2) == f"{prepared}, document {document}, tokens {start} to {stop - 1}"
