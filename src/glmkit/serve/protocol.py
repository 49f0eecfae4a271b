"""uvicorn's HTTP protocol with what it lacks: a deadline for a request to come in, and error objects for what is no
HTTP."""

import asyncio
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from glmkit.serve.errors import ApiError

RECEIVE_TIMEOUT = 60.0  # seconds; `with_deadline` makes a protocol with another


class DeadlineProtocol(H11Protocol):
    """A connection whose requests come in within `receive_timeout` seconds each, head and body, or are answered with
    408. Between two requests uvicorn's keep-alive holds."""

    receive_timeout = RECEIVE_TIMEOUT

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            self._arm()
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR):
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._disarm()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.receive_timeout, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and self.conn.their_state is not h11.IDLE:
            self._refuse(ApiError(408, f"the request did not come in within {self.receive_timeout:g} seconds"))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP: too long a head is 431."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        message = "the head of the request is too long" if status == 431 else "this is no HTTP request"
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(ApiError(status, message))
        self.transport.close()

    def _refuse(self, error: ApiError) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                return
            self.cycle.disconnected = True  # for whoever reads its body
            self.cycle.message_event.set()
        body = error.response.body
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        try:
            for event in (
                h11.Response(status_code=error.status, headers=headers),
                h11.Data(data=bytes(body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass


def with_deadline(seconds: float) -> type[DeadlineProtocol]:
    """The protocol with another deadline."""
    return type("DeadlineProtocol", (DeadlineProtocol,), {"receive_timeout": seconds})
