"""What all endpoints share: the models, the engine, and how much of it each may take."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.types import Scope

from glmkit.core.json_types import JsonObject
from glmkit.serve.engine_thread import EngineThread, Event, Inbox, Ticket
from glmkit.serve.errors import NOT_AGAIN, ApiError, as_api_error, busy, unavailable
from glmkit.serve.fields import Fields
from glmkit.serve.metrics import Metrics
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.settings import ServeSettings

T = TypeVar("T")
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

    async def run(self, owner: str, job: Callable[[], T]) -> T:
        """What `job` returns, which runs in the engine's thread between two steps."""
        self.enqueue(owner, 1)
        try:
            async with asyncio.timeout(self.settings.queue_timeout):
                return await self.engine.run(job)
        except TimeoutError:
            self.metrics.refused("queue_timeout")
            raise self._nothing_free() from None
        finally:
            self.dequeue()
            self._leave(owner, 1)

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

    def _nothing_free(self) -> ApiError:
        message = f"nothing became free within {self.settings.queue_timeout:g} seconds"
        return busy(message, self._seconds(self.waiting))

    def _late(self, waiting: bool) -> ApiError:
        if waiting:
            self.metrics.refused("queue_timeout")
            return self._nothing_free()
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

    async def run(self, job: Callable[[], T]) -> T:
        """What `job` returns, run where the models are. Raises ApiError for what it raises."""
        try:
            return await self.service.run(self.owner, job)
        except Exception as error:  # noqa: BLE001 (raised again)
            raise (error if (answer := as_api_error(error)).status == 500 else answer) from None

    async def text_work(self, work: Callable[[], T], size: int) -> T:
        """What `work` on a text of so many characters returns; elsewhere where it would hold up others."""
        return work() if size < 20_000 else await asyncio.to_thread(work)
