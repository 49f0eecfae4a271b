"""Chat: the whole conversation decides, the memory only saves work; bounds; what is given back."""

from pathlib import Path

import pytest

from glmkit import Greedy, Model, TopP, load
from glmkit.core.errors import UserError
from glmkit.testing import tiny
from glmkit.text.chat import chat_format

HOW = TopP(p=0.95, seed=2)


@pytest.fixture(params=["chatglm", "chatglm2", "chatglm3", "codegeex2"])
def model(request: pytest.FixtureRequest) -> Model:
    return tiny(request.param)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_turns_with_a_prefix_cache_are_turns_from_scratch(model: Model) -> None:
    """`cached_tokens` counts what was not read again: nothing of a model that reads its prompt both ways, else all that
    is shared."""
    form, name = chat_format(model.tokenizer), model.tokenizer.chat
    messages: list[dict] = []
    cached = []
    for turn in ("hello", "and then?", "你好"):
        messages.append(user(turn))
        answer = model.stream_chat(messages, sampling=HOW, max_new_tokens=10)
        text = "".join(answer)
        fresh = tiny(name).stream_chat(messages, sampling=HOW, max_new_tokens=10)
        assert "".join(fresh) == text
        assert (fresh.ids, fresh.cached_tokens) == (answer.ids, 0)
        assert answer.prompt_length == len(form.prompt(model.tokenizer, messages))
        cached.append(answer.cached_tokens)
        messages += answer.reply.messages
    assert [known > 0 for known in cached] == [False, form.causal, form.causal]


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


@pytest.mark.parametrize("how", [{}, {"dtype": "bfloat16"}, {"dtype": "bfloat16", "quantize": "int4"}])
def test_a_question_asked_again_gets_the_same_reply(how: dict, tmp_path: Path) -> None:
    """Below float32 too, where sums depend on how many tokens are read at once: whatever was asked between, and with a
    system message that is known by then."""
    tiny("chatglm2").save(tmp_path / "model")
    model = load(tmp_path / "model", **how)
    system = {"role": "system", "content": "be brief and kind " * 6}

    def ask(messages: list[dict[str, str]]) -> list[int]:
        answer = model.stream_chat(messages, sampling=Greedy(), max_new_tokens=12)
        "".join(answer)
        return answer.ids

    talks = [[user(f"question {i} " + "word " * (i * 7 % 30))] for i in range(8)]
    talks += [[system, *conversation] for conversation in talks]
    first = [ask(conversation) for conversation in talks]
    assert [ask(conversation) for conversation in talks] == first
    assert [[ask(conversation), ask(conversation)] for conversation in reversed(talks)] == [
        [ids, ids] for ids in reversed(first)
    ]


def test_questions_behind_one_system_message_do_not_read_it_again() -> None:
    for name in ("chatglm2", "chatglm3", "codegeex2"):
        model = tiny(name)
        conversation = [{"role": "system", "content": "be brief and kind " * 6}, user("one")]
        shots = [user("a" * 80), {"role": "assistant", "content": "b"}, user("two")]
        for messages in (conversation, shots):
            known = []
            for text in ("one", "two", "three"):
                answer = model.stream_chat([*messages[:-1], user(text)], max_new_tokens=2)
                "".join(answer)
                known.append(answer.cached_tokens)
            assert known[0] == 0
            assert known[1] == known[2] >= sum(len(message["content"]) for message in messages[:-1])


def test_the_memory_of_a_long_talk_is_given_back() -> None:
    """To a new conversation what is more than it needs, and all of it on demand."""

    def kept(model: Model) -> int:
        return model.scheduler.prefix_cache.nbytes

    model, sizes = tiny("chatglm2"), []
    for text in ("x", "word " * 150, "x"):
        model.chat([user(text)], max_new_tokens=2)
        sizes.append(kept(model))
    assert sizes[0] == sizes[2] < sizes[1]
    model.free()
    assert kept(model) == 0
    answer = model.stream_chat([user("x")], max_new_tokens=2)
    "".join(answer)
    assert answer.cached_tokens == 0
