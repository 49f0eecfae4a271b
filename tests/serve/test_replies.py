"""Replies taken apart, and conversations put together: whatever the chunks, nothing is lost and nothing is run."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmkit.serve.blanks import Blank, Filling, texts_of
from glmkit.serve.errors import ApiError
from glmkit.serve.fields import Fields
from glmkit.serve.messages import read_messages
from glmkit.serve.replies import Call, ChatGLM3Reply, HeldCall, JsonReply, MoreArguments, Part, PlainReply, Reply
from glmkit.serve.tool_arguments import LiveArguments, call_arguments, written_call
from glmkit.serve.tools import ToolChoice, read_tools
from glmkit.serve.watch import Watch
from glmkit.testing.models import byte_tokenizer
from glmkit.text.chat import FORMATS
from glmkit.text.roles import CHATGLM3

NAMES = ("get_weather", "get", "查询天气")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=6), JSON, max_size=3)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\n`{"), max_size=20)


def taken(reply: Reply, text: str, cuts: list[int]) -> tuple[str, list[tuple[str, str]]]:
    """The text and the calls of a reply that comes in pieces."""
    parts: list[Part] = []
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    for begin, end in itertools.pairwise(places):
        parts += reply.feed(text[begin:end])
    parts += reply.end()
    calls: list[tuple[str, str]] = []
    for part in parts:
        if isinstance(part, Call):
            calls.append((part.name, part.arguments))
        elif isinstance(part, MoreArguments):
            calls[-1] = (calls[-1][0], calls[-1][1] + part.text)
    return "".join(part for part in parts if isinstance(part, str)), calls


CUTS = st.lists(st.integers(0, 400), max_size=12)


@given(PLAIN, st.sampled_from(NAMES), ARGUMENTS, CUTS)
def test_a_call_that_was_written_is_read_again(
    before: str, name: str, arguments: dict[str, Any], cuts: list[int]
) -> None:
    call = f"{name}\n{written_call(name, json.dumps(arguments))}"
    text = f"\n{before}<|assistant|>{call}" if before else call
    said, calls = taken(ChatGLM3Reply(NAMES), text, cuts)
    assert said == before.strip().replace("[[训练时间]]", "2023年")
    assert [(one, json.loads(other)) for one, other in calls] == [(name, arguments)]


@given(st.text(st.sampled_from(list("get_wahr \n`a<|>assistant()=tool_call{}\"':")), max_size=60), CUTS)
def test_chunks_change_nothing(text: str, cuts: list[int]) -> None:
    for make in (
        lambda: ChatGLM3Reply(NAMES),
        lambda: ChatGLM3Reply((), continued=True),
        lambda: JsonReply(NAMES),
        HeldCall,
        lambda: PlainReply(CHATGLM3.live()),
        lambda: PlainReply(bare=True),
    ):
        assert taken(make(), text, cuts) == taken(make(), text, [])


@given(st.text(max_size=60), CUTS)
def test_what_is_no_call_is_all_there(text: str, cuts: list[int]) -> None:
    if "<|assistant|>" not in text and not text.startswith(NAMES):
        assert taken(ChatGLM3Reply(NAMES), text, cuts)[0] == text.strip().replace("[[训练时间]]", "2023年")
    assert (
        taken(ChatGLM3Reply(NAMES, continued=True), text, cuts)[0].replace("<|assistant|>", "")
        in (
            text,
            text.replace("<|assistant|>", ""),
        )
        or "<|assistant|>" in text
    )


@given(st.sampled_from(NAMES), ARGUMENTS, CUTS)
def test_a_reply_in_json_is_a_call(name: str, arguments: dict[str, Any], cuts: list[int]) -> None:
    text = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    said, calls = taken(JsonReply(NAMES), f"\n {text}", cuts)
    assert (said, [(one, json.loads(other)) for one, other in calls]) == ("", [(name, arguments)])
    other = text.replace(name, "unknown")
    if name not in json.dumps(arguments, ensure_ascii=False):
        assert taken(JsonReply(NAMES), other, cuts) == (other, [])


@given(st.sampled_from(NAMES), ARGUMENTS, st.sampled_from([None, 1]), CUTS)
def test_a_held_reply_is_a_call(name: str, arguments: dict[str, Any], indent: int | None, cuts: list[int]) -> None:
    text = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False, indent=indent)
    said, calls = taken(HeldCall(), f"{text}\n", cuts)
    assert (said, [(one, json.loads(other)) for one, other in calls]) == ("", [(name, arguments)])
    assert calls[0][1] == calls[0][1].strip()


TEXTS = st.text(st.sampled_from(list("ab'\"\\\n,()= `中😀\x00")), max_size=12)
LITERALS = JSON.map(repr) | TEXTS.map(repr) | TEXTS.map(json.dumps) | TEXTS.map(lambda text: f"'{text}'")
CODES = st.lists(st.tuples(st.sampled_from(["a", "b", "城市", "a b", "ﬁ"]), LITERALS), max_size=4)


@given(CODES, st.sampled_from([")", ",)", "", ").x", "\n)", " )"]), st.sampled_from(["\n```", "", "`"]))
def test_what_is_known_early_of_arguments_stays_true(codes: list[tuple[str, str]], end: str, fence: str) -> None:
    inside = ", ".join(f"{name}={literal}" for name, literal in codes)
    text = f"```python\ntool_call({inside}{end}{fence}"
    whole, live = call_arguments(text), LiveArguments()
    early = "".join(live.feed(sign) for sign in text)
    rest = live.end()
    if whole is None:
        assert rest is None
    else:
        assert early + (rest or "") == whole


def test_arguments_come_as_they_are_written() -> None:
    live = LiveArguments()
    code = '```python\ntool_call(city="Paris", days=[1, (2)], text=\'a\\n\\u4e2d"\')\n```'
    pieces = [piece for sign in code if (piece := live.feed(sign))]
    assert pieces == [
        *('{"city": "', *"Paris", '"', ', "days": [1, 2]', ', "text": "', "a", "\\n", "中", '\\"', '"'),
    ]
    assert live.end() == "}"


@pytest.mark.parametrize("text", ['tool_call(a="x".upper())', 'tool_call(a="x', "tool_call(a=1, b=os.x())"])
def test_a_call_that_breaks_off_has_half_of_its_json(text: str) -> None:
    said, ((name, arguments),) = taken(ChatGLM3Reply(NAMES), f"get\n```python\n{text}\n```", [])
    assert (said, name) == ("", "get")
    with pytest.raises(json.JSONDecodeError):
        json.loads(arguments)


@pytest.mark.parametrize(
    "code",
    [
        "tool_call(a=__import__('os'))",
        "tool_call(a=1)(b=2)",
        "tool_call(*[1])",
        "tool_call(1)",
        "tool_call(a={1, 2})",
        "tool_call(a=1j)",
        "tool_call(a=1e999)",
        "tool_call(a=b'x')",
        "tool_call(a=(yield))",
        "tool_call(" + "(" * 5000,
        "__import__('os').system('x')",
        "lambda: 0",
        "[1]",
        "",
        "\x00",
    ],
)
def test_what_is_no_literal_is_no_call(code: str) -> None:
    assert call_arguments(f"```python\n{code}\n```") is None


def test_arguments_that_are_no_json_stay_in_the_conversation() -> None:
    assert written_call("f", "{") == "```python\n{\n```"
    assert written_call("f", "") == "```python\ntool_call()\n```"


# Conversations

ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES, "content": st.text(max_size=5)}), min_size=1, max_size=8)


@given(MESSAGES, st.sampled_from(sorted(FORMATS)))
def test_any_order_of_roles_is_a_conversation(messages: list[dict[str, str]], name: str) -> None:
    form, tokenizer = FORMATS[name], byte_tokenizer(name)
    conversation = read_messages(messages, form, ToolChoice())
    ids = form.prompt(tokenizer, conversation.messages)
    text = tokenizer.decode(ids) + conversation.prefill
    assert all(message["content"] in text for message in messages)


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        {"f": {"name": "f", "description": "d", "params": [{"name": "a", "type": "string", "required": True}]}},
        [{"function": {"name": "f"}}],
    ],
)
def test_tools_in_the_forms_that_are_met(tools: Any) -> None:
    for fields in ({"tools": tools}, {"functions": tools}):
        choice = read_tools(Fields(fields))
        assert (choice.names, choice.legacy) == (("f",), "functions" in fields)
        assert choice.tools[0].parameters.get("type", "object") == "object"


def test_the_registry_of_chatglm3_is_a_schema() -> None:
    params = [{"name": "a", "description": "d", "type": "int", "required": True}, {"name": "b", "type": "string"}]
    (tool,) = read_tools(Fields({"tools": [{"name": "f", "params": params}]})).tools
    assert tool.parameters == {
        "type": "object",
        "properties": {"a": {"type": "int", "description": "d"}, "b": {"type": "string"}},
        "required": ["a"],
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": ["get_weather"]}, "tools[0]"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({"tools": [{"function": {"name": "a\nb"}}]}, "tools[0].function.name"),
        ({"tools": [{"name": "f"}, {"name": "f"}]}, "tools"),
        ({"tools": [{"name": "f"}] * 129}, "tools"),
        ({"tools": [{"name": "f"}], "tool_choice": {"function": {"name": "g"}}}, "tool_choice"),
        ({"tools": [{"name": "f"}], "tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
    ],
)
def test_tools_that_are_none(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as error:
        read_tools(Fields(fields))
    assert error.value.param == param


# Text as it is written


@given(st.text(max_size=12), st.text(st.sampled_from(list("ab ")), max_size=12))
def test_a_filling_brings_no_second_space(before: str, text: str) -> None:
    filling = Filling(before)
    shown = "".join(filling.feed(character) for character in text)
    bare = not before or before[-1].isspace()
    assert shown == filling.text == (text.lstrip() if bare else text)
    assert texts_of([before, Blank("0"), "x"]) == [before, "x"]


@given(st.lists(st.sampled_from(["a", "ST", "OP", "😀", "中"]), max_size=8), st.booleans())
def test_a_watch_says_all_up_to_a_stop_string(words: list[str], include: bool) -> None:
    from glmkit.generate.sequence import Token

    tokenizer, text = byte_tokenizer("glm"), "".join(words)
    watch, shown = Watch(tokenizer, 1, ["STOP"], include), ""
    ids = [*tokenizer.encode(text), tokenizer.special.eop]
    for place, id in enumerate(ids):
        token = Token(0, 0, id, 0.0, "eop" if place == len(ids) - 1 else None)
        stopped = watch(token)
        shown += watch.take(token)
        if stopped:
            break
    before, found, _ = text.partition("STOP")
    assert shown == before + (found if include else "")
