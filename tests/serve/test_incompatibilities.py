"""What went wrong between other servers and their clients, beside what test_contract has."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from glmkit.serve.models import Models

from .conftest import Reply, Served
from .test_contract import SCHEMA, TOOL, USER

Says = Callable[..., None]


def ids(server: Served, model: str, messages: list[dict[str, Any]], **fields: Any) -> list[int]:
    reply = server.post("/tokenize", {"model": model, "messages": messages} | fields)
    assert reply.status == 200, reply.body
    return reply.json["tokens"]


@pytest.mark.parametrize("usage", [False, True])
def test_usage_comes_last_and_only_where_it_was_asked(chatglm3: Served, usage: bool) -> None:
    fields = {"stream_options": {"include_usage": True}} if usage else {}
    events = chatglm3.chat(stream=True, max_tokens=3, **fields).events
    empty = [event for event in events if event["choices"] == []]
    assert empty == ([events[-1]] if usage else [])
    if usage:
        assert [event["usage"] for event in events[:-1]] == [None] * (len(events) - 1)
        used = events[-1]["usage"]
        assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]
    else:
        assert not any("usage" in event for event in events)
    assert chatglm3.chat(max_tokens=1, stream_options={"include_usage": True}).status == 200  # without a stream


def test_usage_may_be_in_every_chunk(chatglm3: Served) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    events = chatglm3.chat(stream=True, max_tokens=3, stream_options=options).events
    assert all(event["usage"]["prompt_tokens"] > 0 for event in events)


def test_a_message_has_the_keys_that_strict_clients_look_for(chatglm3: Served) -> None:
    message = chatglm3.chat(max_tokens=1).json["choices"][0]["message"]
    assert message.keys() == {"role", "content", "refusal"}


def test_finish_reason_is_there_in_every_chunk_and_set_once(chatglm3: Served) -> None:
    for limit in (1, 4):
        reasons = [
            event["choices"][0]["finish_reason"] for event in chatglm3.chat(stream=True, max_tokens=limit).events
        ]
        assert [reason for reason in reasons if reason is not None] == [reasons[-1]]


@pytest.mark.parametrize("stop", ["x", ["x"], [], None, ["", "x"], [None, "x"]])
def test_stop_in_every_form(chatglm3: Served, stop: object) -> None:
    assert chatglm3.chat(max_tokens=1, stop=stop).status == 200


@pytest.mark.parametrize("content", ["", None, "absent"])
@pytest.mark.parametrize("calls", [False, True])
@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
def test_an_assistant_without_content(server: Served, models: Models, model: str, content: Any, calls: bool) -> None:
    said: dict[str, Any] = {"role": "assistant", "content": content}
    if content == "absent":
        del said["content"]
    if calls:
        function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
        said["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    result = [{"role": "tool", "tool_call_id": "call_1", "content": "sunny"}] if calls else []
    tokens = ids(server, model, [USER, said, *result, USER])
    text = models.models[model].model.tokenizer.decode(tokens)
    assert "None" not in text
    assert ('"Paris"' in text) == calls
    if calls and model == "chatglm3":
        assert '<|assistant|>get_weather\n```python\ntool_call(city="Paris")\n```<|observation|>' in text


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
@pytest.mark.parametrize("model", ["chatglm3", "chatglm2"])
def test_content_in_parts_is_the_text_of_all(server: Served, model: str, role: str) -> None:
    def conversation(content: Any) -> list[dict[str, Any]]:
        if role in ("system", "user"):
            return [{"role": role, "content": content}, USER]
        call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        if role == "tool":
            return [USER, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": content}]
        return [USER, {"role": role, "content": content}, USER]

    parts = [{"type": "text", "text": "one "}, {"type": "input_text", "text": "two"}]
    assert ids(server, model, conversation(parts)) == ids(server, model, conversation("one two"))


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "refusal"])
def test_parts_that_are_no_text_are_refused_by_name(chatglm3: Served, kind: str) -> None:
    content = [{"type": "text", "text": "what is it?"}, {"type": kind, kind: {"url": "http://127.0.0.1:1/"}}]
    reply = chatglm3.chat(messages=[{"role": "user", "content": content}])
    assert (reply.status, reply.error["param"]) == (400, "messages[0].content[1]")
    assert kind in reply.error["message"]


CALL = {"role": "assistant", "content": "x"}
ORDERS = [
    ["user", "user"],
    ["system", "assistant", "user"],
    ["system", "system", "user"],
    ["user", "system", "user"],
    ["assistant"],
    ["system"],
    ["assistant", "assistant"],
    ["tool", "user"],
    ["user", "tool"],
    ["user", "assistant", "assistant", "user"],
    ["user", "assistant", "user", "user", "system"],
]


@pytest.mark.parametrize("roles", ORDERS, ids="-".join)
@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
def test_roles_in_any_order(server: Served, models: Models, model: str, roles: list[str]) -> None:
    messages = [{"role": role, "content": f"text {place}"} for place, role in enumerate(roles)]
    text = models.models[model].model.tokenizer.decode(ids(server, model, messages))
    assert all(f"text {place}" in text for place in range(len(roles)))
    assert server.chat(model=model, messages=messages, max_tokens=1).status == 200


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
def test_developer_is_system_and_other_roles_are_named(server: Served, model: str) -> None:
    def conversation(role: str) -> list[dict[str, Any]]:
        return [{"role": role, "content": "Be brief."}, USER]

    assert ids(server, model, conversation("developer")) == ids(server, model, conversation("system"))
    refused = server.chat(model=model, messages=conversation("wizard"))
    assert (refused.status, refused.error["param"]) == (400, "messages[0].role")


def test_tools_and_the_users_own_system_text_stand_together(server: Served, models: Models) -> None:
    messages = [{"role": "system", "content": "You are Ann."}, USER]
    for model in ("chatglm3", "chatglm2"):
        text = models.models[model].model.tokenizer.decode(ids(server, model, messages, tools=[TOOL]))
        assert "You are Ann." in text
        assert "get_weather" in text


def test_logit_bias_forbids_and_forces(chatglm3: Served) -> None:
    def text(**bias: float) -> str:
        ids = chatglm3.post("/tokenize", {"prompt": "AB", "add_special_tokens": False}).json["tokens"]
        given = {str(id): bias[name] for id, name in zip(ids, "ab", strict=True)}
        reply = chatglm3.chat(max_tokens=4, temperature=0, logit_bias=given)
        return reply.json["choices"][0]["message"]["content"]

    assert (text(a=100, b=60), text(a=-100, b=60)) == ("AAAA", "BBBB")
    refused = chatglm3.chat(logit_bias={"abc": 1})
    assert (refused.status, refused.error["param"]) == (400, "logit_bias['abc']")


@pytest.mark.parametrize(("seed", "status"), [(-1, 200), (0, 200), (2**63 - 1, 200), (2**63, 400), (1.5, 400)])
def test_seeds(chatglm3: Served, seed: float, status: int) -> None:
    replies = [chatglm3.chat(max_tokens=6, seed=seed) for _ in "ab"]
    assert [reply.status for reply in replies] == [status, status]
    if status == 200:
        first, second = (reply.json["choices"] for reply in replies)
        assert first == second


def test_logprobs_are_the_models_own(chatglm3: Served) -> None:
    reply = chatglm3.chat(max_tokens=4, temperature=0, logprobs=True, top_logprobs=3, frequency_penalty=2)
    for token in reply.json["choices"][0]["logprobs"]["content"]:
        assert token.keys() == {"token", "logprob", "bytes", "top_logprobs"}
        assert [other["logprob"] for other in token["top_logprobs"]] == sorted(
            (other["logprob"] for other in token["top_logprobs"]), reverse=True
        )
    none = chatglm3.chat(max_tokens=1, logprobs=True).json["choices"][0]["logprobs"]["content"][0]
    assert none["top_logprobs"] == []
    assert chatglm3.chat(top_logprobs=2).error["param"] == "top_logprobs"


def test_paths_as_clients_put_them_together(chatglm3: Served) -> None:
    body = {"messages": [USER], "max_tokens": 1}
    for path in ("/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions"):
        assert chatglm3.post(path, body).status == 200
    missing = chatglm3.post("/chat/completions", body)
    assert (missing.status, "/v1/chat/completions" in missing.error["message"]) == (404, True)
    wrong = chatglm3.get("/v1/chat/completions")
    assert (wrong.status, wrong.headers["allow"], "POST" in wrong.error["message"]) == (405, "POST", True)
    assert chatglm3.get("/nothing").error["code"] == "unknown_url"


def test_models_have_what_clients_read(server: Served) -> None:
    models = server.get("/v1/models").json["data"]
    assert [model["id"] for model in models] == ["chatglm3", "chatglm2", "chatglm", "glm", "neoglm"]
    assert all({"id", "object", "created", "owned_by", "max_model_len", "parent"} <= model.keys() for model in models)


def test_a_chunked_body_is_read(chatglm3: Served) -> None:
    connection = chatglm3.connect()
    body = json.dumps({"messages": [USER], "max_tokens": 1}).encode()
    parts = iter([body[:20], body[20:]])
    connection.request("POST", "/v1/chat/completions", parts, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200


def vector(embedding: Any) -> list[float]:
    if isinstance(embedding, list):
        return embedding
    raw = base64.b64decode(embedding)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


@pytest.mark.parametrize("model", ["chatglm3", "chatglm", "glm", "neoglm"])
def test_embeddings_in_both_encodings(server: Served, models: Models, model: str) -> None:
    replies = [
        server.post("/v1/embeddings", {"model": model, "input": ["one", "二"], "encoding_format": form}).json
        for form in ("float", "base64", None)
    ]
    numbers = [[vector(one["embedding"]) for one in reply["data"]] for reply in replies]
    assert numbers[0] == numbers[2]
    expected = models.models[model].model.embed(["one", "二"]).tolist()
    for row in (*numbers[0], *numbers[1]):
        assert any(row == pytest.approx(other, abs=1e-6) for other in expected)
    alone = [server.post("/v1/embeddings", {"model": model, "input": text}).json["usage"] for text in ("abc", ["abc"])]
    assert alone[0] == alone[1]


@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]]])
def test_embeddings_of_ids_are_refused_with_the_remedy(chatglm3: Served, given: object) -> None:
    reply = chatglm3.post("/v1/embeddings", {"input": given})
    assert (reply.status, reply.error["param"]) == (400, "input")
    assert "check_embedding_ctx_length=False" in reply.error["message"]


def test_embeddings_of_many_texts_come_in_order(chatglm3: Served) -> None:
    texts = [f"text {number}" * (1 + number % 7) for number in range(50)]
    together = chatglm3.post("/v1/embeddings", {"input": texts}).json["data"]
    alone = chatglm3.post("/v1/embeddings", {"input": texts[33]}).json["data"]
    assert [one["index"] for one in together] == list(range(50))
    assert together[33]["embedding"] == pytest.approx(alone[0]["embedding"], abs=1e-4)


def test_errors_of_embeddings_name_the_input(chatglm3: Served) -> None:
    reply = chatglm3.post("/v1/embeddings", {"input": ["a", "x" * 2000]})
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, "input[1]", "context_length_exceeded")
    assert chatglm3.post("/v1/embeddings", {"input": "a", "dimensions": 3}).error["param"] == "dimensions"
    assert chatglm3.post("/v1/embeddings", {"input": []}).status == 400


def test_response_formats_that_are_none(chatglm3: Served) -> None:
    for form in ({"type": "json_schema"}, {"type": "json_schema", "json_schema": {}}, {"type": "xml"}, {}):
        reply = chatglm3.chat(response_format=form)
        assert (reply.status, reply.error["param"].startswith("response_format")) == (400, True)


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
@pytest.mark.parametrize("strict", [True, False, None])
def test_a_schema_is_held_to(server: Served, model: str, strict: bool | None) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "A", "schema": SCHEMA, "strict": strict}}
    for stream in (False, True):
        reply = server.chat(model=model, response_format=form, max_tokens=40, n=2, stream=stream)
        for text in texts(reply, 2):
            assert 0 <= json.loads(text)["a"] <= 99
            assert text == text.strip()


def texts(reply: Reply, count: int) -> list[str]:
    """The texts of the choices of a chat reply, streamed or not."""
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return [choice["message"]["content"] for choice in reply.json["choices"]]
    choices = [event["choices"][0] for event in reply.events if event["choices"]]
    return [
        "".join(choice["delta"].get("content", "") for choice in choices if choice["index"] == index)
        for index in range(count)
    ]


def test_the_limit_is_of_new_tokens(chatglm3: Served) -> None:
    used = chatglm3.chat("x" * 700, max_tokens=16, ignore_eos=True).json["usage"]
    assert used["completion_tokens"] == 16


def test_both_names_of_the_limit(chatglm3: Served) -> None:
    assert chatglm3.chat(max_completion_tokens=3, ignore_eos=True).json["usage"]["completion_tokens"] == 3
    assert chatglm3.chat(max_tokens=3, max_completion_tokens=3).status == 200
    assert chatglm3.chat(max_tokens=3, max_completion_tokens=4).error["param"] == "max_completion_tokens"


def test_hostile_calls_stay_text(chatglm3: Served, says: Says) -> None:
    for code in ("tool_call(a=__import__('os').getcwd())", "os.getcwd()", "tool_call(**x)", "tool_call(a=1", "{1, 2}"):
        says(f"get_weather\n```python\n{code}\n```")
        choice = chatglm3.chat(tools=[TOOL]).json["choices"][0]
        assert "tool_calls" not in choice["message"]
        assert code in choice["message"]["content"]


def test_text_and_a_call_are_both_there(chatglm3: Served, says: Says) -> None:
    says('\n I look it up.<|assistant|>get_weather\n```python\ntool_call(city="Paris")\n```')
    choice = chatglm3.chat(tools=[TOOL]).json["choices"][0]
    assert choice["message"]["content"] == "I look it up."
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert choice["finish_reason"] == "tool_calls"


def test_functions_are_answered_in_their_own_form(chatglm3: Served, says: Says) -> None:
    says('get_weather\n```python\ntool_call(city="Paris")\n```')
    function = TOOL["function"]
    choice = chatglm3.chat(functions=[function]).json["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    events = chatglm3.chat(functions=[function], stream=True).events
    calls = [event["choices"][0]["delta"].get("function_call") for event in events]
    assert "".join(call["arguments"] for call in calls if call) == '{"city": "Paris"}'


def test_plain_answers_stream_at_once_though_there_are_tools(chatglm3: Served, says: Says) -> None:
    says("\nget_weather is a function that many have")
    events = chatglm3.chat(tools=[TOOL], stream=True).events
    assert len([event for event in events if event["choices"][0]["delta"].get("content")]) > 10
    for short in ("hi", "好", "get", "get_weather"):
        says(short)
        assert texts(chatglm3.chat(tools=[TOOL], stream=True), 1) == [short]
