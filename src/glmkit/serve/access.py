"""One line of JSON in the log for each request, and an id that the reply carries, too.

{"time": "2026-11-29T10:00:00.123Z", "id": "9f3c...", "client": "127.0.0.1", "owner": "alice", "method": "POST", "path":
 "/v1/chat/completions", "status": 200, "seconds": 1.31, "model": "chatglm3-6b", "prompt_tokens": 17, ...}

What is asked and answered is never in it, unless it was asked for (`log_prompts`).
"""

import logging
import re
import time
import uuid
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glmkit.core.strict_json import dumps

LOG = logging.getLogger("glmkit.serve")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = frozenset({"/health", "/ready", "/metrics", "/load"})  # asked every few seconds
CLOSED_BY_CLIENT = 499  # in the log alone: nobody is left to be answered


class AccessLog:
    """Gives every request an id (`scope["request_id"]`), its own if that is harmless, and writes its line. Handlers
    add to `scope["log"]`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope["log"] = {}
        status, began = CLOSED_BY_CLIENT, time.monotonic()

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = scope["request_id"]
                headers.setdefault("x-content-type-options", "nosniff")
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except Exception as error:
            scope["error"] = error
            raise
        finally:
            self._write(scope, status, time.monotonic() - began)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        error = scope.get("error")
        if scope["path"] in QUIET and status < 500 and error is None:
            return
        line = {
            "time": _now(),
            "id": scope["request_id"],
            "client": (scope.get("client") or ("",))[0],
            "owner": scope.get("owner", ""),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 4),
        }
        LOG.info(dumps(line | scope["log"]))
        if error is not None:
            LOG.error("request %s failed", scope["request_id"], exc_info=error)


class JsonLines(logging.Formatter):
    """Records as lines of JSON: those that are one already stay as they are."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if message.startswith("{"):
            return message
        table = {"time": _now(), "level": record.levelname.lower(), "message": message}
        return dumps(table | ({"traceback": self.formatException(record.exc_info)} if record.exc_info else {}))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
