"""/openapi.json is true: every route and every field that is checked stands in it, and nothing it forbids is taken."""

import json
import re
from typing import Any

import jsonschema
import pytest

from glmkit.serve.app import routes_of
from glmkit.serve.endpoint import Endpoint
from glmkit.serve.service import Service

from .conftest import Served, settings


@pytest.fixture(scope="module")
def document(chatglm3: Served) -> Any:
    return chatglm3.get("/openapi.json").json


def test_every_route_is_in_it(chatglm3: Served, document: Any) -> None:
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "glmkit")
    assert chatglm3.app.service is not None
    routes = routes_of(chatglm3.app.service)
    posts = {route.path: route.endpoint for route in routes if isinstance(route.endpoint, Endpoint)}
    assert len(posts) > 9
    for path, endpoint in posts.items():
        (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
        schema = content["schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["properties"].keys() == endpoint.schema.keys()
        assert schema.get("required", []) == [*endpoint.required]
        streamed = "text/event-stream" in document["paths"][path]["post"]["responses"]["200"]["content"]
        assert streamed == ("stream" in endpoint.schema)
    for path in ("/v1/models", "/v1/models/{id}", "/health", "/tokenizer_info"):
        assert document["paths"][path]["get"]["summary"]
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_compat_adds_its_own() -> None:
    service = Service(settings(compat=("chatglm",)), None, None)  # type: ignore[arg-type]
    assert {"/", "/openapi.json"} <= {route.path for route in routes_of(service)}


def test_recorded_requests_are_of_the_schema(document: Any) -> None:
    from .test_clients import recorded

    for parameter in recorded():
        (request,) = parameter.values
        if request["method"] != "POST" or request["path"] not in document["paths"]:
            continue
        (content,) = document["paths"][request["path"]]["post"]["requestBody"]["content"].values()
        jsonschema.validate(request["body"], content["schema"])


def test_errors_are_of_the_schema(chatglm3: Served, document: Any) -> None:
    shape = document["components"]["schemas"]["Error"]
    for reply in (
        chatglm3.post("/infill", {}),
        chatglm3.get("/nothing"),
        chatglm3.chat(model=3),
        chatglm3.ask("PUT", "/score"),
        chatglm3.post("/tokenize", b"{"),
    ):
        assert 400 <= reply.status < 500
        jsonschema.validate(reply.json, shape)


def test_a_model_that_fills_no_blanks_takes_no_segments(chatglm3: Served) -> None:
    reply = chatglm3.post("/layout", {"text": "", "segments": [None]})
    assert (reply.status, reply.error["param"]) == (400, "segments")


HI = {"role": "user", "content": "hi"}
TOOL = {"name": "look_up", "parameters": {"type": "object"}}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        (CHAT, {"messages": [HI | {"tool_calls": 5}]}, "messages[0].tool_calls"),
        (CHAT, {"messages": [HI | {"function_call": "look_up"}]}, "messages[0].function_call"),
        (CHAT, {"messages": [HI, {"role": "assistant", "function_call": {}}, HI]}, "messages[1].function_call.name"),
        (CHAT, {"messages": [HI, {"role": "assistant", "tool_calls": 0}, HI]}, "messages[1].tool_calls"),
        (CHAT, {"messages": [HI], "tools": [TOOL], "functions": [TOOL | {"parameters": 1}]}, "functions[0].parameters"),
        (CHAT, {"messages": [HI], "tools": [TOOL], "function_call": 7}, "function_call"),
        (CHAT, {"messages": [HI], "functions": [TOOL], "tool_choice": {"name": 1}}, "tool_choice.name"),
        (
            CHAT,
            {"messages": [HI], "response_format": {"type": "text", "json_schema": 3}},
            "response_format.json_schema",
        ),
        (RESPONSES, {"input": [HI | {"tool_calls": [1]}]}, "input[0].tool_calls[0]"),
        (RESPONSES, {"input": "hi", "text": {"format": {"type": "text", "strict": 2}}}, "text.format.strict"),
    ],
)
def test_what_an_endpoint_passes_over_is_checked_too(
    chatglm3: Served, document: Any, path: str, body: Any, place: str
) -> None:
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    assert not jsonschema.Draft202012Validator(content["schema"]).is_valid(body)
    reply = chatglm3.post(path, body | {"max_output_tokens" if path == RESPONSES else "max_tokens": 1})
    assert (reply.status, reply.json["error"]["param"]) == (400, place)


def test_refused_fields_say_what_to_do(document: Any) -> None:
    assert "writes text alone" in document["x-refused-fields"]["audio"]
    assert not re.search(r"None|lambda|<", json.dumps(document["x-refused-fields"]))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["chatglm3", "chatglm"])
def test_schemathesis_finds_nothing(family: str) -> None:
    pytest.importorskip("schemathesis", reason="no schemathesis")
    from .fuzz import fuzz

    # Deterministic, so that a change is blamed for what it did; the command draws new requests.
    code, text, statuses = fuzz(family, 25, deterministic=True)
    assert code == 0, text
    assert statuses.total() > 30
    assert not [status for status in statuses if status >= 500 and status != 503]
