"""An endpoint: the body read and its fields checked, the handler stopped when its client goes away."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import Kind
from glmkit.core.strict_json import parse
from glmkit.serve.errors import ApiError, bad_request
from glmkit.serve.fields import read_fields
from glmkit.serve.service import Call, Service
from glmkit.serve.sse import disconnected

Handler = Callable[[Call], Awaitable[Response]]
_LARGE = 256 << 10  # bytes of JSON that are read elsewhere, so that others are not held up


class Endpoint:
    """Serves POST requests by a handler: ASGI."""

    def __init__(
        self, service: Service, handler: Handler, schema: Mapping[str, Kind], required: Sequence[str] = ()
    ) -> None:
        self.service, self.handler, self.schema, self.required = service, handler, schema, required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = Headers(scope=scope).get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":  # which a page of another origin cannot send without asking
            message = "the body must be JSON: send Content-Type: application/json"
            raise ApiError(415, message, headers={"connection": "close"})
        self.service.check_ready()
        body = await read_body(receive)
        if body is None:
            return
        fields = read_fields(await read_json(body), self.schema, self.required)
        handling = asyncio.ensure_future(self.handler(Call(self.service, fields, scope)))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait([handling, gone], return_when=asyncio.FIRST_COMPLETED)
            if not handling.done():
                return
            response = handling.result()
        finally:
            for task in (handling, gone):
                task.cancel()
            await asyncio.gather(handling, gone, return_exceptions=True)
        response.headers.update(fields.headers)
        await response(scope, receive, send)


async def read_body(receive: Receive) -> bytes | None:
    """All of a request's body; None when its client has gone away."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def read_json(body: bytes) -> JsonObject:
    """The object that a body holds. Raises ApiError saying where it is none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is not UTF-8: {error.reason} at byte {error.start}", code="invalid_json") from None
    if not text.strip():
        raise bad_request("the body is empty: send a JSON object", code="invalid_json")
    try:
        table = parse(text) if len(body) < _LARGE else await asyncio.to_thread(parse, text)
    except ValueError as error:
        raise bad_request(f"the body cannot be read: {error}", code="invalid_json") from None
    if not isinstance(table, dict):
        raise bad_request(f"the body must be a JSON object, got {short(table)}", code="invalid_json")
    return table
