"""/openapi.json: what the server can be asked, as OpenAPI 3.1, from the tables that requests are checked by.

A field's schema is that of its kind; null is as if it were not there, and so it is allowed. Fields that nobody knows
are taken; those that would change the reply and are not supported are refused, and listed in `x-refused-fields`.
"""

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from starlette.routing import Route

from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import Kind, optional
from glmkit.serve.endpoint import Endpoint
from glmkit.serve.fields import REFUSED

_TEXT = {"type": "string"}
_PERHAPS = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": _TEXT, "type": _TEXT, "param": _PERHAPS, "code": _PERHAPS},
            "additionalProperties": False,
        }
    },
}
_FAULT = {
    "description": "An error object; 429 and 503 say in Retry-After when to ask again.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_FAULTS = {"4XX": _FAULT, "501": _FAULT, "503": _FAULT}  # and never another of 5xx


def document(routes: Iterable[Route], queries: Mapping[str, Mapping[str, Kind]]) -> JsonObject:
    """The description of `routes`; `queries` are the parameters that GET paths take in their address."""
    paths: JsonObject = {}
    for route in routes:
        path = route.path.replace(":path}", "}")
        taken = paths.setdefault(path, {})
        if isinstance(route.endpoint, Endpoint):
            taken["post"] = _post(route.endpoint, path)
        elif inspect.iscoroutinefunction(route.endpoint):
            taken["get"] = _get(route.endpoint.__doc__, path, queries.get(path, {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "glmkit", "version": version("glmkit")},
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {path: taken for path, taken in paths.items() if taken},
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
        "x-refused-fields": {name: remedy for name, (_, remedy) in REFUSED.items()},
    }


def _post(endpoint: Endpoint, path: str) -> JsonObject:
    needed = {"required": [*endpoint.required]} if endpoint.required else {}
    fields = {
        name: _published(kind if name in endpoint.required else optional(kind))
        for name, kind in endpoint.schema.items()
    }
    replies: JsonObject = {"application/json": {"schema": {"type": "object"}}}
    if "stream" in endpoint.schema:
        # OpenAPI 3.1 has no schema of a stream: some read one here as the whole text's, some as each event's.
        replies["text/event-stream"] = {}
    schema = {"type": "object", "properties": fields, **needed}
    return {
        "operationId": path.strip("/").replace("/", "_") or "api",
        "summary": inspect.cleandoc(endpoint.handler.__doc__ or "").partition("\n")[0],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "The reply.", "content": replies}} | _FAULTS,
    }


def _published(kind: Kind) -> JsonObject:
    """The schema of a field; its words where there is none."""
    return dict(kind.schema) or {"description": kind.wanted.removesuffix(" or nothing")}


def _get(doc: str | None, path: str, query: Mapping[str, Kind]) -> JsonObject:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]
    parameters += [{"name": name, "in": "query", "schema": kind.schema} for name, kind in query.items()]
    return {
        "operationId": path.strip("/").replace("/", "_").replace("{", "").replace("}", "") or "root",
        "summary": inspect.cleandoc(doc or "").partition("\n")[0],
        "responses": {"200": {"description": "The answer."}} | _FAULTS,
    } | ({"parameters": parameters} if parameters else {})
