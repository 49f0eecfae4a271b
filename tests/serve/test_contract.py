"""What clients of OpenAI's API expect, row by row: what went wrong elsewhere does not go wrong here."""

import json
from collections.abc import Callable

import pytest

from glmkit.serve.models import Models

from .conftest import Served

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": SCHEMA}}
USER = {"role": "user", "content": "hello"}
Says = Callable[..., None]
ALL_NULL = [
    *("temperature", "top_p", "top_k", "min_p", "n", "max_tokens", "max_completion_tokens", "stop", "seed", "logprobs"),
    *("frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias", "top_logprobs", "stream", "tools"),
    *("stream_options", "response_format", "tool_choice", "parallel_tool_calls", "user", "functions", "audio"),
]


def test_row_1_role_chunk_has_empty_content_and_the_last_delta_is_empty(chatglm3: Served, says: Says) -> None:
    says("hi")
    events = chatglm3.chat(stream=True).events
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert events[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert all(isinstance(choice["delta"], dict) for event in events for choice in event["choices"])
    assert not any(choice["delta"].get("content", "") is None for event in events for choice in event["choices"])


def test_row_2_id_and_time_are_the_same_over_a_stream(chatglm3: Served) -> None:
    streams = [chatglm3.chat(stream=True, max_tokens=3).events for _ in range(2)]
    for events in streams:
        assert len({(event["id"], event["created"], event["model"], event["object"]) for event in events}) == 1
    assert streams[0][0]["id"] != streams[1][0]["id"]


def test_row_4_streams_are_data_lines_alone(chatglm3: Served) -> None:
    reply = chatglm3.chat(stream=True, max_tokens=3, n=2)
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert b"\r" not in reply.body
    assert all(line.startswith("data: ") or not line for line in reply.body.decode().split("\n"))
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["x-accel-buffering"], "content-length" in reply.headers) == ("no", False)
    assert (
        "content-encoding"
        not in chatglm3.post(
            "/v1/chat/completions", {"messages": [USER], "stream": True, "max_tokens": 1}, accept_encoding="gzip"
        ).headers
    )


def test_row_5_usage_counts_all_tokens_of_the_prompt_and_shows_the_cached_part(chatglm3: Served) -> None:
    messages = [{"role": "user", "content": "a text of more tokens than are read at once" * 15}]
    used = [chatglm3.post("/v1/chat/completions", {"messages": messages, "max_tokens": 2}).json["usage"] for _ in "ab"]
    count = chatglm3.post("/tokenize", {"messages": messages}).json["count"]
    assert [one["prompt_tokens"] for one in used] == [count, count]
    assert used[1]["prompt_tokens_details"]["cached_tokens"] > 0
    assert all(one["total_tokens"] == one["prompt_tokens"] + one["completion_tokens"] for one in used)


@pytest.mark.parametrize("stream", [False, True])
def test_row_6_what_is_cut_says_length(chatglm3: Served, stream: bool, says: Says) -> None:
    def reason(**fields: object) -> str:
        reply = chatglm3.chat(stream=stream, **fields)
        return (reply.events[-1] if stream else reply.json)["choices"][0]["finish_reason"]

    says("x", ends=False)
    assert reason(max_tokens=1) == "length"
    assert reason(text="x" * 1000) == "length"  # the context of 1024 ends
    says("x")
    assert reason() == "stop"


def test_row_7_a_stop_string_is_never_shown_and_what_was_held_back_is_not_lost(chatglm3: Served, says: Says) -> None:
    says("one STO two STOP three")
    for stop, text in (("STOP", "one STO two "), (["two", "STOP"], "one STO "), ("STOPS", "one STO two STOP three")):
        whole = chatglm3.chat(stop=stop).json["choices"][0]
        events = chatglm3.chat(stop=stop, stream=True).events
        streamed = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        assert (whole["message"]["content"], streamed.strip()) == (text.strip(), text.strip())
    assert (
        chatglm3.chat(stop="STOP", include_stop_str_in_output=True)
        .json["choices"][0]["message"]["content"]
        .endswith("STOP")
    )
    completion = chatglm3.post("/v1/completions", {"prompt": "x", "stop": ["STOP"]}).json
    assert completion["choices"][0]["text"] == "one STO two "


def test_row_8_a_character_of_several_tokens_comes_whole(chatglm3: Served, says: Says) -> None:
    says("a😀b中")
    events = chatglm3.chat(stream=True, logprobs=True).events
    pieces = [event["choices"][0]["delta"].get("content", "") for event in events]
    assert ("".join(pieces), "\ufffd" in "".join(pieces)) == ("a😀b中", False)
    tokens = [token for event in events for token in (event["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert bytes(byte for token in tokens for byte in token["bytes"]).decode() == "a😀b中"
    cut = chatglm3.chat(max_tokens=2).json["choices"][0]["message"]["content"]
    assert cut == "a\ufffd"


def test_row_9_several_choices_have_their_own_role_text_and_end(chatglm3: Served) -> None:
    fields = {"n": 3, "seed": 5, "max_tokens": 6}
    whole = chatglm3.chat(**fields).json["choices"]
    events = chatglm3.chat(stream=True, **fields).events
    assert events[0]["choices"][0]["index"] == 0
    for index in range(3):
        own = [event["choices"][0] for event in events if event["choices"][0]["index"] == index]
        assert [choice["delta"].get("role") for choice in own].count("assistant") == 1
        assert [choice["finish_reason"] is not None for choice in own] == [False] * (len(own) - 1) + [True]
        text = "".join(choice["delta"].get("content", "") for choice in own)
        assert text == whole[index]["message"]["content"]


CALL = 'get_weather\n```python\ntool_call(city="Paris", days=[1, 2], more={"x": True})\n```'
ARGUMENTS = {"city": "Paris", "days": [1, 2], "more": {"x": True}}


def test_rows_10_and_12_a_call_comes_in_pieces_that_join(chatglm3: Served, says: Says) -> None:
    says(f"{CALL}<|assistant|>{CALL}")
    events = chatglm3.chat(stream=True, tools=[TOOL]).events
    deltas = [call for event in events for call in event["choices"][0]["delta"].get("tool_calls", [])]
    begun = [call for call in deltas if "id" in call]
    assert [(call["index"], call["type"], call["function"]) for call in begun] == [
        (index, "function", {"name": "get_weather", "arguments": ""}) for index in range(2)
    ]
    assert len({call["id"] for call in begun}) == 2
    assert [call["index"] for call in deltas] == sorted(call["index"] for call in deltas)
    for index in range(2):
        first, *others = [call for call in deltas if call["index"] == index]
        assert first in begun
        assert all(call.keys() == {"index", "function"} and [*call["function"]] == ["arguments"] for call in others)
        pieces = [call["function"]["arguments"] for call in others]
        assert pieces == ['{"city": "', *"Paris", '"', ', "days": [1, 2]', ', "more": {"x": true}', "}"]
        assert json.loads("".join(pieces)) == ARGUMENTS
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    message = chatglm3.chat(tools=[TOOL]).json["choices"][0]["message"]
    assert (message["content"], len({call["id"] for call in message["tool_calls"]})) == (None, 2)
    one = chatglm3.chat(tools=[TOOL], parallel_tool_calls=False).json["choices"][0]["message"]
    assert len(one["tool_calls"]) == 1


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
@pytest.mark.parametrize("stream", [False, True])
def test_row_11_the_choice_of_a_tool_is_obeyed(server: Served, model: str, stream: bool) -> None:
    def answer(choice: object) -> tuple[str, list[object]]:
        fields = {"model": model, "tools": [TOOL], "tool_choice": choice, "max_tokens": 64, "stream": stream}
        reply = server.chat(**fields)
        if not stream:
            (one,) = reply.json["choices"]
            return one["finish_reason"], [call["function"]["name"] for call in one["message"].get("tool_calls", [])]
        choices = [event["choices"][0] for event in reply.events]
        calls = [call for choice in choices for call in choice["delta"].get("tool_calls", [])]
        return choices[-1]["finish_reason"], [call["function"]["name"] for call in calls if "id" in call]

    assert answer("required") == ("tool_calls", ["get_weather"])
    assert answer({"type": "function", "function": {"name": "get_weather"}}) == ("stop", ["get_weather"])
    assert answer("none")[1] == []


def test_row_11_a_call_is_text_where_there_are_no_tools(chatglm3: Served, says: Says) -> None:
    says(CALL)
    message = chatglm3.chat(tools=[TOOL], tool_choice="none").json["choices"][0]["message"]
    assert "tool_calls" not in message
    assert message["content"] == CALL


def test_row_13_temperature_0_takes_the_most_probable(chatglm3: Served) -> None:
    texts = [
        chatglm3.chat(max_tokens=8, **fields).json["choices"][0]["message"]["content"]
        for fields in ({"temperature": 0}, {"temperature": 0.0}, {"temperature": 1e-9}, {"top_k": 1})
    ]
    assert len(set(texts)) == 1


def test_row_14_null_is_as_if_it_were_not_there(server: Served) -> None:
    nothing = dict.fromkeys(ALL_NULL)
    assert server.chat(model="chatglm3", **(nothing | {"max_tokens": 2})).status == 200
    fields = nothing | {"model": "chatglm2", "prompt": "x", "echo": None, "best_of": None, "max_tokens": 2}
    assert server.post("/v1/completions", fields).status == 200


def test_row_15_unknown_fields_are_named_in_a_header_and_meaningful_ones_refused(chatglm3: Served) -> None:
    odd = {"": 1, "else, ": 1, "a\r\nset-cookie: b": 1}  # no header holds these
    reply = chatglm3.chat(max_tokens=1, some_field=3, user="u", store=True, metadata={"a": "b"}, **odd)
    assert (reply.status, reply.headers["x-ignored-fields"]) == (200, "some_field")
    for name, value in {
        "audio": {"voice": "alloy"},
        "modalities": ["text", "audio"],
        "prediction": {"type": "content", "content": "x"},
        "web_search_options": {},
        "reasoning_effort": "high",
        "logits_processors": ["os.system"],
        "truncate_prompt_tokens": 4,
        "chat_template": "{{ x }}",
        "best_of": 2,
        "echo": True,
        "mirostat": 2,
    }.items():
        refused = chatglm3.chat(max_tokens=1, **{name: value})
        assert (refused.status, refused.error["param"]) == (400, name)
    neutral = {"modalities": ["text"], "reasoning_effort": "none", "best_of": 1, "echo": False, "tools": []}
    assert chatglm3.chat(max_tokens=1, **neutral).status == 200


def test_row_17_prompts_of_one_call_are_numbered(server: Served) -> None:
    fields = {"model": "chatglm2", "prompt": ["a", "bb", "ccc"], "n": 2, "max_tokens": 3, "seed": 1}
    choices = server.post("/v1/completions", fields).json["choices"]
    assert [choice["index"] for choice in choices] == list(range(6))
    alone = server.post("/v1/completions", fields | {"prompt": "bb"}).json["choices"]
    assert [choice["text"] for choice in choices[2:4]] == [choice["text"] for choice in alone]


@pytest.mark.parametrize("model", ["chatglm3", "chatglm2", "chatglm"])
def test_row_18_a_last_message_of_the_assistant_is_continued(server: Served, models: Models, model: str) -> None:
    messages = [USER, {"role": "assistant", "content": "It is"}]
    ids = server.post("/tokenize", {"model": model, "messages": messages}).json["tokens"]
    begin = server.post("/tokenize", {"model": model, "messages": messages[:1]}).json["tokens"]
    assert ids[: len(begin)] == begin
    assert models.models[model].model.tokenizer.decode(ids[len(begin) :]).strip() == "It is"
    reply = server.chat(model=model, messages=messages, max_tokens=3, temperature=0)
    assert not reply.json["choices"][0]["message"]["content"].startswith("It is")
    empty = server.chat(model=model, messages=[USER, {"role": "assistant", "content": ""}], max_tokens=2)
    assert empty.status == 200


def test_row_20_names_with_slashes_and_chinese(models: Models) -> None:
    from .conftest import ServedModel, serving, settings

    name = "智谱/chatglm 3"
    with serving(lambda progress: Models([ServedModel(name, models.models["chatglm3"].model)]), settings()) as served:
        assert served.chat(model=name, max_tokens=1).json["model"] == name
        from urllib.parse import quote

        assert served.get(f"/v1/models/{quote(name)}").json["id"] == name
        assert served.get(f"/v1/models/{quote(name, safe='')}").json["id"] == name
        assert served.chat(model="other").status == 404
        assert name in served.chat(model="other").error["message"]


def test_row_21_compressed_bodies_are_refused_by_name(chatglm3: Served) -> None:
    reply = chatglm3.post("/v1/chat/completions", b"\x1f\x8b\x08", content_encoding="gzip")
    assert (reply.status, "gzip" in reply.error["message"]) == (415, True)


def test_row_22_expect_100_continue_is_answered(chatglm3: Served) -> None:
    import socket

    body = json.dumps({"messages": [USER], "max_tokens": 1}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((chatglm3.host, chatglm3.server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/", "/health"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_row_23_probes_are_answered(chatglm3: Served, path: str, method: str) -> None:
    assert chatglm3.ask(method, path).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_row_24_what_fails_in_a_stream_is_its_last_event(
    chatglm3: Served, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glmkit.serve import chat
    from glmkit.serve.watch import Watch

    whole = Watch.__call__
    calls = []

    def fails(self: Watch, token: object) -> bool:
        calls.append(token)
        if len(calls) == 3:
            raise RuntimeError("secret of the house")
        return whole(self, token)

    monkeypatch.setattr(chat, "joints", lambda *given: [])
    monkeypatch.setattr(Watch, "__call__", fails)
    reply = chatglm3.chat(stream=stream, max_tokens=8, ignore_eos=True)
    assert b"secret" not in reply.body
    error = reply.events[-1]["error"] if stream else reply.error
    assert (error["type"], error["code"]) == ("server_error", "internal")
    assert (reply.status, b"[DONE]" in reply.body) == (200 if stream else 500, False)
    monkeypatch.undo()
    assert chatglm3.chat(max_tokens=1).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_row_26_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(chatglm3: Served, stream: bool) -> None:
    def ask(length: int) -> object:
        return chatglm3.post(
            "/v1/completions",
            {"prompt": [[261, *[65] * (length - 1)]], "max_tokens": 4, "ignore_eos": True, "stream": stream},
        )

    fits = ask(1023)
    assert fits.status == 200
    last = fits.events[-1] if stream else fits.json
    assert last["choices"][0]["finish_reason"] == "length"
    for length in (1024, 1025):
        refused = ask(length)
        assert (refused.status, refused.error["code"]) == (400, "context_length_exceeded")
        assert "1024 tokens" in refused.error["message"]
        assert str(length + 1) in refused.error["message"]


def test_row_27_schemas_are_known_by_content_not_by_name(chatglm3: Served) -> None:
    for key in ("a", "b"):
        schema = {"type": "object", "properties": {key: {"type": "boolean"}}, "required": [key]}
        schema["additionalProperties"] = False
        form = {"type": "json_schema", "json_schema": {"name": "same", "schema": schema}}
        content = chatglm3.chat(response_format=form, max_tokens=40).json["choices"][0]["message"]["content"]
        assert [*json.loads(content)] == [key]


def test_row_28_the_second_turn_of_a_chat_is_found_in_the_cache(chatglm3: Served, says: Says) -> None:
    says("a rather long answer that takes some tokens, so that they are worth keeping for the next turn of it")
    first = chatglm3.chat("a question of some length, so that there is something to be known again later on")
    answer = first.json["choices"][0]["message"]
    messages = [
        {"role": "user", "content": "a question of some length, so that there is something to be known again later on"},
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": "and now?"},
    ]
    used = chatglm3.chat(messages=messages).json["usage"]
    known = used["prompt_tokens_details"]["cached_tokens"]
    assert known > first.json["usage"]["prompt_tokens"]
