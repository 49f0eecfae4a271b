"""Lessons stand behind what chat reads, and teach the replies and their ends, nothing else."""

import pytest

from glmkit.core.errors import UserError
from glmkit.testing import tiny
from glmkit.text.chat import chat_format
from glmkit.text.labelled_sequence import LabelledSequence, labelled_sequences
from glmkit.text.tokenizer import Tokenizer

TALK = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "and 1?"},
    {"role": "assistant", "content": "three"},
]


def tokenizer(name: str) -> Tokenizer:
    return tiny(name).tokenizer


def taught(sequence: LabelledSequence) -> list[tuple[list[int], list[int]]]:
    """Each reply that is learned, with the ids read before it, from the arrays alone."""
    results: list[tuple[list[int], list[int]]] = []
    for t, learned in enumerate(sequence.loss_mask):
        if learned and not (t and sequence.loss_mask[t - 1] and sequence.targets[t - 1] == sequence.tokens[t]):
            results.append((sequence.tokens[: t + 1], []))
        if learned:
            results[-1][1].append(sequence.targets[t])
    return results


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "codegeex2", "chatglm3"])
def test_each_reply_stands_behind_what_chat_reads(name: str) -> None:
    words = tokenizer(name)
    form = chat_format(words)
    results = [pair for sequence in labelled_sequences(form, words, TALK) for pair in taught(sequence)]
    assert [prompt for prompt, _ in results] == [form.prompt(words, TALK[:1]), form.prompt(words, TALK[:3])]
    for (_, reply), message in zip(results, (TALK[1], TALK[3]), strict=True):
        assert reply[:-1] == form.written(words, [message])
        assert reply[-1] in form.stop_ids(words)


def test_rounds_that_are_read_once_are_one_lesson_and_those_read_both_ways_are_not() -> None:
    counts = {
        name: len(labelled_sequences(chat_format(tokenizer(name)), tokenizer(name), TALK))
        for name in ("chatglm", "chatglm2")
    }
    assert counts == {"chatglm": 2, "chatglm2": 1}


def test_the_role_that_follows_ends_a_reply() -> None:
    words = tokenizer("chatglm3")
    (sequence,) = labelled_sequences(chat_format(words), words, TALK)
    ends = [reply[-1] for _, reply in taught(sequence)]
    assert ends == [words.marks["<|user|>"], words.special.eod]


def test_a_call_of_a_tool_and_its_answer_are_learned_as_they_are_written() -> None:
    words = tokenizer("chatglm3")
    conversation = [
        {"role": "system", "content": "Tools:", "tools": [{"name": "time"}]},
        {"role": "user", "content": "time?"},
        {"role": "assistant", "metadata": "time", "content": "```python\ntool_call()\n```"},
        {"role": "observation", "content": "12"},
        {"role": "assistant", "content": "noon"},
    ]
    (sequence,) = labelled_sequences(chat_format(words), words, conversation)
    (_, call), (_, answer) = taught(sequence)
    assert words.decode(call[:-1]) == "time\n```python\ntool_call()\n```"
    assert call[-1] == words.marks["<|observation|>"]
    assert answer[:-1] == [*words.encode("\n"), *words.encode("noon")]


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        ([], "there are no messages"),
        (TALK[:3], "the last message is the user's"),
        ([TALK[0], {"role": "assistant", "content": " "}], "nothing to learn"),
        ([TALK[1]], "message 1 is"),
        ([TALK[0], {"role": "assistant", "content": "b\ud83d"}], r"message 2 \(assistant\) is no Unicode text"),
        ([{"role": "user", "content": "\udc00"}, TALK[1]], r"message 1 \(user\) is no Unicode text"),
        ([TALK[0], TALK[1], TALK[1], TALK[2], TALK[3]], "cannot follow"),
    ],
)
def test_conversations_that_teach_nothing(talk: list[dict[str, str]], said: str) -> None:
    words = tokenizer("chatglm2")
    with pytest.raises(UserError, match=said):
        labelled_sequences(chat_format(words), words, talk)
