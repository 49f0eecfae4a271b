"""/v1/responses, asked by OpenAI's own client and by hand."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Served
from .test_contract import SCHEMA, TOOL, USER

Says = Callable[..., None]
FUNCTION = {"type": "function", **TOOL["function"]}
CALL = 'get_weather\n```python\ntool_call(city="Paris")\n```'

openai = pytest.importorskip("openai", reason="the openai client is not installed")


@pytest.fixture(scope="module")
def client(chatglm3: Served) -> Any:
    return openai.OpenAI(base_url=f"{chatglm3.url}/v1", api_key="any", max_retries=0)


def test_a_response(client: Any, chatglm3: Served, says: Says) -> None:
    says("你好 hello")
    response = client.responses.create(model="m", input="hi", instructions="Be brief.", temperature=0)
    assert (response.output_text, response.status, response.error) == ("你好 hello", "completed", None)
    assert (response.instructions, response.temperature, response.model) == ("Be brief.", 0, "chatglm3")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    count = chatglm3.post("/tokenize", {"messages": messages}).json["count"]
    assert response.usage.input_tokens == count
    assert response.usage.total_tokens == count + response.usage.output_tokens
    (item,) = response.output
    assert (item.type, item.role, item.status) == ("message", "assistant", "completed")


def test_a_response_that_is_cut_is_incomplete(client: Any, says: Says) -> None:
    says("abcdef")
    for stream in (False, True):
        answer = client.responses.create(model="m", input="hi", max_output_tokens=3, stream=stream)
        response = [*answer][-1].response if stream else answer
        assert (response.status, response.output_text) == ("incomplete", "abc")
        assert (response.incomplete_details.reason, response.output[0].status) == ("max_output_tokens", "incomplete")


def test_a_stream(client: Any, says: Says) -> None:
    says("a😀b")
    events = [*client.responses.create(model="m", input=[USER], stream=True)]
    assert [event.sequence_number for event in events] == [*range(len(events))]
    kinds = [kind.removeprefix("response.") for kind, _ in itertools.groupby(event.type for event in events)]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert (pieces, events[-1].response.output_text) == (["a", "😀", "b"], "a😀b")
    assert len({event.item_id for event in events if hasattr(event, "item_id")}) == 1
    with client.responses.stream(model="m", input="hi") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "a😀b"


def test_an_empty_answer_is_a_message(client: Any, says: Says) -> None:
    says("")
    for stream in (False, True):
        answer = client.responses.create(model="m", input="hi", stream=stream)
        response = [*answer][-1].response if stream else answer
        assert [(item.type, item.content[0].text) for item in response.output] == [("message", "")]


def test_events_say_their_names(chatglm3: Served, says: Says) -> None:
    says("hi")
    body = chatglm3.post("/v1/responses", {"input": "x", "stream": True}).body.decode()
    blocks = [block.split("\n") for block in body.removesuffix("\n\n").split("\n\n")]
    for name, data in blocks:
        assert name == f"event: {json.loads(data.removeprefix('data: '))['type']}"
    assert blocks[-1][0] == "event: response.completed"
    assert "[DONE]" not in body


def test_calls(client: Any, says: Says) -> None:
    says(f"\n Let me see.<|assistant|>{CALL}<|assistant|>{CALL}")
    response = client.responses.create(model="m", input="hi", tools=[FUNCTION])
    assert [item.type for item in response.output] == ["message", "function_call", "function_call"]
    assert response.output[1].arguments == '{"city": "Paris"}'
    with client.responses.stream(model="m", input="hi", tools=[FUNCTION]) as stream:
        events = [*stream]
        final = stream.get_final_response()
    assert [(item.type, item.status) for item in final.output] == [(item.type, "completed") for item in response.output]
    pieces = [event.delta for event in events if event.type.endswith("arguments.delta") and event.output_index == 2]
    assert pieces == ['{"city": "', *"Paris", '"', "}"]
    done = [event.arguments for event in events if event.type.endswith("arguments.done")]
    assert done == ['{"city": "Paris"}'] * 2
    one = client.responses.create(model="m", input="hi", tools=[FUNCTION], parallel_tool_calls=False)
    assert [item.type for item in one.output] == ["message", "function_call"]
    call = response.output[1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    says("It is sunny.")
    said = [{"role": "user", "content": "hi"}, call.model_dump(), result]
    assert client.responses.create(model="m", input=said, tools=[FUNCTION]).output_text == "It is sunny."


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_a_call_that_is_asked_for(client: Any, choice: Any) -> None:
    response = client.responses.create(
        model="m", input="hi", tools=[FUNCTION], tool_choice=choice, max_output_tokens=64
    )
    (call,) = response.output
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert 0 <= json.loads(call.arguments)["a"] <= 99


def test_a_schema_is_held_to(client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    form = {"type": "json_schema", "name": "A", "schema": SCHEMA, "strict": True}
    response = client.responses.create(model="m", input="hi", text={"format": form}, max_output_tokens=40)
    assert 0 <= json.loads(response.output_text)["a"] <= 99
    assert response.text.format.type == "json_schema"

    class Answer(pydantic.BaseModel):
        done: bool

    parsed = client.responses.parse(model="m", input="hi", text_format=Answer, max_output_tokens=40)
    assert parsed.output_parsed.done in (True, False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"n": 2}, "n"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
        ({"input": [USER, {"type": "item_reference", "id": "x"}]}, "input[1].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        ({"input": [USER], "instructions": 3}, "instructions"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {"type": "nothing"}}}}, "text.format.schema"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
    ],
)
@pytest.mark.parametrize("instructions", [{}, {"instructions": "Be brief."}])
def test_what_is_refused_is_named(
    chatglm3: Served, fields: dict[str, Any], param: str, instructions: dict[str, Any]
) -> None:
    reply = chatglm3.post("/v1/responses", {"input": "hi"} | instructions | fields)
    assert (reply.status, reply.error["param"]) == (400, param), reply.body
    assert not any(word in reply.error["message"] for word in ("messages[", "response_format"))


def test_a_fault_in_a_stream_is_its_last_event(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from glmkit.serve.watch import Watch

    def fails(self: Watch, token: object) -> bool:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(Watch, "__call__", fails)
    with pytest.raises(openai.APIError, match="its log says why"):
        list(client.responses.create(model="m", input="hi", stream=True))
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="m", input="hi")
    with pytest.raises(openai.BadRequestError) as long:
        client.responses.create(model="m", input="x" * 3000, stream=True)
    assert long.value.code == "context_length_exceeded"
