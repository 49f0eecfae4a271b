"""glmkit chat --url: a conversation with a server."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glmkit import Greedy, Penalties, TopP
from glmkit.cli.main import main
from glmkit.cli.remote import RemoteModel, _fields
from glmkit.core.errors import UserError
from glmkit.serve.keys import Keys
from glmkit.serve.models import Models

from .conftest import Served, serving, settings

Says = Callable[..., None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_conversation(
    chatglm3: Served, says: Says, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    says("你好")
    typed("hello\nand you?\n")
    assert main(["chat", "--url", f"{chatglm3.url}/v1/", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "你好\n你好\n"


def test_a_turn_is_that_of_the_model_here(server: Served, models: Models) -> None:
    remote = RemoteModel(server.url, "chatglm2")
    messages = [{"role": "user", "content": "hello"}]
    how = TopP(p=0.7, temperature=0.9, seed=4, penalties=Penalties(repetition=1.1, bias={65: 1.5}))
    answer = remote.stream_chat(messages, sampling=how, max_new_tokens=12, overflow="error")
    text = "".join(answer)
    assert text == models.models["chatglm2"].model.chat(messages, sampling=how, max_new_tokens=12)
    assert answer.reply.messages == [{"role": "assistant", "content": text}]
    assert (answer.finish_reason in ("stop", "length"), len(answer.ids) > 0, answer.prompt_length > 0) == (True,) * 3
    usual = models.models["chatglm2"].model.chat_sampling
    assert (remote.chat_sampling.p, remote.chat_sampling.temperature) == (usual.p, usual.temperature)


def test_oldest_rounds_are_left_out(chatglm3: Served) -> None:
    remote = RemoteModel(chatglm3.url, None)
    rounds = [{"role": "user", "content": "x" * 400}, {"role": "assistant", "content": "y"}] * 4
    messages = [{"role": "system", "content": "s"}, *rounds, {"role": "user", "content": "last"}]
    answer = remote.stream_chat(messages, sampling=Greedy(), max_new_tokens=2, overflow="truncate")
    assert (list(answer) is not None, answer.dropped) == (True, 2)
    with pytest.raises(UserError, match="maximum context length is 1024"):
        remote.stream_chat(messages, sampling=Greedy(), max_new_tokens=2, overflow="error")


def test_closing_it_frees_the_place(chatglm3: Served) -> None:
    from .test_going_away import busy, until

    remote = RemoteModel(chatglm3.url, None)
    how = TopP(penalties=Penalties(bias={257: -100}))
    answer = remote.stream_chat([{"role": "user", "content": "x"}], sampling=how, max_new_tokens=900, overflow="error")
    next(iter(answer))
    answer.close()
    until(lambda: busy(chatglm3) == 0, 2)


@pytest.fixture(scope="module")
def guarded(models: Models) -> Iterator[Served]:
    import hashlib

    keys = Keys({hashlib.sha256(b"sk-0123456789").digest(): "me"})
    with serving(lambda progress: models, settings(keys=keys)) as served:
        yield served


def test_keys(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLMKIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=r"needs an API key.*; glmkit sends the key that GLMKIT_API_KEY holds"):
        RemoteModel(guarded.url, None)
    monkeypatch.setenv("GLMKIT_API_KEY", "sk-0123456789")
    assert RemoteModel(guarded.url, None).name == "chatglm3"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://127.0.0.1:9", "is it started"),
        ("ftp://x", "write it as http://"),
        ("http://", "write it as http://"),
        ("http://x:99999", "write it as http://"),
    ],
)
def test_addresses_that_do_not_answer(url: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--url", url, "--prompt", "hi"]) == 2
    assert line in capsys.readouterr().err


def test_names_that_are_none(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "nothing", "--url", server.url, "--prompt", "hi"]) == 2
    assert "it has chatglm3, chatglm2, chatglm, glm" in capsys.readouterr().err
    assert main(["chat", "glm", "--url", server.url, "--prompt", "hi"]) == 2
    assert "was not trained to chat" in capsys.readouterr().err
    assert main(["chat", "--prompt", "hi"]) == 2
    assert "required: model" in capsys.readouterr().err


def test_a_strategy_as_fields() -> None:
    assert _fields(Greedy()) == {"temperature": 0}
    how: Any = TopP(p=0.5, k=3, min_p=0.1, temperature=0.7, seed=1, penalties=Penalties(presence=1, frequency=0.5))
    assert _fields(how) == {
        "temperature": 0.7,
        "top_p": 0.5,
        "top_k": 3,
        "min_p": 0.1,
        "seed": 1,
        "presence_penalty": 1,
        "frequency_penalty": 0.5,
    }
