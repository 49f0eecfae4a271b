"""What stands before every request: is it meant for this server, may its page ask, whose key is it, how large is it.

Each guard is an ASGI application around another, outermost first: Origins (CORS), Guard (Host, Origin, key, body).
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glmkit.serve.errors import ApiError, as_api_error
from glmkit.serve.settings import ServeSettings

MAX_HEADERS = 128
_DISCARDED = 64 << 20  # bytes of a body too large that are still read, so that its sender sees the reply
_CLOSE = {"connection": "close"}
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(?::\d{1,5})?")
# What a browser may tell about itself, and an OpenAI client sends beside its key.
_ALLOWED_HEADERS = "authorization, content-type, x-api-key, x-request-id, idempotency-key"


class Origins:
    """CORS: nothing is added unless the request's origin is one of those that were allowed."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app, self.allowed = app, frozenset(settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        if not origin or not self.allowed & {origin, "*"}:
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            requested = headers.get("access-control-request-headers", _ALLOWED_HEADERS)
            if not re.fullmatch(r"[\w\-, ]{0,1000}", requested):
                requested = _ALLOWED_HEADERS
            answer = {
                "access-control-allow-origin": origin,
                "access-control-allow-methods": "GET, POST, OPTIONS",
                "access-control-allow-headers": requested,
                "access-control-max-age": "600",
                "vary": "Origin, Access-Control-Request-Headers",
            }
            await Response(status_code=204, headers=answer)(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer["access-control-allow-origin"] = origin
                answer["access-control-expose-headers"] = "x-request-id, retry-after, x-ignored-fields"
                answer.add_vary_header("Origin")
            await send(message)

        await self.app(scope, receive, sent)


class Guard:
    """Refuses what is not for this server, has no key, or is too large; names the owner of the key in
    scope["owner"]. `public` paths need no key to be looked at."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, public: frozenset[str]) -> None:
        self.app, self.settings, self.public = app, settings, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check_headers(scope, headers)
            public = scope["path"] in self.public and scope["method"] != "POST"
            scope["owner"] = "" if public else self.settings.keys.owner(headers)
            if scope["method"] == "POST":
                await self._check_body(headers, receive)
        except ApiError as error:
            await error.response(scope, receive, send)
            return
        limit, received = self.settings.max_body, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, counted, send)

    def _check_headers(self, scope: Scope, headers: Headers) -> None:
        if len(headers.raw) > MAX_HEADERS:
            raise ApiError(431, f"a request has at most {MAX_HEADERS} headers, this one {len(headers.raw)}")
        if not self._is_ours(headers.getlist("host")):
            raise ApiError(
                421,
                "this server is not asked under that Host; start it with --allowed-host NAME to be",
                code="unknown_host",
            )
        if not self._may_ask(headers):
            raise ApiError(
                403,
                "pages of that origin may not ask this server; start it with --allowed-origin ORIGIN to let them",
                code="unknown_origin",
            )

    def _is_ours(self, hosts: list[str]) -> bool:
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        names = self.settings.hosts
        return match is not None and ("*" in names or match["name"].strip("[]").lower() in names)

    def _may_ask(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from no page, from a page of ours, or from one that is allowed to ask."""
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        if {origin, "*"} & set(self.settings.allowed_origins):
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        except ValueError:
            return False

    async def _check_body(self, headers: Headers, receive: Receive) -> None:
        """Raises ApiError for a body that is compressed, or says that it is too large."""
        coding = headers.get("content-encoding", "identity").lower()
        if coding != "identity":
            raise ApiError(415, f"the body is compressed ({coding[:20]}): send it as it is", headers=_CLOSE)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.settings.max_body:
            if int(length) <= _DISCARDED and "expect" not in headers:
                while (await receive()).get("more_body"):
                    pass
            raise _too_large(self.settings.max_body)


def _too_large(limit: int) -> ApiError:
    message = f"the body has more than {limit:,} bytes; start the server with --max-body MIB to take larger ones"
    return ApiError(413, message, code="body_too_large", headers=_CLOSE)


class Catch:
    """What goes wrong inside becomes an error object, if nothing was sent yet."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except Exception as error:
            if started:
                raise
            if (answer := as_api_error(error)).status == 500:
                scope["error"] = error  # for the log
            await answer.response(scope, receive, send)
