"""Requests that begin alike are read as one, and each gets the numbers that it gets alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glmkit.generate.follow import read
from glmkit.generate.scheduler import Scheduler
from glmkit.objective.choices import ScoringRequest, of_choices
from glmkit.objective.read_padded import read_padded
from glmkit.objective.read_request import LabelScores, ReadRequest
from glmkit.objective.shared_prefix import MAX_TOKENS, MIN_SHARED, share_prefixes
from glmkit.testing import MODEL_TOLERANCE, tiny

SHOTS = [7 + number % 50 for number in range(60)]


def request(name: str, context: list[int], *answers: list[int]) -> ReadRequest:
    """log p of answers behind a context, which an architecture with blanks reads from left to right."""
    model = tiny(name)
    scored = model.prompt_format.scored(context, both_ways=False)
    scoring = ScoringRequest(
        context=scored.context, blank=scored.blank, forced_prefix=scored.forced_prefix, answers=answers
    )
    return of_choices(model.position_scheme, model.tokenizer.special, scoring)


def requests_of(name: str, seed: int = 0) -> list[ReadRequest]:
    rng = np.random.default_rng(seed)
    rows = [[*SHOTS[: rng.integers(1, 60)], *rng.integers(60, 250, rng.integers(1, 9))] for _ in range(12)]
    rows += [[*SHOTS, *rng.integers(60, 250, rng.integers(1, 30))] for _ in range(6)]
    lengths = rng.integers(1, 5, (len(rows), 2))
    return [
        request(name, [int(id) for id in row], *(rng.integers(60, 250, size).tolist() for size in sizes))
        for row, sizes in zip(rows, lengths, strict=True)
    ]


@pytest.mark.parametrize("name", ["chatglm2", "glm", "chatglm"])
def test_what_is_shared_changes_no_number(name: str) -> None:
    model, requests = tiny(name), requests_of(name)
    shared = share_prefixes(requests)
    assert sorted(number for one in shared for number in one.numbers) == list(range(len(requests)))
    assert sum(len(one.request.tokens) for one in shared) < 0.7 * sum(len(one.tokens) for one in requests)
    pad = model.tokenizer.special.pad
    expected = read_padded(model.module, pad, requests)
    together = [one.request for one in shared]
    for results in (read_padded(model.module, pad, together), read(Scheduler(model.module), together)):
        split = dict(pair for one, result in zip(shared, results, strict=True) for pair in one.results(result))
        for number, alone in enumerate(expected):
            torch.testing.assert_close(split[number], alone, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


def test_tasks_share_and_count_every_row_and_a_server_shares_nothing() -> None:
    model, requests = tiny("chatglm2"), requests_of("chatglm2")
    served = model._reading_by(model.reader)
    assert model.scorer.shares_prefixes
    assert not served.scorer.shares_prefixes
    counted: list[int] = []
    together, alone = model.scorer.read(requests, counted.append), served.scorer.read(requests)
    assert sum(counted) == len(requests)
    tokens = model.scheduler.stats.prompt_tokens
    assert tokens < 1.7 * sum(len(one.tokens) for one in requests)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


def test_the_drawing_of_the_module() -> None:
    ids = list(range(10, 10 + MIN_SHARED))
    one = request("chatglm2", [*ids, 100, 101], [1, 2, 3], [4, 5])
    two = request("chatglm2", [*ids, 200, 201, 202], [1, 6])
    (shared,) = share_prefixes([one, two])
    begin = MIN_SHARED + 2  # [gMASK] sop; 101, the last of a context, is read before each of its answers
    assert shared.request.tokens[:begin].tolist() == one.tokens[:begin].tolist()
    assert shared.request.tokens[begin:].tolist() == [100, 101, 1, 2, 100, 101, 4, 200, 201, 202, 1]
    assert np.bincount(shared.request.segments).tolist() == [begin, 4, 3, 4]
    assert (shared.request.places - begin).tolist() == [1, 2, 3, 5, 6, 9, 10]
    assert shared.request.reduce.targets.tolist() == [1, 2, 3, 4, 5, 1, 6]
    assert (list(shared.numbers), list(shared.sizes)) == ([0, 1], [5, 2])


def test_what_may_not_be_shared_is_not() -> None:
    both = request("chatglm2", [*SHOTS, 100], [1], [2]), request("chatglm2", [*SHOTS, 200], [1], [2])
    assert len(share_prefixes(both)) == 1
    for changes in (
        {"context": 5},
        {"owner": "another"},
        {"reduce": LabelScores([1, 2])},
        {"hidden": True, "reduce": None},
        {"places": np.array([3])},
        {"positions": both[1].positions + 1},
    ):
        assert len(share_prefixes([both[0], replace(both[1], **changes)])) == 2
    wide = [replace(one, context=len(SHOTS)) for one in both]  # all that is seen both ways is shared
    assert len(share_prefixes(wide)) == 1
    wider = [replace(one, context=len(one.tokens) - 1) for one in both]
    assert len(share_prefixes(wider)) == 2
    few = [request("chatglm2", [1, 2, 3, number], [1]) for number in (4, 5)]
    assert len(share_prefixes(few)) == 2
    assert share_prefixes([]) == []


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 300)), max_size=30))
def test_never_more_is_read_than_without(rows: list[tuple[int, int]]) -> None:
    requests = [request("chatglm2", [*SHOTS[:shots], *range(60, 60 + own)], [1], [2]) for shots, own in rows]
    shared = share_prefixes(requests)
    assert sorted(number for one in shared for number in one.numbers) == list(range(len(requests)))
    assert sum(len(one.request.tokens) for one in shared) <= sum(len(one.tokens) for one in requests)
    assert all(len(one.request.tokens) <= MAX_TOKENS + len(SHOTS) + 400 for one in shared)
