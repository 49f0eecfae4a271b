"""The one thread that owns the models. Everything else asks it by a queue, and hears from it on the event loop.

event loop     submit, cancel, run  ... commands ...  engine thread   add, cancel, one job, a step of each scheduler
event loop     inbox.get()          ... one call a step ...           tokens, ends

A request that fails says so in its own inbox. A step that fails ends all that its scheduler was writing, with an error,
and the thread goes on with a new scheduler.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from glmkit.generate.request import ReadGroup, Request, SequenceGroup
from glmkit.generate.scheduler import Scheduler, Stats
from glmkit.generate.sequence import Token
from glmkit.objective.read_request import ReadRequest
from glmkit.serve.access import LOG
from glmkit.serve.errors import unavailable
from glmkit.serve.watch import Watch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """What the engine says of the request `number` of an inbox: that it is read (`token` None, not `ended`), a token
    with the text that became certain by it, or its end."""

    number: int
    token: Token | None = None
    text: str = ""
    ended: bool = False
    error: Exception | None = None


class Inbox:
    """What the engine has said of the requests of one client's request, in order; read on the event loop."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, events: list[Event]) -> None:
        self._events.extend(events)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self, timeout: float) -> list[Event]:
        """All that was said since, or nothing after so many seconds of silence."""
        if not self._events:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            alarm = loop.call_later(timeout, self._wake)
            try:
                await self._waiter
            finally:
                alarm.cancel()
        events = [*self._events]
        self._events.clear()
        return events


@dataclass(eq=False)
class Ticket:
    """One request to `model`, which `engine` writes. `group` is there once it was taken; its times are the engine's."""

    model: str
    engine: str
    request: Request
    watch: Watch
    inbox: Inbox
    number: int
    group: SequenceGroup | None = None
    started: bool = False
    cancelled: bool = False
    arrived: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)  # of the step at hand


@dataclass(eq=False)
class ReadTicket:
    """One request that `engine` only reads."""

    engine: str
    request: ReadRequest
    inbox: Inbox
    number: int
    group: ReadGroup | None = None
    started: bool = False
    cancelled: bool = False
    events: list[Event] = field(default_factory=list)


AnyTicket = Ticket | ReadTicket


class EngineThread:
    """Runs the schedulers of some models, by name, made by `schedulers` inside the thread.

    `stats` are those after the last step; reading them waits for nobody. `on_step` is called with the model and the
    number of tokens of each step.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_step: Callable[[str, int], None]) -> None:
        self._loop, self._on_step = loop, on_step
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs: deque[Callable[[], None]] = deque()
        self._makers: dict[str, Callable[[], Scheduler]] = {}
        self._schedulers: dict[str, Scheduler] = {}
        self._tickets: dict[tuple[str, int], AnyTicket] = {}  # by engine and number of the group
        self._stopped = False
        self.stats: Mapping[str, Stats] = {}
        self._thread = threading.Thread(target=self._run, name="glmkit-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ends the thread after the step at hand, and whatever was being written with an error."""
        self._commands.put(self._stop)
        self._thread.join(timeout)

    def add_model(self, name: str, scheduler: Callable[[], Scheduler]) -> None:
        """To be called inside the thread, by a job: from now on requests may name the model."""
        self._makers[name], self._schedulers[name] = scheduler, scheduler()

    def submit(self, ticket: AnyTicket) -> None:
        self._commands.put(lambda: self._add(ticket))

    def cancel(self, ticket: AnyTicket) -> None:
        """Frees the place of a request before the next step; nothing more is said of it."""
        if not ticket.cancelled:
            ticket.cancelled = True
            self._commands.put(lambda: self._cancel(ticket))

    async def run(self, job: Callable[[], T]) -> T:
        """What `job` returns, which runs in the thread between two steps. One that is cancelled before does not run."""
        future: asyncio.Future[T] = self._loop.create_future()
        waiting = True

        def settle(result: T | None, error: BaseException | None) -> None:
            if not future.done():
                if error is None:
                    future.set_result(result)  # type: ignore[arg-type]
                else:
                    future.set_exception(error)

        def work() -> None:
            if not waiting:
                return
            result, fault = None, None
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 (raised where it was asked for)
                fault = error
            self._call(lambda: settle(result, fault))

        self._commands.put(lambda: self._jobs.append(work))
        try:
            return await future
        finally:
            waiting = False

    def _call(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed: nobody waits
            self._stopped = True

    def _run(self) -> None:
        while not self._stopped:
            self._obey()
            if self._jobs:
                self._jobs.popleft()()
            for name, scheduler in [*self._schedulers.items()]:
                if scheduler.has_work:
                    self._step(name, scheduler)
            self.stats = {name: scheduler.stats for name, scheduler in self._schedulers.items()}
        for ticket in [*self._tickets.values()]:
            self._end(ticket, unavailable("the server is stopping"))
        self._deliver([*self._tickets.values()])

    def _obey(self) -> None:
        """All commands that are there; where there is nothing else to do it waits for one."""
        idle = not self._jobs and not any(scheduler.has_work for scheduler in self._schedulers.values())
        try:
            while True:
                self._commands.get(block=idle)()
                idle = False
        except queue.Empty:
            pass

    def _stop(self) -> None:
        self._stopped = True

    def _add(self, ticket: AnyTicket) -> None:
        if ticket.cancelled:
            return
        try:
            scheduler = self._schedulers[ticket.engine]
            if isinstance(ticket, ReadTicket):
                ticket.group = scheduler.add(ticket.request)
            else:
                ticket.group = scheduler.add(ticket.request)
        except Exception as error:  # noqa: BLE001 (the request's own fault)
            ticket.events.append(Event(ticket.number, ended=True, error=error))
            self._deliver([ticket])
            return
        self._tickets[ticket.engine, ticket.group.id] = ticket

    def _cancel(self, ticket: AnyTicket) -> None:
        if ticket.group is not None and self._tickets.pop((ticket.engine, ticket.group.id), None) is not None:
            self._schedulers[ticket.engine].cancel(ticket.group)

    def _step(self, name: str, scheduler: Scheduler) -> None:
        tickets = {number: ticket for (model, number), ticket in self._tickets.items() if model == name}
        before = _tokens(scheduler.stats)
        try:
            tokens = scheduler.step()
        except Exception as error:  # noqa: BLE001 (all that it concerns end with it)
            LOG.exception("a step of %s failed; what it was writing ends with an error", name)
            self._schedulers[name] = self._makers[name]()
            for ticket in tickets.values():
                self._end(ticket, error)
            self._deliver([*tickets.values()])
            return
        self._on_step(name, _tokens(scheduler.stats) - before)
        for group, token in tokens:
            written = tickets.get(group.id)
            if isinstance(written, Ticket):
                written.events.append(Event(written.number, token, written.watch.take(token)))
        for ticket in tickets.values():
            assert ticket.group is not None
            if not ticket.started and ticket.group.started_at is not None:
                ticket.started = True
                ticket.events.insert(0, Event(ticket.number))
            if ticket.group.finished:
                self._end(ticket, ticket.group.error)
        self._deliver([ticket for ticket in tickets.values() if ticket.events])

    def _end(self, ticket: AnyTicket, error: Exception | None) -> None:
        ticket.events.append(Event(ticket.number, ended=True, error=error))
        if ticket.group is not None:
            self._tickets.pop((ticket.engine, ticket.group.id), None)

    def _deliver(self, tickets: list[AnyTicket]) -> None:
        """What was said of some requests, in one call of the loop."""
        said = [(ticket.inbox, ticket.events) for ticket in tickets]
        for ticket in tickets:
            ticket.events = []

        def put() -> None:
            for inbox, events in said:
                inbox.put(events)

        if said:
            self._call(put)


def _tokens(stats: Stats) -> int:
    return stats.prompt_tokens + stats.generation_tokens
