"""The server as an ASGI application: its routes, and what stands before them.

request -> AccessLog -> Origins -> Catch -> Guard -> Router -> Endpoint -> handler -> engine thread
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from glmkit.core.kinds import Kind
from glmkit.generate.scheduler import Scheduler
from glmkit.serve import info, openapi, score, tokens
from glmkit.serve.access import AccessLog
from glmkit.serve.chat import CHAT, chat_completions
from glmkit.serve.compat import API, api
from glmkit.serve.completions import COMPLETIONS, completions
from glmkit.serve.embeddings import EMBEDDINGS, embeddings
from glmkit.serve.endpoint import Endpoint, Handler
from glmkit.serve.engine_thread import EngineThread
from glmkit.serve.errors import ApiError, json_response
from glmkit.serve.guards import Catch, Guard, Origins
from glmkit.serve.infill import INFILL, infill
from glmkit.serve.layout import LAYOUT, layout
from glmkit.serve.metrics import Metrics
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.page import page
from glmkit.serve.page import responses as page_files
from glmkit.serve.responses import RESPONSES, responses
from glmkit.serve.service import Loading, Service
from glmkit.serve.settings import ServeSettings

PUBLIC = frozenset({"/", "/health", "/ready"})  # what is answered without a key
OnProgress = Callable[[str, float], None]
Load = Callable[[OnProgress], Models]  # run in the engine's thread; tells of its progress by model and share


class App:
    """Serves the models that `load` makes; calls `on_ready` with their names once they are there, or `on_failure`, and
    keeps the reason in `failure`."""

    def __init__(
        self,
        load: Load,
        settings: ServeSettings,
        scheduler: Callable[[ServedModel], Scheduler],
    ) -> None:
        self.load, self.settings, self.scheduler = load, settings, scheduler
        self.on_failure: Callable[[], None] = lambda: None
        self.on_ready: Callable[[list[str]], None] = lambda names: None
        self.failure: Exception | None = None
        self.metrics = Metrics(version("glmkit"))
        self.service: Service | None = None
        self._loading: asyncio.Task[None] | None = None
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            assert self._app is not None
            scope["path"] = re.sub("/+", "/", scope["path"]).rstrip("/") or "/"
            scope["app"] = self  # by which the router knows that its errors are answered here
            await self._app(scope, receive, send)
        else:  # a websocket: there is none
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def start(self) -> None:
        """Starts the engine's thread, and loads the models in it."""
        engine = EngineThread(asyncio.get_running_loop(), self.metrics.step)
        self.metrics.watch(lambda: engine.stats)
        self.service = Service(self.settings, engine, self.metrics)
        routes = routes_of(self.service)
        public = PUBLIC | {route.path for route in routes if isinstance(route.endpoint, Page)}
        self._app = AccessLog(Origins(Catch(Guard(_router(routes), self.settings, public)), self.settings))
        engine.start()
        self._loading = asyncio.get_running_loop().create_task(self._load(self.service))

    async def stop(self) -> None:
        """Ends what is being written, and the thread."""
        assert self.service is not None
        assert self._loading is not None
        self.service.draining = True
        self._loading.cancel()
        await asyncio.to_thread(self.service.engine.stop)

    async def _load(self, service: Service) -> None:
        def watch(model: str, share: float) -> None:
            service.loading = Loading(model, share)

        def work() -> Models:
            models = self.load(watch)
            for served in models.models.values():
                if served.together:
                    continue
                service.engine.add_model(served.name, partial(self.scheduler, served))
            return models

        try:
            service.models = await service.engine.run(work)
            service.loading = None
            self.on_ready(service.models.names)
        except Exception as error:  # noqa: BLE001 (whoever started the server says it)
            self.failure = error
            self.on_failure()


def routes_of(service: Service) -> list[Route]:
    """Every route of the server."""
    posts: dict[str, tuple[Handler, Mapping[str, Kind], Sequence[str]]] = {
        "/v1/chat/completions": (chat_completions, CHAT, ["messages"]),
        "/v1/responses": (responses, RESPONSES, ["input"]),
        "/v1/completions": (completions, COMPLETIONS, ["prompt"]),
        "/v1/embeddings": (embeddings, EMBEDDINGS, ["input"]),
        "/tokenize": (tokens.tokenize, tokens.TOKENIZE, []),
        "/detokenize": (tokens.detokenize, tokens.DETOKENIZE, ["tokens"]),
        "/infill": (infill, INFILL, []),
        "/score": (score.score, score.SCORE, ["choices"]),
        "/classify": (score.classify, score.CLASSIFY, ["input"]),
        "/logprobs": (score.logprobs, score.LOGPROBS, []),
        "/layout": (layout, LAYOUT, []),
    }
    if "chatglm" in service.settings.compat:
        posts["/"] = (api, API, ["prompt"])
    endpoints = [Route(path, Endpoint(service, *parts), methods=["POST"]) for path, parts in posts.items()]
    gets = [*info.routes(service), Route("/tokenizer_info", tokens.tokenizer_info(service), methods=["GET"])]
    page = [Route(path, Page(), methods=["GET"]) for path in (page_files() if service.settings.page else ())]
    routes = [*gets, *endpoints, *page, Route("/", _about, methods=["GET"])]
    described = openapi.document(routes, {"/tokenizer_info": tokens.TOKENIZER_INFO})

    async def published(request: object) -> Response:
        return json_response(described)

    return [*routes, Route("/openapi.json", published, methods=["GET"])]


class Page:
    """The files of the page: ASGI."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await page(scope, receive, send)


async def _about(request: object) -> Response:
    """What this is; the page, where there is one."""
    return json_response({"name": "glmkit", "version": version("glmkit"), "api": "/v1"})


def _router(routes: Sequence[Route]) -> ASGIApp:
    """Routes whose errors are error objects; OPTIONS is answered wherever there is one."""
    router = Router(routes, redirect_slashes=False)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        methods = {method for one in routes if one.matches(scope)[0] != Match.NONE for method in one.methods or ()}
        if not methods:
            raise ApiError(404, _elsewhere(scope["path"], routes), code="unknown_url")
        if scope["method"] == "OPTIONS":
            await Response(headers={"allow": ", ".join(sorted({*methods, "OPTIONS"}))})(scope, receive, send)
            return
        try:
            await router(scope, receive, send)
        except HTTPException as error:
            message = f"{scope['path']} takes {' or '.join(sorted(methods - {'HEAD'}))}, not {scope['method'][:20]}"
            raise ApiError(error.status_code, message, headers=error.headers) from None

    return route


def _elsewhere(path: str, routes: Sequence[Route]) -> str:
    """Why there is nothing at a path, and what may have been meant."""
    known = {one.path for one in routes}
    meant = next((other for other in (f"/v1{path}", path.removeprefix("/v1")) if other in known), "")
    return f"there is nothing at {path[:200]}" + (f"; it is at {meant}" if meant and meant != path else "")
