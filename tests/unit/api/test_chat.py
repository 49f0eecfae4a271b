"""Chat: the whole conversation decides, the memory only saves work; bounds; the calls of old scripts."""

import pytest

from glmkit import Greedy, Model, TopP
from glmkit.core.errors import UserError
from glmkit.testing import tiny
from glmkit.text.chat import chat_format

HOW = TopP(p=0.95, seed=2)


@pytest.fixture(params=["chatglm", "chatglm2", "chatglm3", "codegeex2"])
def model(request: pytest.FixtureRequest) -> Model:
    return tiny(request.param)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_turns_with_a_memory_are_turns_from_scratch(model: Model) -> None:
    """`reused` says what was known: nothing of a model that reads its prompt both ways, all that is shared else."""
    form, name = chat_format(model.tokenizer), model.tokenizer.chat
    messages: list[dict] = []
    reused = []
    for turn in ("hello", "and then?", "你好"):
        messages.append(user(turn))
        answer = model.stream_chat(messages, sampling=HOW, max_new_tokens=10)
        text = "".join(answer)
        fresh = tiny(name).stream_chat(messages, sampling=HOW, max_new_tokens=10)
        assert "".join(fresh) == text
        assert (fresh.ids, fresh.reused) == (answer.ids, 0)
        assert answer.prompt_length == len(form.prompt(model.tokenizer, messages))
        reused.append(answer.reused)
        messages += answer.reply.messages
    assert [known > 0 for known in reused] == [False, form.causal, form.causal]


def test_an_unfinished_reply_does_not_disturb_another(model: Model) -> None:
    alone = model.chat([user("second")], sampling=HOW, max_new_tokens=10)
    first = model.stream_chat([user("first")], sampling=HOW, max_new_tokens=10)
    whole = model.chat([user("first")], sampling=HOW, max_new_tokens=10)
    begun = next(first, "")
    assert model.chat([user("second")], sampling=HOW, max_new_tokens=10) == alone
    begun += "".join(first)
    assert first.reply.content == whole
    stopped = model.stream_chat([user("first")], sampling=HOW, max_new_tokens=10)
    next(stopped, None)
    stopped.close()
    assert model.chat([user("second")], sampling=HOW, max_new_tokens=10) == alone


def test_the_oldest_rounds_make_room(model: Model) -> None:
    limit = model.config.max_positions
    messages = [{"role": "system", "content": "brief"}]
    for number in range(40):
        messages += [user(f"question {number} " + "x" * 40), {"role": "assistant", "content": "an answer"}]
    answer = model.stream_chat([*messages, user("last")], max_new_tokens=5, sampling=Greedy())
    "".join(answer)
    assert 0 < answer.dropped < 40
    assert answer.prompt_length + 5 <= limit
    kept = [messages[0], *messages[1 + 2 * answer.dropped :], user("last")]
    assert answer.reply.content == model.chat(kept, max_new_tokens=5, sampling=Greedy())
    with pytest.raises(UserError, match=rf"the conversation has \d+ tokens, the model reads at most {limit}"):
        model.stream_chat([*messages, user("last")], overflow="error")
    with pytest.raises(UserError, match="there is room for"):
        model.stream_chat([user("y" * 2000)])


def test_a_conversation_that_cannot_be_answered_fails_at_once(model: Model) -> None:
    with pytest.raises(UserError, match="there are no messages to answer"):
        model.stream_chat([])
    with pytest.raises(UserError, match="message 1 has role 'usr'; did you mean 'user'"):
        model.chat([{"role": "usr", "content": "x"}])


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("temperatur", "chat takes no 'temperatur'; did you mean 'temperature'?"),
        ("max_tokens", "chat takes no 'max_tokens'; did you mean 'max_new_tokens'?"),
    ],
)
def test_an_argument_that_chat_does_not_take(argument: str, line: str) -> None:
    with pytest.raises(UserError, match=line):
        tiny("chatglm2").chat([user("hello")], **{argument: 1})


def test_old_calls(model: Model) -> None:
    history: list = []
    messages: list[dict] = []
    for query in ("hello", "more"):
        response, history = model.chat(model.tokenizer, query, history=history, do_sample=False, max_new_tokens=8)
        answer = model.stream_chat([*messages, user(query)], sampling=Greedy(), max_new_tokens=8)
        "".join(answer)
        assert response == answer.reply.content
        messages += [user(query), *answer.reply.messages]
        assert history == chat_format(model.tokenizer).history(messages)
    *_, (streamed, after) = model.stream_chat(model.tokenizer, "x", [], top_p=0.9, temperature=0.7, max_length=40)
    assert (streamed, after) == model.chat(model.tokenizer, "x", [], top_p=0.9, temperature=0.7, max_length=40)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"top_q": 1}, "chat has no option 'top_q'; did you mean 'top_p'?"),
        ({"num_beams": 2}, "writes one reply, not 2 beams"),
        ({"past_key_values": [1]}, "cannot obey past_key_values"),
        ({"history": "hello"}, "history"),
    ],
)
def test_old_calls_that_cannot_be_obeyed(options: dict, line: str) -> None:
    model = tiny("chatglm2")
    with pytest.raises(UserError, match=line):
        model.chat(model.tokenizer, "hello", **options)
    with pytest.raises(UserError, match="needs a text as query"):
        model.chat(model.tokenizer, None)  # type: ignore[call-overload]
