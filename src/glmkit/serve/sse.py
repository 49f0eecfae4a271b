"""Replies that are written while they are read: server-sent events, as clients of OpenAI's API take them.

data: {"id": ...}          one line of JSON and an empty line; neither `event:` nor `id:`, nor CR
: ping                     a comment, where nothing was said for a while
data: [DONE]               the end; after an error there is none
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glmkit.core.json_types import JsonObject
from glmkit.core.strict_json import dumps
from glmkit.serve.errors import as_api_error

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-store",
    "x-accel-buffering": "no",
}
Events = AsyncGenerator[JsonObject | None, None]  # None where there was nothing to say for a while


class Stalled(Exception):
    """A reader that left its stream unread for too long."""


class EventStream(Response):
    """The events of a generator as they come. What goes wrong before the first of them is a reply of its own; later it
    is the last event. The generator is closed as soon as the reader goes away, or takes nothing for `stall` seconds."""

    def __init__(self, events: Events, *, stall: float, headers: Mapping[str, str] | None = None) -> None:
        self.events, self.stall = events, stall
        super().__init__(headers=HEADERS | dict(headers or {}))
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.ensure_future(self._write(scope, receive, send))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait([writing, gone], return_when=asyncio.FIRST_COMPLETED)
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
            try:
                async with asyncio.timeout(self.stall):
                    await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
            except TimeoutError:
                scope["log"]["stalled"] = True
                raise Stalled(f"the reader took nothing for {self.stall:g} seconds") from None

        try:
            async for event in self.events:
                await say(": ping\n\n" if event is None else f"data: {dumps(event)}\n\n")
            await say("data: [DONE]\n\n")
        except Stalled:
            raise
        except Exception as error:  # noqa: BLE001 (all that a client may be told is told)
            answer = as_api_error(error)
            if answer.status == 500:
                scope["error"] = error
            if not started:
                await answer.response(scope, receive, send)
                return
            scope["log"]["error"] = answer.message
            await say(f"data: {dumps(answer.table)}\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def disconnected(receive: Receive) -> None:
    """Waits until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
