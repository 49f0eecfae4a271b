"""The server as a process: it listens, loads, answers, and on a signal drains and stops."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from glmkit.core.errors import UserError
from glmkit.serve.access import LOG
from glmkit.serve.app import App
from glmkit.serve.protocol import with_deadline
from glmkit.serve.settings import ServeSettings

MAX_HEAD = 64 << 10  # bytes of a request's line and headers


class HTTPServer(uvicorn.Server):
    """uvicorn's server: the first signal lets running requests end, a second one stops at once."""

    def __init__(self, config: uvicorn.Config, app: App, on_start: Callable[[str], None] = lambda url: None) -> None:
        super().__init__(config)
        self.app, self._on_start = app, on_start
        self.socket = listening(app.settings)
        self.port = int(self.socket.getsockname()[1])
        app.on_failure = self._fail

    def _fail(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([self.socket])
        settings = self.app.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._on_start(f"{settings.scheme}://{host}:{self.port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Drains, and stops; called again, stops at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        if self.app.service is not None:
            self.app.service.draining = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours while it runs. It ends by itself then: they are not raised again."""
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def listening(settings: ServeSettings) -> socket.socket:
    """A socket at the address of the settings. Raises UserError for one that cannot be listened at."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen at {settings.host}, port {settings.port}: {error.strerror or error}; give another --port "
            "or --host"
        ) from None
    return bound


def server_of(app: App, settings: ServeSettings, on_start: Callable[[str], None] = lambda url: None) -> HTTPServer:
    """The server of an application, ready to run."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=with_deadline(settings.receive_timeout),
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout)),
        h11_max_incomplete_event_size=MAX_HEAD,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_keyfile_password=settings.ssl_keyfile_password,
    )
    return HTTPServer(config, app, on_start)


def run(app: App, settings: ServeSettings, on_start: Callable[[str], None]) -> None:
    """Serves until a signal. Raises what kept the models from being loaded, UserError for an address that is in use."""
    server = server_of(app, settings, on_start)
    with server.capture_signals():
        try:
            asyncio.run(server._serve())
        finally:
            if app.service is not None:  # a thread that still computes while the process ends would crash it
                app.service.engine.stop()
    if app.failure is not None:
        raise app.failure
    LOG.info('{"event": "stopped"}')
