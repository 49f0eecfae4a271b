"""What is only read goes beside what is written: the numbers are those it has alone, and nobody waits for it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from glmkit.generate.follow import read, run
from glmkit.generate.request import Request
from glmkit.generate.sampling import Greedy
from glmkit.generate.scheduler import CHUNK_BESIDE, Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import write
from glmkit.objective.read_padded import read_padded
from glmkit.objective.read_request import ReadRequest, TargetScores
from glmkit.testing import MODEL_TOLERANCE

from .test_scheduler import SMALL, config_of

FAMILIES = ["glm", "chatglm", "chatglm2", "prefix"]


def config_writing(family: str, tokens: int) -> DecodeConfig:
    """Of sequences that write so many tokens."""
    return replace(config_of(family), max_tokens=tokens, min_tokens=tokens)


def texts(config: DecodeConfig, lengths: list[int]) -> list[ReadRequest]:
    """Contexts with three answers of a tenth of their length side by side."""
    requests, channels = [], config.position_scheme.channels
    for seed, length in enumerate(lengths):
        rng, answer = np.random.default_rng(seed), max(1, length // 10)
        total = length + 3 * answer
        requests.append(
            ReadRequest(
                tokens=rng.integers(0, SMALL, total),
                positions=np.tile(np.arange(total) % 200, (channels, 1)),
                context=length if channels == 2 else 0,
                segments=np.repeat(np.arange(4), [length, answer, answer, answer]),
                places=np.arange(length, total),
                reduce=TargetScores(rng.integers(0, SMALL, total - length)),
            )
        )
    return requests


def streams(config: DecodeConfig) -> list[Request]:
    prompts = [[1, 2, number, config.special.gmask] for number in range(3)]
    return [Request(config=config, prompt=prompt, strategy=Greedy()) for prompt in prompts]


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_read_beside_streams_as_alone(family: str) -> None:
    config = config_writing(family, 30)
    scheduler, requests = Scheduler(config.model), texts(config, [5, 300, 5, 40, 5, 90])
    written = [scheduler.add(one) for one in streams(config)]
    first = scheduler.step()
    reads = [scheduler.add(request) for request in requests]
    for group, token in first:
        group.inbox.append(token)
    while scheduler.has_work:
        for group, token in scheduler.step():
            group.inbox.append(token)
    expected = read_padded(config.model, config.special.pad, requests)
    for one, result in zip(reads, expected, strict=True):
        assert one.result is not None
        torch.testing.assert_close(one.result, result, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)
    for group in written:
        alone = [token.id for (token,) in write(config, [group.request.prompt], Greedy())]
        assert [token.id for token in group.inbox] == alone


def test_a_long_text_holds_no_stream_up_longer_than_a_chunk() -> None:
    config = config_writing("chatglm2", 300)
    scheduler = Scheduler(config.model)
    stream = scheduler.add(streams(config)[0])
    scheduler.step()
    (request,) = texts(config, [900])
    group, steps = scheduler.add(request), 0
    while not group.finished:
        before = scheduler.stats.prompt_tokens
        assert stream in [one for one, _ in scheduler.step()]
        assert scheduler.stats.prompt_tokens - before <= CHUNK_BESIDE
        steps += 1
    assert steps >= len(request.tokens) / CHUNK_BESIDE


def test_what_fails_or_is_cancelled_ends_alone() -> None:
    def fails(logits: Tensor, which: slice) -> Tensor:
        raise ValueError("not these numbers")

    config = config_writing("glm", 20)
    scheduler, requests = Scheduler(config.model), texts(config, [30, 31, 32, 200])
    stream = scheduler.add(streams(config)[0])
    bad, good, gone, long = (scheduler.add(request) for request in (replace(requests[0], reduce=fails), *requests[1:]))
    scheduler.cancel(gone)
    while scheduler.has_work:
        scheduler.step()
    assert isinstance(bad.error, ValueError)
    assert (good.error, gone.error, long.error, stream.error) == (None, None, None, None)
    assert gone.result is None
    expected = read_padded(config.model, config.special.pad, [requests[1], requests[3]])
    for one, result in zip((good, long), expected, strict=True):
        assert one.result is not None
        torch.testing.assert_close(one.result, result, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)
    assert scheduler.stats.cache_bytes_used == 0
    with pytest.raises(ValueError, match="not these numbers"):
        read(scheduler, [requests[1], replace(requests[0], reduce=fails)])
    assert not scheduler.has_work


@pytest.mark.parametrize("family", ["chatglm2", "glm"])
def test_deterministic_reads_do_not_depend_on_their_neighbors(family: str) -> None:
    config = config_writing(family, 5)
    requests = texts(config, [5, 70, 12, 400])
    alone = [read(Scheduler(config.model, deterministic=True), [request])[0] for request in requests]
    together = read(Scheduler(config.model, deterministic=True), requests)
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
    scheduler = Scheduler(config.model, deterministic=True)
    groups = [scheduler.add(request) for request in requests]
    run(scheduler, streams(config))
    while scheduler.has_work:
        scheduler.step()
    assert all(
        torch.equal(one, group.result) for one, group in zip(alone, groups, strict=True) if group.result is not None
    )


def test_reads_count_what_is_done_and_keep_to_the_most_at_a_time() -> None:
    config = config_of("glm")
    counted: list[int] = []
    requests = texts(config, [9] * 7)
    results = read(Scheduler(config.model), requests, counted.append, 2)
    assert sum(counted) == len(results) == 7
    assert max(counted) <= 2
    assert read(Scheduler(config.model), []) == []
