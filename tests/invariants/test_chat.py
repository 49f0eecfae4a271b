"""Chat formats: replies shown live, turns behind a cache, rounds that are dropped, and what is no conversation."""

import ast
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.text.chat import FORMATS, chat_format, fitting
from glmkit.text.chatglm import OFFICIAL, ROLES
from glmkit.text.roles import call_parameters
from tests.invariants.test_text import texts, tokenizer_named
from tests.parity.chatglm import tokenizer_of

written = st.lists(
    st.sampled_from(
        ["中", "a", ",", "!", " ", "\n", "[", "[[", "[[训练时间]]", "训练时间", "]]", "<|assistant|>", "\u3000"]
    ),
    max_size=10,
)


def live(chat, chunks):
    reply = chat.live()
    return "".join([*(reply.feed(chunk) for chunk in chunks), reply.end()])


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "codegeex2"])
@given(chunks=written)
@settings(max_examples=300)
def test_a_reply_shown_live_is_the_reply(name, chunks):
    assert live(FORMATS[name], chunks) == FORMATS[name].reply("".join(chunks), []).content


@given(chunks=written)
@settings(max_examples=300)
def test_a_reply_of_roles_shown_live_is_the_content_of_its_messages_without_metadata(chunks):
    messages = FORMATS["chatglm3"].reply("".join(chunks), []).messages
    shown = [
        message["content"].replace("[[训练时间]]", "2023年") for message in messages if not message["metadata"].strip()
    ]
    assert live(FORMATS["chatglm3"], chunks) == "".join(shown)


def test_punctuation_waits_for_the_character_after_it_and_nothing_else_waits():
    reply = FORMATS["chatglm"].live()
    assert [reply.feed(part) for part in (" 你好", ",", "a", "?", "中", " ", "b")] == [
        "你好",
        "",
        "，a",
        "",
        "？中",
        "",
        " b",
    ]
    assert FORMATS["chatglm2"].live().feed("a,") == "a,"


said = st.lists(texts, min_size=1, max_size=7).filter(lambda said: len(said) % 2)


@pytest.mark.parametrize("name", OFFICIAL)
@given(said=said)
@settings(max_examples=40)
def test_nothing_that_is_said_becomes_a_special_token(name, said):
    tokenizer, chat = tokenizer_of(name), chat_format(tokenizer_named(name))
    ids = chat.prompt(
        tokenizer, [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    )
    special = {*tokenizer.special.never_generated, *tokenizer.special.ends, *ROLES.values()} - {0}
    roles = len(said) + 1 if name == "chatglm3" else 0
    assert sum(id in special for id in ids) == 2 + roles


@given(rounds=st.lists(st.integers(1, 9), min_size=1, max_size=6), budget=st.integers(0, 60), system=st.integers(0, 9))
def test_the_oldest_rounds_go_first_and_as_few_as_possible(rounds, budget, system):
    messages = [{"role": "system", "content": "s" * system}] if system else []
    for size in rounds:
        messages += [{"role": "user", "content": "q" * size}, {"role": "assistant", "content": "a" * size}]
    messages = messages[:-1]

    def length(messages):
        return sum(len(message["content"]) for message in messages)

    if system + rounds[-1] > budget:
        with pytest.raises(UserError, match=rf"{system + rounds[-1]} tokens, there is room for {budget}"):
            fitting(messages, budget, length)
        return
    kept, dropped = fitting(messages, budget, length)
    assert length(kept) <= budget
    assert kept == [*messages[: bool(system)], *messages[bool(system) + 2 * dropped :]]
    fewer = [*messages[: bool(system)], *messages[bool(system) + 2 * (dropped - 1) :]]
    assert not dropped or length(fewer) > budget


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(parameters=st.dictionaries(st.sampled_from(["city", "days", "q"]), literals, max_size=3))
def test_written_calls_are_read_back(parameters):
    written = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    assert call_parameters(f"tool_call({written})\n") == parameters


@given(value=literals)
def test_a_literal_alone_is_the_parameters(value):
    """As the official code takes it; nothing is left out but None, which tells nothing."""
    assert call_parameters(f" {value!r}\n") == value


@given(text=st.text(max_size=30) | st.text("tol_ca(')=,.[]{}*:1x", max_size=20))
def test_whatever_is_written_is_read_without_harm(text):
    result = call_parameters(text)
    assert result is None or result == ast.literal_eval(text.strip()) or text.strip().startswith("tool_call")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "tool_call(x=__import__('os'))",
        "tool_call(x=open('/etc/passwd').read())",
        "tool_call(x=1 if True else 2)",
        "tool_call(x=[y for y in (1, 2)])",
        "tool_call(x=(lambda: 1)())",
        "tool_call(x=f'{1}')",
        "tool_call(**{'x': 1})",
        "tool_call(x=1, x=2)",
        "tool_call(x={[1]: 2})",
        "tool_call(1)",
        "tool_call(x=2**99)",
        "other(x=1)",
        "tool_call",
        "tool_call(x=1); tool_call(x=2)",
        "tool_call(x=" + "(" * 5000,
        "tool_call(x=" + "-" * 100000 + "1)",
        "tool_call(x='\0')",
        "",
    ],
)
def test_what_is_no_call_of_literals_is_no_call(text):
    assert call_parameters(text) is None


def test_a_malformed_call_stays_text():
    chat = FORMATS["chatglm3"]
    messages = [{"role": "system", "content": "", "tools": []}, {"role": "user", "content": "q"}]
    text = "f\n```python\ntool_call(x=exit())\n```"
    reply = chat.reply(text, messages)
    assert reply.content == "```python\ntool_call(x=exit())\n```"
    assert reply.messages == [{"role": "assistant", "metadata": "f", "content": reply.content}]
    call = chat.reply("f\n```python\ntool_call(x=(1, 'a'))\n```", messages)
    assert call.content == {"name": "f", "parameters": {"x": ast.literal_eval("(1, 'a')")}}
    literal = chat.reply("f\n```python\n{'city': '北京',\n 'days': 3}\n```", messages)
    assert literal.content == {"name": "f", "parameters": {"city": "北京", "days": 3}}


def user(content="q"):
    return {"role": "user", "content": content}


def assistant(content="a"):
    return {"role": "assistant", "content": content}


BAD = {
    "no messages": ([], "no messages"),
    "no message": (["hello"], 'message 1 is not {"role"'),
    "no role": ([{"content": "x"}], "message 1 is not"),
    "unknown role": ([{"role": "usr", "content": "x"}], "did you mean 'user'"),
    "no content": ([{"role": "user"}], r"message 1 \(user\) has content None"),
    "content of parts": ([user([{"type": "text", "text": "x"}])], r"message 1 \(user\) has content \[\{"),
    "half a character": ([user("\ud800")], "no Unicode text"),
    "nothing to answer": ([user(), assistant()], "the last message is the assistant's"),
    "assistant first": ([assistant(), user()], r"message 1 \(assistant\) cannot follow the beginning"),
    "system later": ([user(), assistant(), {"role": "system", "content": "s"}, user()], r"message 3 \(system\)"),
}


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("case", BAD)
def test_what_is_no_conversation(name, case):
    messages, complaint = BAD[case]
    with pytest.raises(UserError, match=complaint) as caught:
        FORMATS[name].prompt(tokenizer_of(name), messages)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "codegeex2"])
def test_what_rounds_cannot_hold(name):
    chat, tokenizer = FORMATS[name], tokenizer_of(name)
    with pytest.raises(UserError, match=r"message 2 \(user\) cannot follow user in"):
        chat.prompt(tokenizer, [user(), user()])
    with pytest.raises(UserError, match="role 'observation'"):
        chat.prompt(tokenizer, [user(), assistant(), {"role": "observation", "content": "x"}])
    with pytest.raises(UserError, match=f"tools, which {name} does not know"):
        chat.prompt(tokenizer, [{"role": "system", "content": "s", "tools": []}, user()])
    with pytest.raises(UserError, match="pairs"):
        chat.messages("q", [{"role": "user", "content": "x"}])
    assert chat.prompt(tokenizer, [{"role": "system", "content": "s"}, user()]) == chat.prompt(tokenizer, [user("sq")])


def test_what_roles_cannot_hold():
    chat, tokenizer = FORMATS["chatglm3"], tokenizer_of("chatglm3")
    endless: list[object] = []
    endless.append(endless)
    for tools in ({"f": print}, [math.nan], endless, [{1, 2}]):
        with pytest.raises(UserError, match="tools of the system message are not JSON"):
            chat.prompt(tokenizer, [{"role": "system", "content": "s", "tools": tools}, user()])
    with pytest.raises(UserError, match=r"message 1 \(observation\) cannot follow"):
        chat.prompt(tokenizer, [{"role": "observation", "content": "x"}])
    with pytest.raises(UserError, match="of the user has tools"):
        chat.prompt(tokenizer, [user() | {"tools": []}])
    with pytest.raises(UserError, match="metadata"):
        chat.prompt(tokenizer, [user(), assistant() | {"metadata": 3}, user()])
    with pytest.raises(UserError, match="list of messages"):
        chat.messages("q", [("a", "b")])
    tools = [{"name": "f", "description": "查询"}]
    shown = json.dumps(tools, indent=4, ensure_ascii=False)
    requests = [{"role": "system", "content": "s", "tools": tools}, user()]
    assert chat.prompt(tokenizer, requests) == chat.prompt(
        tokenizer, [{"role": "system", "content": f"s\n{shown}"}, user()]
    )


def test_a_model_that_does_not_chat():
    with pytest.raises(UserError, match="not trained to chat"):
        chat_format(tokenizer_named("bpe"))
