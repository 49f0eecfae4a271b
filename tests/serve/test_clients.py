"""Requests as real clients sent them, and OpenAI's own Python client against the server."""

import json
from typing import Any

import pytest

from glmkit.serve.models import Models
from glmkit.testing import shared_path

from .conftest import Served, serving, settings
from .test_contract import SCHEMA, TOOL, USER
from .test_incompatibilities import vector


def recorded() -> list[Any]:
    path = shared_path("cases", "client-requests.jsonl")
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=str(number)) for number, line in enumerate(lines)]


@pytest.mark.parametrize("request_", recorded())
def test_a_recorded_request_is_answered_as_its_client_expects(chatglm3: Served, request_: dict[str, Any]) -> None:
    path, body = request_["path"], request_["body"]
    limited = "max_tokens" in (body or {}) or "max_completion_tokens" in (body or {})
    if body is not None and not limited and path not in ("/v1/embeddings", "/v1/responses"):
        body = body | {"max_tokens": 24}
    if path == "/v1/completions" and body.get("max_tokens", 0) > 24:
        body = body | {"max_tokens": 24}
    reply = chatglm3.ask(request_["method"], path, body, request_["headers"])
    if body is not None and body.get("suffix"):
        assert (reply.status, reply.error["param"]) == (400, "suffix")  # a ChatGLM3 fills no blanks
        return
    assert reply.status == 200, reply.body
    assert "content-encoding" not in reply.headers
    if path == "/v1/models":
        assert reply.json["data"]
    elif path == "/v1/responses":
        assert (reply.json["object"], reply.json["output"][0]["type"]) == ("response", "message")
    elif path == "/v1/embeddings":
        assert all(len(vector(one["embedding"])) == 64 for one in reply.json["data"])
    elif body.get("stream"):
        assert reply.body.endswith(b"data: [DONE]\n\n")
        assert any(event["choices"] and event["choices"][0]["finish_reason"] for event in reply.events)
        assert ("usage" in reply.events[-1]) == bool(body.get("stream_options"))
    else:
        choices = reply.json["choices"]
        assert all(choice["finish_reason"] in ("stop", "length", "tool_calls") for choice in choices)
        check_form(body, choices[0])


def check_form(body: dict[str, Any], choice: dict[str, Any]) -> None:
    """What was asked of the form of a reply, if its few tokens sufficed."""
    form = body.get("response_format", {"type": "text"})["type"]
    if form != "text" and choice["finish_reason"] == "stop":
        assert isinstance(json.loads(choice["message"]["content"]), dict)
    if body.get("tool_choice") == "required" and choice["finish_reason"] == "tool_calls":
        assert choice["message"]["tool_calls"]


openai = pytest.importorskip("openai", reason="the openai client is not installed")


@pytest.fixture(scope="module")
def client(chatglm3: Served) -> Any:
    return openai.OpenAI(base_url=f"{chatglm3.url}/v1", api_key="any", max_retries=0)


def test_a_chat(client: Any) -> None:
    reply = client.chat.completions.create(
        model="m", messages=[USER], max_tokens=4, n=2, logprobs=True, top_logprobs=2, seed=1, stop=None, user=None
    )
    assert len(reply.choices) == 2
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert all(len(token.top_logprobs) == 2 for token in reply.choices[0].logprobs.content)


def test_a_stream(client: Any) -> None:
    with client.chat.completions.stream(
        model="m",
        messages=[USER],
        n=2,
        stream_options={"include_usage": True},
        extra_body={"guided_choice": ["yes", "no"]},
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.usage.prompt_tokens > 0
    assert [choice.finish_reason for choice in final.choices] == ["stop"] * 2


def test_calls_in_a_stream(client: Any) -> None:
    with client.chat.completions.stream(
        model="m", messages=[USER], tools=[TOOL], tool_choice="required", max_tokens=64
    ) as stream:
        for _ in stream:
            pass
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, call.id.count("call_")) == ("get_weather", 1)
    assert 0 <= json.loads(call.function.arguments)["a"] <= 99


def test_a_parsed_reply(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Answer(pydantic.BaseModel):
        done: bool

    reply = client.chat.completions.parse(model="m", messages=[USER], response_format=Answer, max_tokens=40)
    assert reply.choices[0].message.parsed.done in (True, False)


def test_completions_embeddings_and_models(client: Any) -> None:
    reply = client.completions.create(model="m", prompt=["a", "b"], max_tokens=3, logprobs=1, echo=True)
    assert [choice.index for choice in reply.choices] == [0, 1]
    stream = client.completions.create(model="m", prompt="a", max_tokens=3, stream=True)
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] in ("length", "stop")
    vectors = client.embeddings.create(model="m", input=["a", "b"])
    numbers = client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    assert vectors.data[1].embedding == pytest.approx(numbers.data[1].embedding, abs=1e-6)
    assert [model.id for model in client.models.list()] == ["chatglm3"]
    assert client.models.retrieve("chatglm3").id == "chatglm3"


def test_errors_are_its_own(client: Any, models: Models) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="m", messages=[USER], temperature=9)
    assert (wrong.value.param, "temperature" in wrong.value.message) == ("temperature", True)
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 3000}])
    assert (long.value.code, "maximum context length is 1024 tokens" in str(long.value)) == (
        "context_length_exceeded",
        True,
    )
    with serving(lambda progress: models, settings()) as served:
        other = openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0)
        with pytest.raises(openai.NotFoundError) as missing:
            other.chat.completions.create(model="gpt-3.5-turbo", messages=[USER])
        assert (missing.value.code, "chatglm3" in missing.value.message) == ("model_not_found", True)


def test_schemas_of_pydantic_and_typescript_are_taken(chatglm3: Served) -> None:
    for extra in ({"$schema": "http://json-schema.org/draft-07/schema#"}, {"title": "A", "description": "An A."}):
        form = {"type": "json_schema", "json_schema": {"name": "A", "schema": SCHEMA | extra, "strict": True}}
        assert chatglm3.chat(response_format=form, max_tokens=40).status == 200
