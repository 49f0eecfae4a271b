"""The calls of scripts written for the official code: what they mean, and what they are told."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import glmkit
from glmkit import Greedy, Model, Penalties, TopP
from glmkit.api.official_calls import _sampling
from glmkit.core.errors import UserError
from glmkit.testing import tiny
from glmkit.text.chat import chat_format


@pytest.fixture(params=["chatglm", "chatglm2", "chatglm3", "codegeex2"])
def model(request: pytest.FixtureRequest) -> Model:
    return tiny(request.param)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_a_talk(model: Model) -> None:
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


def test_arguments_by_name(model: Model) -> None:
    by_place = model.chat(model.tokenizer, "hello", [], max_new_tokens=4)
    assert model.chat(tokenizer=model.tokenizer, query="hello", history=[], max_new_tokens=4) == by_place
    assert model.chat(model.tokenizer, query="hello", max_new_tokens=4) == by_place
    assert model.chat(query="hello", max_new_tokens=4) == by_place
    *_, last = model.stream_chat(tokenizer=model.tokenizer, query="hello", history=None, max_new_tokens=4)
    assert last == by_place


@pytest.mark.parametrize("usual", [TopP(p=0.7, temperature=0.95), TopP(p=0.8, temperature=0.8)])
def test_an_option_leaves_the_others_as_usual(usual: TopP) -> None:
    p, temperature = usual.p, usual.temperature
    assert _sampling({}, usual) == usual
    assert _sampling({"temperature": 0.5}, usual) == TopP(p=p, temperature=0.5)
    assert _sampling({"top_p": 0.5, "top_k": 0}, usual) == TopP(p=0.5, temperature=temperature)
    assert _sampling({"top_k": 5, "seed": 3}, usual) == TopP(p=p, temperature=temperature, k=5, seed=3)
    penalized = TopP(p=p, temperature=temperature, penalties=Penalties(repetition=1.2))
    assert _sampling({"repetition_penalty": 1.2}, usual) == penalized
    assert (
        _sampling({"do_sample": False, "temperature": 0.5}, usual) == _sampling({"temperature": 0}, usual) == Greedy()
    )


def test_chat_draws_as_the_model_does(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[Any] = []
    whole = model.stream_chat
    monkeypatch.setattr(model, "stream_chat", lambda *a, **k: results.append(k["sampling"]) or whole(*a, **k))
    whole(model.tokenizer, "hello", temperature=0.5, top_p=None, max_new_tokens=1).__next__()
    usual = TopP(p=0.7) if model.tokenizer.chat == "chatglm" else TopP(p=0.8)
    assert results == [TopP(p=usual.p, temperature=0.5)]


def test_max_length_counts_all_that_is_read_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a call that is not shown too, and with a history that would not fit."""
    model, answers = tiny("chatglm3"), []
    whole = model.stream_chat
    monkeypatch.setattr(model, "stream_chat", lambda *a, **k: answers.append(whole(*a, **k)) or answers[-1])
    conversation = [user("a" * 30), {"role": "assistant", "metadata": "", "content": "b" * 30}] * 3
    for query, history in (("weather", []), ("hello " * 20, []), ("weather", conversation)):
        for more in (1, 30, 60):
            limit = len(query) + 30 + more
            *_, (_, after) = whole(model.tokenizer, query, history, max_length=limit, temperature=0.8)
            assert answers[-1].prompt_length < answers[-1].prompt_length + len(answers[-1].ids) <= limit
            assert after[: len(history)] == history
    with pytest.raises(UserError, match=r"max_length=20: the last message .* tokens, there is room for 15; shorten it"):
        model.chat(model.tokenizer, "x" * 30, [], max_length=20)
    assert model.chat(model.tokenizer, "hi", [], max_length=None, max_new_tokens=2)


def test_past_key_values_are_carried(model: Model) -> None:
    """As the official demos do; the replies are those of the history alone."""
    past, history, plain = None, [], []
    for query in ("hello", "more", "and more"):
        how = {"do_sample": False, "max_new_tokens": 6}
        turn = model.stream_chat(
            model.tokenizer, query, history, past_key_values=past, return_past_key_values=True, **how
        )
        *_, (response, history, past) = turn
        expected, plain = model.chat(model.tokenizer, query, plain, **how)
        assert (response, history) == (expected, plain)
    with pytest.raises(UserError, match="past_key_values is what the last turn"):
        next(model.stream_chat(model.tokenizer, "x", [], past_key_values=past))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"top_q": 1}, "chat has no option 'top_q'; did you mean 'top_p'?"),
        ({"num_beams": 2}, "writes one reply, not 2 beams"),
        ({"past_key_values": [1]}, "past_key_values is what the last turn of stream_chat"),
        ({"logits_processor": [1]}, "cannot obey logits_processor"),
        ({"history": "hello"}, "history"),
        ({"max_length": 0}, "max_length must be a whole number of at least 1, got 0"),
        ({"top_p": "much"}, "top_p must be a finite number"),
        ({"temperature": float("nan")}, "temperature must be a finite number"),
    ],
)
def test_calls_that_cannot_be_obeyed(options: dict, line: str) -> None:
    model = tiny("chatglm2")
    with pytest.raises(UserError, match=line):
        model.chat(model.tokenizer, "hello", **options)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda m: m.chat(m.tokenizer, None), "needs a text as query, got None"),
        (lambda m: m.chat(), "needs a text as query, got None; chat.messages. takes messages"),
        (
            lambda m: m.chat(object(), "hello", history=[]),
            "takes this model's own tokenizer, m.tokenizer, got a object",
        ),
        (lambda m: m.chat("hello", history=[]), "takes this model's own tokenizer, m.tokenizer, got a str"),
        (lambda m: m.tokenizer("hello", return_tensors="pt"), "a tokenizer of glmkit is not called: tokenizer.encode"),
        (lambda m: glmkit.AutoModel, r"glmkit has no AutoModel: use glmkit.load\(path\)"),
        (lambda m: __import__("glmkit", fromlist=["AutoTokenizer"]), "glmkit has no AutoTokenizer: use m.tokenizer"),
        (lambda m: m.train(), "trained by `glmkit finetune MODEL`"),
        (lambda m: m.to("abacus"), "no device 'abacus' on this machine"),
        (lambda m: m.to(torch.int8), "takes float32, bfloat16 or float16 of torch as dtype, got torch.int8"),
        (lambda m: m.to(3), "to takes a device or a dtype of torch, got 3"),
        (lambda m: m.quantize(5), "quantize takes 8 or 4 bits, got 5"),
        (lambda m: m.quantize(4).quantize(8), "this model is quantized already, in 8 bits|in 4 bits"),
    ],
)
def test_calls_that_are_told_what_to_do(call: Callable[[Model], object], line: str) -> None:
    with pytest.raises(UserError, match=line):
        call(tiny("chatglm2"))
