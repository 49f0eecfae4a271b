"""Programs that were written for the official servers of ChatGLM, and what went wrong there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glmkit.serve.models import Models

from .conftest import Served, serving, settings
from .test_contract import TOOL, USER

Says = Callable[..., None]


@pytest.fixture(scope="module")
def compat(models: Models) -> Iterator[Served]:
    """A server with --compat chatglm."""
    only = Models([models.models["chatglm3"]], any_name=True)
    with serving(lambda progress: only, settings(compat=("chatglm",))) as served:
        yield served


@pytest.fixture(scope="module")
def compat2(models: Models) -> Iterator[Served]:
    only = Models([models.models["chatglm2"]], any_name=True)
    with serving(lambda progress: only, settings(compat=("chatglm",))) as served:
        yield served


def test_api_py(compat2: Served, models: Models) -> None:
    history = [["hi", "hello"]]
    reply = compat2.post("/", {"prompt": "你好", "history": history, "temperature": 0, "max_length": 120}).json
    assert reply.keys() == {"response", "history", "status", "time"}
    assert (reply["status"], reply["history"]) == (200, [*history, ["你好", reply["response"]]])
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "你好"},
    ]
    model = models.models["chatglm2"].model
    length = len(model.chat_format.prompt(model.tokenizer, messages))
    assert reply["response"] == model.chat(messages, temperature=0, max_new_tokens=120 - length)


@pytest.mark.parametrize("history", [None, [], "absent"])
def test_api_py_without_history(compat2: Served, history: Any) -> None:
    body = {"prompt": "x", "max_length": 50} | ({} if history == "absent" else {"history": history})
    assert compat2.post("/", body).json["history"][0][0] == "x"


def test_temperature_0_is_greedy_and_huge_lengths_are_taken(compat2: Served) -> None:
    body = {"prompt": "x", "temperature": 0, "max_length": 48}
    assert compat2.post("/", body).json["response"] == compat2.post("/", body).json["response"]
    assert compat2.post("/", {"prompt": "x", "max_length": 20_000, "temperature": 0.1, "top_p": 0.7}).status == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "x", "history": [["a"]]}, "history[0]"),
        ({"prompt": "x", "history": [["a", None]]}, "history[0]"),
        ({"prompt": "x", "history": "a"}, "history"),
        ({"prompt": "x", "max_length": 3}, "max_length"),
        ({"prompt": "x", "top_p": 0}, "top_p"),
    ],
)
def test_api_py_with_what_it_cannot_take(compat2: Served, body: dict[str, Any], param: str) -> None:
    reply = compat2.post("/", body)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_root_is_no_endpoint_unless_it_was_asked_for(chatglm3: Served) -> None:
    assert chatglm3.post("/", {"prompt": "x"}).status == 405


def test_any_name_is_the_model(compat: Served) -> None:
    for name in ("gpt-3.5-turbo", "chatglm3-6b", "default-model"):
        assert compat.chat(model=name, max_tokens=1).status == 200
    assert compat.get("/v1/models/gpt-3.5-turbo").json["id"] == "gpt-3.5-turbo"


def test_functions_and_tools_of_chatglm3(compat: Served, says: Says) -> None:
    says('get_weather\n```python\ntool_call(city="[[训练时间]]")\n```')
    function = TOOL["function"]
    for tools in ([TOOL], [function], {"get_weather": function}):
        choice = compat.chat(tools=tools).json["choices"][0]
        assert choice["finish_reason"] == "function_call"
        assert choice["message"]["function_call"]["name"] == "get_weather"
        assert choice["message"]["tool_calls"][0]["function"] == choice["message"]["function_call"]


def test_the_loop_of_the_official_demo(compat: Served, models: Models) -> None:
    call = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    messages = [
        USER,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "get_weather", "content": "sunny"},
    ]
    ids = compat.post("/tokenize", {"messages": messages, "tools": [TOOL["function"]]}).json["tokens"]
    text = models.models["chatglm3"].model.tokenizer.decode(ids)
    assert text.startswith("[gMASK]<sop><|system|>")
    assert 'get_weather\n```python\ntool_call(city="Paris")\n```<|observation|>' in text
    assert text.endswith("sunny<|assistant|>")
    assert compat.chat(messages=messages, tools=[TOOL["function"]], max_tokens=2).status == 200


def test_tools_inside_the_system_message(compat: Served, says: Says, models: Models) -> None:
    says("get_weather\n```python\ntool_call(city='Paris')\n```")
    system = {"role": "system", "content": "Use the tools.", "tools": [TOOL["function"]]}
    history = {"role": "assistant", "metadata": "get_weather", "content": "```python\ntool_call(city='Rome')\n```"}
    observed = {"role": "observation", "content": "rain"}
    choice = compat.chat(messages=[system, USER, history, observed]).json["choices"][0]
    assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    refused = compat.chat(messages=[system, USER], return_function_call=True)
    assert (refused.status, refused.error["param"]) == (400, "return_function_call")


@pytest.mark.parametrize("text", ["ok", "好", "I get_ it", "get_weather(", "code: get_x = 1\nprint(get_x)", "a\nb\nc"])
def test_short_replies_and_names_of_functions_in_text(compat: Served, says: Says, text: str) -> None:
    says(text)
    for tools in ([], [TOOL]):
        events = compat.chat(stream=True, tools=tools).events
        assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == text
        assert events[-1]["choices"][0]["finish_reason"] == "stop"
        assert compat.chat(tools=tools).json["choices"][0]["message"]["content"] == text


def test_a_reply_that_was_cut_says_so(compat: Served) -> None:
    assert compat.chat(max_tokens=1, ignore_eos=True).json["choices"][0]["finish_reason"] == "length"


def test_health_is_empty(compat: Served) -> None:
    reply = compat.get("/health")
    assert (reply.status, reply.body) == (200, b"")


def test_the_year_of_training_is_shown_as_there(compat2: Served, says: Says) -> None:
    says("It is [[训练时间]].")
    assert compat2.chat().json["choices"][0]["message"]["content"] == "It is 2023年."


def test_replies_are_utf_8_as_they_are(compat2: Served, says: Says) -> None:
    says("你好")
    reply = compat2.post("/", {"prompt": "x"})
    assert "你好".encode() in reply.body
    assert json.loads(reply.body)["response"] == "你好"
