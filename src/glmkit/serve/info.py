"""What the server says of itself: which models, how it is, what it does just now."""

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glmkit.core.json_types import JsonObject
from glmkit.serve import fields
from glmkit.serve.errors import json_response
from glmkit.serve.metrics import CONTENT_TYPE
from glmkit.serve.service import Service


def routes(service: Service) -> list[Route]:
    """The GET routes, which look and change nothing."""

    async def models(request: Request) -> Response:
        """The models, their other names and adapters."""
        service.check_ready()
        return json_response({"object": "list", "data": service.models.tables})

    async def model(request: Request) -> Response:
        """One of the models."""
        service.check_ready()
        name = request.path_params["id"]
        served = service.models.find(name)
        return json_response(served.table | {"id": name})

    async def health(request: Request) -> Response:
        """Whether the server is alive."""
        return Response()

    async def ready(request: Request) -> Response:
        """Whether it has loaded its models and takes requests."""
        service.check_ready()
        return Response()

    async def metrics(request: Request) -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.page(), media_type=CONTENT_TYPE)

    async def about(request: Request) -> Response:
        """The version of glmkit."""
        return json_response({"version": version("glmkit")})

    async def load(request: Request) -> Response:
        """How busy the engine is, and how far models are loaded."""
        return json_response(load_table(service))

    async def info(request: Request) -> Response:
        """What the models can do, and what a request may hold."""
        return json_response(info_table(service))

    gets: dict[str, Any] = {
        "/v1/models": models,
        "/v1/models/{id:path}": model,
        "/health": health,
        "/ready": ready,
        "/metrics": metrics,
        "/version": about,
        "/load": load,
        "/info": info,
    }
    return [Route(path, function, methods=["GET"]) for path, function in gets.items()]


def load_table(service: Service) -> JsonObject:
    """How busy the engine is."""
    stats = service.engine.stats.values()
    loading = service.loading
    limits = [one.cache_bytes for one in stats]
    return {
        "running": sum(one.running for one in stats),
        "waiting": sum(one.waiting for one in stats),
        "cache_bytes": None if None in limits else sum(limit or 0 for limit in limits),
        "cache_bytes_used": sum(one.cache_bytes_used for one in stats),
        "tokens_per_second": round(service.metrics.tokens_per_second, 2),
        "loading": None if loading is None else {"model": loading.model, "share": round(loading.share, 4)},
    }


def info_table(service: Service) -> JsonObject:
    """What the models can do, and what a request may hold."""
    settings = service.settings
    return {
        "models": [served.facts for served in service.models.models.values()],
        "version": version("glmkit"),
        "limits": {
            "body_bytes": settings.max_body,
            "choices": fields.MAX_CHOICES,
            "stop_strings": fields.MAX_STOPS,
            "stop_characters": fields.MAX_STOP_LENGTH,
            "top_logprobs": fields.MAX_TOP,
            "waiting": settings.max_waiting,
            "queue_seconds": settings.queue_timeout,
            "request_seconds": settings.request_timeout,
        },
    }
