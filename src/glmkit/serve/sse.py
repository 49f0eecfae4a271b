"""Replies that are written while they are read: server-sent events, as clients of OpenAI's API take them.

data: {"id": ...}          one line of JSON and an empty line; neither `event:` nor `id:`, nor CR
: ping                     a comment, where nothing was said for a while
data: [DONE]               the end; after an error there is none

/v1/responses alone names its events, and has no [DONE].
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glmkit.core.json_types import JsonObject
from glmkit.core.strict_json import dumps
from glmkit.serve.errors import ApiError, as_api_error

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-store",
    "x-accel-buffering": "no",
}
Events = AsyncGenerator[JsonObject | None, None]  # None where there was nothing to say for a while


class EventStream(Response):
    """The events of a generator as they come. What goes wrong before the first of them is a reply of its own; later it
    is the last event. The generator is closed as soon as the reader goes away, or takes nothing for `stall` seconds."""

    END = "data: [DONE]\n\n"

    def __init__(self, events: Events, *, stall: float, headers: Mapping[str, str] | None = None) -> None:
        self.events, self.stall = events, stall
        self._unread_since: float | None = None  # when what is being sent was handed over
        super().__init__(headers=HEADERS | dict(headers or {}))
        del self.headers["content-length"]

    def line(self, event: JsonObject) -> str:
        """An event as it is sent."""
        return f"data: {_json(event)}\n\n"

    def fault(self, error: ApiError) -> str:
        """The last event, where something went wrong."""
        return self.line(error.table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.ensure_future(self._write(scope, receive, send))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            while not (writing.done() or gone.done()):
                await asyncio.wait([writing, gone], timeout=self.stall / 2, return_when=asyncio.FIRST_COMPLETED)
                if self._unread_since is not None and time.monotonic() - self._unread_since > self.stall:
                    scope["log"]["stalled"] = True
                    return  # and the connection is closed, since the reply is not complete
            if writing.done():
                writing.result()
        finally:
            for task in (writing, gone):
                task.cancel()
            await asyncio.gather(writing, gone, return_exceptions=True)
            await self.events.aclose()

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def say(line: str) -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            self._unread_since = time.monotonic()
            await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
            self._unread_since = None

        try:
            async for event in self.events:
                await say(": ping\n\n" if event is None else self.line(event))
            await say(self.END)
        except Exception as error:  # noqa: BLE001 (its last event says so)
            answer = as_api_error(error)
            if answer.status == 500:
                scope["error"] = error
            if not started:
                await answer.response(scope, receive, send)
                return
            scope["log"]["error"] = answer.message
            await say(self.fault(answer))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _json(event: JsonObject) -> str:
    """An event as JSON; nearly all hold finite numbers alone, and need not be looked through."""
    try:
        return json.dumps(event, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return dumps(event)


async def disconnected(receive: Receive) -> None:
    """Waits until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
