"""Prompts, stops and replies of the ChatGLM family against the original's, with the published vocabularies."""

import json
from typing import Any

import numpy as np
import pytest

from glmkit.text.chat import FORMATS, ChatFormat, chat_format
from glmkit.text.chatglm import ROLES
from glmkit.text.tokenizer import Tokenizer
from tests.parity.chatglm import SOURCES, golden_of, tokenizer_of


@pytest.fixture(scope="module", params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def golden(name: str) -> dict[str, Any]:
    return golden_of(name)


@pytest.fixture(scope="module")
def tokenizer(name: str) -> Tokenizer:
    return tokenizer_of(name)


@pytest.fixture(scope="module")
def chat(tokenizer: Tokenizer) -> ChatFormat:
    return chat_format(tokenizer)


def conversation(chat: ChatFormat, case: dict[str, Any]) -> list[dict[str, Any]]:
    messages = chat.messages(case["query"], case["history"])
    return [*messages[:-1], messages[-1] | {"role": case.get("role", "user")}]


def listed(value: Any) -> Any:
    """With tuples as lists, as the goldens are."""
    return json.loads(json.dumps(value))


def test_prompts(golden, tokenizer, chat):
    for case in golden["chat"]:
        assert chat.prompt(tokenizer, conversation(chat, case)) == case["prompt_ids"], case["query"]


def test_replies_and_histories(golden, tokenizer, chat):
    for case in golden["chat"]:
        messages = conversation(chat, case)
        stop = case["generated_ids"][-1]
        assert stop in chat.stop_ids(tokenizer)
        reply = chat.reply(tokenizer.decode(case["generated_ids"][:-1]), messages)
        assert listed(reply.content) == case["response"]
        assert listed(chat.history([*messages, *reply.messages])) == case["new_history"]


def test_what_a_model_wrote_as_it_is_shown(golden, name, chat):
    for case in golden["process_response"]:
        history = case.get("history", [])
        reply = chat.reply(case["in"], history)
        if "error" in case:  # a malformed call, which the original cannot run, stays text
            assert isinstance(reply.content, str)
            assert reply.content in case["in"]
        else:
            assert listed(reply.content) == case.get("out", case.get("content"))
            if name == "chatglm3":
                assert listed([*history, *reply.messages]) == case["new_history"]


def test_prompts_of_plain_text_and_pairs_for_training(golden, tokenizer, chat, name):
    for case in golden["strings"]:
        ids = case.get("ids_no_special_parsing", case["ids"])
        opening = case["ids_special"][len(case["ids"]) :] if name == "chatglm" else case["ids_special"][:2]
        framed = chat.framing(tokenizer.special)
        assert framed.continuation(ids) == ([*ids, *opening] if name == "chatglm" else [*opening, *ids])
    for case in golden["pairs"]:
        first, second = tokenizer.encode(case["a"]), tokenizer.encode(case["b"])
        prompt = chat.framing(tokenizer.special).continuation(first)
        assert [*prompt, *second, tokenizer.special.eod] == case["ids"]


def test_batches(golden, tokenizer, chat, name):
    """Rows padded on the left with the padding id; real tokens are numbered from 0 (ChatGLM-6B: to [gMASK])."""
    for case in golden["batches"]:
        options = case["options"]
        rows = [chat.framing(tokenizer.special).continuation(tokenizer.encode(text)) for text in case["texts"]]
        if options.get("truncation"):
            rows = [row[: options["max_length"]] for row in rows]
        if options.get("padding_side") == "right":
            continue
        width = options["max_length"] if options["padding"] == "max_length" else max(map(len, rows))
        assert case["input_ids"] == [[tokenizer.special.pad] * (width - len(row)) + row for row in rows]
        if name != "chatglm":
            assert case["attention_mask"] == [[0] * (width - len(row)) + [1] * len(row) for row in rows]
            assert case["position_ids"] == [[0] * (width - len(row)) + list(range(len(row))) for row in rows]
        else:
            for row, positions, blocked in zip(rows, case["position_ids"], case["attention_mask"], strict=True):
                pad, blank = width - len(row), len(row) - 2
                assert positions == [[0] * pad + [*range(blank + 1), blank], [0] * (width - 1) + [1]]
                visible = np.zeros((width, width), dtype=bool)
                visible[pad:, pad : width - 1] = visible[-1, pad:] = True
                assert np.array_equal(np.array(blocked[0], dtype=bool), ~visible)


@pytest.fixture(scope="module")
def chatglm2() -> Tokenizer:
    return tokenizer_of("chatglm2")


@pytest.fixture(scope="module")
def chatglm3() -> Tokenizer:
    return tokenizer_of("chatglm3")


def test_turns_that_the_original_puts_behind_a_kept_cache_end_the_whole_prompt(chatglm2):
    chat, golden = FORMATS["chatglm2"], golden_of("chatglm2")
    requests = {len(case["history"]): case for case in golden["chat"][:4]}
    for case in golden["cached_turns"]:
        before = requests[case["history_turns"] - 1]
        messages = chat.messages(case["query"], before["new_history"])
        ids = case["input_ids"]
        assert chat.prompt(chatglm2, messages)[-len(ids) :] == ids
        assert case["position_ids"] == [case["cache_length"] - (case["pre_seq_len"] or 0) + i for i in range(len(ids))]


def test_a_conversation_of_chatglm3_is_its_messages_one_behind_the_other(chatglm3):
    """So that what a model has read need not be read again. The original writes [gMASK] sop again in the middle."""
    chat, golden = FORMATS["chatglm3"], golden_of("chatglm3")
    for case in golden["chat"]:
        if case["history"] and case["history"][-1]["role"] == "assistant":
            messages = conversation(chat, case)
            prompt = chat.prompt(chatglm3, messages[:-2])
            reply, question = (chat.message(chatglm3, message) for message in messages[-2:])
            assert [*prompt, *reply[1:], *question, ROLES["<|assistant|>"]] == case["prompt_ids"]


def test_single_messages_of_chatglm3(chatglm3):
    for case in golden_of("chatglm3")["single_messages"]:
        message = {"role": case["role"], "metadata": case["metadata"], "content": case["message"]}
        assert FORMATS["chatglm3"].message(chatglm3, message) == case["ids"]


def test_roles_written_in_a_text_of_chatglm3(chatglm3):
    assert chatglm3.marks == ROLES
    for case in golden_of("chatglm3")["encode_special_tokens"]:
        assert chatglm3.encode_marked(case["text"]) == case["ids"]
        assert chatglm3.encode(case["text"]) == case["ids_off"]
        assert [chatglm3.piece(id) for id in case["ids"]] == case["tokens"]


def test_prompts_for_code():
    tokenizer, golden = tokenizer_of("codegeex2"), golden_of("codegeex2")
    for case in golden["code_prompts"]:
        framed = FORMATS["codegeex2"].framing(tokenizer.special)
        assert framed.continuation(tokenizer.encode(case["text"])) == case["ids_special"]
