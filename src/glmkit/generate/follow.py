"""Driving the engine from where its tokens are wanted: whoever waits for one takes the next step for all.

So several streams that are read in turn, or in threads, are written together.
"""

from collections.abc import Callable, Generator, Sequence
from itertools import islice

from torch import Tensor

from glmkit.generate.request import ReadGroup, Request, SequenceGroup
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Token
from glmkit.objective.read_request import ReadRequest, unwatched


def follow(scheduler: Scheduler, request: Request) -> Generator[tuple[SequenceGroup, Token], None, None]:
    """The tokens of a request as they come. Its place is free again when the iterator is closed."""
    with scheduler.lock:
        group = scheduler.add(request)
    try:
        while not group.finished or group.inbox:
            while group.inbox:
                yield group, group.inbox.popleft()
            _advance(scheduler, group)
        if group.error is not None:
            raise group.error
    finally:
        with scheduler.lock:
            scheduler.cancel(group)


def run(scheduler: Scheduler, requests: Sequence[Request]) -> list[SequenceGroup]:
    """All requests to their ends; the tokens of each are in the `inbox` of its group. The longest prompts begin, so
    that the last to end are short."""
    groups: dict[int, SequenceGroup] = {}
    try:
        with scheduler.lock:
            for place in sorted(range(len(requests)), key=lambda place: -len(requests[place].prompt)):
                groups[place] = scheduler.add(requests[place])
        for group in groups.values():
            while not group.finished:
                _step(scheduler)
            if group.error is not None:
                raise group.error
    finally:
        with scheduler.lock:
            for group in groups.values():
                scheduler.cancel(group)
    return [groups[place] for place in range(len(requests))]


def read(
    scheduler: Scheduler,
    requests: Sequence[ReadRequest],
    on_done: Callable[[int], None] = unwatched,
    most: int | None = None,
) -> list[Tensor]:
    """The result of each request that only reads, `most` of them in the engine at a time; the longest go first, those
    alike next to each other. Raises what the first that fails fails with."""
    order = iter(sorted(range(len(requests)), key=lambda number: -len(requests[number].tokens)))
    at_work: dict[int, ReadGroup] = {}
    results: dict[int, Tensor] = {}
    try:
        while len(results) < len(requests):
            with scheduler.lock:
                for number in islice(order, (most or 2 * scheduler.max_rows) - len(at_work)):
                    at_work[number] = scheduler.add(requests[number])
                _step(scheduler)
            done = {number: group for number, group in at_work.items() if group.finished}
            for number, group in done.items():
                if group.error is not None:
                    raise group.error
                assert group.result is not None, "a read was cancelled"
                results[number] = group.result
                del at_work[number]
            if done:
                on_done(len(done))
    finally:
        with scheduler.lock:
            for group in at_work.values():
                scheduler.cancel(group)
    return [results[number] for number in range(len(requests))]


def _advance(scheduler: Scheduler, group: SequenceGroup) -> None:
    """Takes a step, unless another thread has taken one for the group meanwhile."""
    with scheduler.lock:
        if not group.inbox and not group.finished:
            _step(scheduler)


def _step(scheduler: Scheduler) -> None:
    with scheduler.lock:
        for group, token in scheduler.step():
            group.inbox.append(token)
