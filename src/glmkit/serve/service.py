"""What all endpoints share: the models, the engine, and how much of it each may take."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from starlette.types import Scope
from torch import Tensor

from glmkit.api import Model
from glmkit.core.json_types import JsonObject
from glmkit.objective.read_request import ReadRequest, unwatched
from glmkit.serve.engine_thread import EngineThread, Event, Inbox, ReadTicket, Ticket
from glmkit.serve.errors import NOT_AGAIN, ApiError, as_api_error, busy, unavailable
from glmkit.serve.fields import Fields
from glmkit.serve.metrics import Metrics
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.settings import ServeSettings

T = TypeVar("T")
_AT_ONCE = 32  # reads of one client's request in the engine
MAX_RETRY_AFTER = 60  # seconds; OpenAI's clients do not wait much longer


@dataclass
class Loading:
    """The model that is being loaded, and the share of its bytes that are read."""

    model: str
    share: float = 0.0


class Service:
    """The models and the engine. `models` is empty while they are loaded; `draining` once the server is to stop."""

    def __init__(self, settings: ServeSettings, engine: EngineThread, metrics: Metrics) -> None:
        self.settings, self.engine, self.metrics = settings, engine, metrics
        self.models = Models()
        self.loading: Loading | None = None
        self.draining = False
        self.waiting = 0  # requests that the engine has not begun
        self._waited_since, self._dequeued = 0.0, 0  # since when some wait, and how many of them do no longer
        self.by_owner: Counter[str] = Counter()
        self.created = int(time.time())
        self.readers = ThreadPoolExecutor(64, "glmkit-read")  # each waits for the engine most of its time

    def check_ready(self) -> None:
        """Raises ApiError (503) while nothing can be answered."""
        if self.draining:
            self.metrics.refused("draining")
            raise unavailable("the server is stopping", 5)
        if not self.models.models:
            share = "" if self.loading is None else f" ({self.loading.share:.0%} of {self.loading.model})"
            raise unavailable(f"the model is being loaded{share}; try again in a moment", 5)

    def enqueue(self, owner: str, count: int) -> None:
        """Takes `count` places in the queue. Raises ApiError (429) when there are not as many."""
        settings = self.settings
        if (lacking := self.waiting + count - settings.max_waiting) > 0:
            self.metrics.refused("queue_full")
            message = f"{self.waiting} requests are waiting already, {settings.max_waiting} may; try again in a moment"
            raise busy(message, self._seconds(lacking))
        if (lacking := self.by_owner[owner] + count - settings.max_per_key) > 0:
            self.metrics.refused("key_limit")
            message = f"{self.by_owner[owner]} requests of yours are being answered, {settings.max_per_key} may be"
            raise busy(message, self._seconds(lacking))
        if not self.waiting:
            self._waited_since, self._dequeued = time.monotonic(), 0
        self.waiting += count
        self.by_owner[owner] += count

    def dequeue(self, count: int = 1) -> None:
        """Gives back places in the queue."""
        self.waiting -= count
        self._dequeued += count

    def _seconds(self, places: int) -> int:
        """How long it takes until so many places are free, as fast as they were while some have waited."""
        if not self.waiting:
            return 1
        seconds = places * (time.monotonic() - self._waited_since) / max(1, self._dequeued)
        return min(max(1, round(seconds)), MAX_RETRY_AFTER)

    def _leave(self, owner: str, count: int) -> None:
        self.by_owner[owner] -= count
        if not self.by_owner[owner]:
            del self.by_owner[owner]

    async def read(self, owner: str, served: ServedModel, requests: Sequence[ReadRequest]) -> list[Tensor]:
        """The result of each request, which the engine reads a few at a time; they are one request of the client's.
        Raises ApiError where they wait or take too long."""
        self.enqueue(owner, 1)
        inbox, began, waiting = Inbox(), time.monotonic(), True
        named = (replace(request, owner=owner, adapter=served.adapter) for request in requests)
        tickets = (ReadTicket(served.engine, one, inbox, number) for number, one in enumerate(named))
        running: dict[int, ReadTicket] = {}
        results: dict[int, Tensor] = {}
        try:
            while len(results) < len(requests):
                for ticket in islice(tickets, _AT_ONCE - len(running)):
                    running[ticket.number] = ticket
                    self.engine.submit(ticket)
                limit = self.settings.queue_timeout if waiting else self.settings.request_timeout
                if (left := began + limit - time.monotonic()) <= 0:
                    raise self._late(waiting)
                for event in await inbox.get(left):
                    if waiting:
                        waiting = False
                        self.dequeue()
                    if event.error is not None:
                        raise event.error
                    if event.ended:
                        group = running.pop(event.number).group
                        assert group is not None
                        assert group.result is not None
                        results[event.number] = group.result
        finally:
            self.dequeue(int(waiting))
            self._leave(owner, 1)
            for ticket in running.values():
                self.engine.cancel(ticket)
        return [results[number] for number in range(len(requests))]

    async def follow(self, owner: str, tickets: Sequence[Ticket]) -> AsyncGenerator[Event | None, None]:
        """All that the engine says of some requests, and None where it says nothing for a while; they are cancelled
        when it is closed. Raises ApiError for a request that fails, waits or takes too long."""
        self.enqueue(owner, len(tickets))
        inbox, settings, began = tickets[0].inbox, self.settings, time.monotonic()
        unbegun, running = {ticket.number for ticket in tickets}, {ticket.number: ticket for ticket in tickets}
        for ticket in tickets:
            self.engine.submit(ticket)
        try:
            while running:
                passed = time.monotonic() - began
                left = settings.request_timeout - passed
                if unbegun:
                    left = min(left, settings.queue_timeout - passed)
                if left <= 0:
                    raise self._late(bool(unbegun))
                events = await inbox.get(min(left, settings.ping_interval))
                if not events and left > settings.ping_interval:
                    yield None
                for event in events:
                    if event.number in unbegun:
                        unbegun.remove(event.number)
                        self.dequeue()
                    if event.error is not None:
                        raise event.error
                    if event.token is not None:
                        self.metrics.token(running[event.number], event.token)
                    if event.ended:
                        self.metrics.ended(running.pop(event.number))
                    yield event
        finally:
            self.dequeue(len(unbegun))
            self._leave(owner, len(tickets))
            for ticket in running.values():
                self.engine.cancel(ticket)
                self.metrics.aborted(ticket)

    def _late(self, waiting: bool) -> ApiError:
        if waiting:
            self.metrics.refused("queue_timeout")
            message = f"nothing became free within {self.settings.queue_timeout:g} seconds"
            return busy(message, self._seconds(self.waiting))
        self.metrics.refused("request_timeout")
        message = f"the reply took more than {self.settings.request_timeout:g} seconds"
        return ApiError(408, message, code="timeout", headers=NOT_AGAIN)


@dataclass
class Call:
    """A client's request at its endpoint: its fields, whose it is, and what its line in the log says."""

    service: Service
    fields: Fields
    scope: Scope
    inbox: Inbox = field(default_factory=Inbox)

    @property
    def owner(self) -> str:
        return str(self.scope["owner"])

    @property
    def log(self) -> JsonObject:
        log: JsonObject = self.scope["log"]
        return log

    def served(self) -> ServedModel:
        """The model it asks."""
        served = self.service.models.find(self.fields.get("model"))
        self.log["model"] = served.name
        return served

    async def read(self, served: ServedModel, work: Callable[[Model], T]) -> T:
        """What `work` returns, in a thread of its own; the model it is given reads by the engine, beside all else.
        Raises ApiError for what it raises."""
        loop = asyncio.get_running_loop()
        at_work: list[Future[list[Tensor]]] = []
        gone = False

        def reader(
            requests: Sequence[ReadRequest], on_done: Callable[[int], None] = unwatched, most: int | None = None
        ) -> list[Tensor]:
            if gone:
                raise CancelledError
            at_work.append(asyncio.run_coroutine_threadsafe(self.service.read(self.owner, served, requests), loop))
            return at_work[-1].result()

        try:
            return await loop.run_in_executor(self.service.readers, work, served.model._reading_by(reader))
        except Exception as error:  # noqa: BLE001 (raised again)
            raise (error if (answer := as_api_error(error)).status == 500 else answer) from None
        finally:
            gone = True
            for one in at_work:
                one.cancel()

    async def text_work(self, work: Callable[[], T], size: int) -> T:
        """What `work` on a text of so many characters returns; elsewhere where it would hold up others."""
        return work() if size < 20_000 else await asyncio.to_thread(work)
