"""Rows as conversations, and as sources with targets: nothing of a row is dropped without a word."""

import json
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.config import DataConfig
from glmkit.finetuning.conversations import Conversation, read_conversations, read_source_targets
from glmkit.text.roles import call_parameters

ALPACA = DataConfig(prompt="instruction,input", response="output")


def file_of(folder: Path, rows: Any, name: str = "rows.json") -> Path:
    (folder / name).write_text(json.dumps(rows), encoding="utf-8")
    return folder / name


def talks(folder: Path, rows: list[dict[str, Any]], data: DataConfig | None = None) -> list[Conversation]:
    return read_conversations(file_of(folder, rows), data or DataConfig())


def said(talk: Conversation) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in talk.messages]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("x", "Do it.\nx"),
        (21, "Do it.\n21"),
        (-4.5, "Do it.\n-4.5"),
        (0, "Do it.\n0"),
        ("", "Do it."),
        (None, "Do it."),
    ],
)
def test_an_input_is_read_as_the_text_it_means(value: Any, read: str, tmp_path: Path) -> None:
    (conversation,) = talks(tmp_path, [{"instruction": "Do it.", "input": value, "output": "ok"}], ALPACA)
    assert said(conversation) == [("user", read), ("assistant", "ok")]


@pytest.mark.parametrize("value", [True, [1, 2], ["a"], {"name": "Bo"}, [], {}])
@pytest.mark.parametrize("column", ["instruction", "input", "output"])
def test_what_is_no_text_is_named_by_file_row_and_column(column: str, value: Any, tmp_path: Path) -> None:
    good = {"instruction": "a", "input": "b", "output": "c"}
    with pytest.raises(UserError, match=rf"rows\.json: item 2: column '{column}' holds .*; it must be text"):
        talks(tmp_path, [good, good | {column: value}], ALPACA)


def test_a_column_that_no_row_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    rows = [{"instruction": "a", "output": "b"}, {"instruction": "a", "input": "x", "output": "b"}]
    assert [said(talk)[0][1] for talk in talks(tmp_path, rows, ALPACA)] == ["a", "a\nx"]
    for prompt, response, history, line in (
        ("instruction,inputs", "output", "history", r"item 1: nothing in column 'inputs'.*did you mean 'input'"),
        ("instruction, inputs", "output", "history", r"nothing in column 'inputs'.*did you mean 'input'"),
        ("instruction", "outputs", "history", r"item 1: no column 'outputs'; did you mean 'output'"),
        ("instruction", "output", "hist", r"nothing in column 'hist'.*data\.history"),
    ):
        with pytest.raises(UserError, match=line):
            talks(tmp_path, rows, DataConfig(prompt=prompt, response=response, history=history))


def test_spaces_around_commas_and_commas_in_names_do_no_harm(tmp_path: Path) -> None:
    rows = [{"instruction": "a", "input": "x", "output": "b", "one, two": "y"}]
    for prompt, read in (("instruction , input", "a\nx"), (" input,instruction", "x\na"), ("one, two", "y")):
        (conversation,) = talks(tmp_path, rows, DataConfig(prompt=prompt, response=" output"))
        assert said(conversation)[0] == ("user", read)


def test_alpacas_columns_are_known_where_nobody_names_any(tmp_path: Path) -> None:
    rows = [{"instruction": "a", "input": "", "output": "b"}, {"instruction": "c", "input": 7, "output": "d"}]
    first, second = talks(tmp_path, rows)
    assert (said(first), said(second)) == (
        [("user", "a"), ("assistant", "b")],
        [("user", "c\n7"), ("assistant", "d")],
    )
    assert first.form == "Alpaca's columns instruction, input, output"
    (conversation,) = talks(tmp_path, [{"instruction": "a", "output": "b", "system": "s", "history": [["q", "r"]]}])
    assert said(conversation) == [("system", "s"), ("user", "q"), ("assistant", "r"), ("user", "a"), ("assistant", "b")]
    with pytest.raises(UserError, match="nothing in column 'prompt'"):
        talks(tmp_path, [{"question": "a", "answer": "b"}])


def shared(*spoken: tuple[str, Any], **columns: Any) -> dict[str, Any]:
    return {"conversations": [{"from": speaker, "value": value} for speaker, value in spoken], **columns}


def test_sharegpts_rows_are_read(tmp_path: Path) -> None:
    rows = [
        shared(("human", "a"), ("gpt", "b"), ("user", 4), ("assistant", "c")),
        shared(("system", "s"), ("human", "a"), ("gpt", "b")),
        shared(("human", "a"), ("gpt", "b"), system="s"),
        {"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    ]
    result = talks(tmp_path, rows)
    assert said(result[0]) == [("user", "a"), ("assistant", "b"), ("user", "4"), ("assistant", "c")]
    assert said(result[1]) == said(result[2]) == [("system", "s"), ("user", "a"), ("assistant", "b")]
    assert [item.form for item in result] == ["ShareGPT's conversations (from, value)"] * 3 + [""]


def test_a_call_of_a_tool_is_written_as_chatglm3_writes_it(tmp_path: Path) -> None:
    call = {"name": "weather", "arguments": {"city": "北京", "days": 3, "deep": {"a": [1, None]}}}
    tools = [{"name": "weather", "parameters": {}}]
    spoken = [("human", "?"), ("function_call", json.dumps(call)), ("observation", "sunny"), ("gpt", "Sunny.")]
    for given in (tools, json.dumps(tools)):
        (conversation,) = talks(tmp_path, [shared(*spoken, tools=given)])
        system, _, called, seen, _ = conversation.messages
        assert system["tools"] == tools
        assert system["content"].startswith("Answer the following questions")
        assert called["metadata"] == "weather"
        assert call_parameters("\n".join(called["content"].split("\n")[1:-1])) == call["arguments"]
        assert seen == {"role": "observation", "content": "sunny"}


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (shared(("humen", "a"), ("gpt", "b")), r"message 1 is from 'humen'; did you mean 'human'"),
        (shared((["human"], "a"), ("gpt", "b")), r"message 1 is from \['human'\]"),
        (shared(("human", ["a"]), ("gpt", "b")), r"message 1 \(human\) holds \['a'\]; it must be text"),
        ({"conversations": [{"from": "human"}]}, r"message 1 has no 'value'"),
        (shared(("function_call", "f(x)"), ("gpt", "b")), r"message 1: not JSON"),
        (
            shared(("function_call", {"name": "f", "arguments": {"a b": 1}})),
            r"message 1 \(function_call\): arguments must be a table",
        ),
        (shared(("function_call", [1])), r'message 1 \(function_call\) must be \{"name"'),
        (shared(("system", "s"), ("human", "a"), ("gpt", "b"), system="t"), r"a system message and a column 'system'"),
        (shared(("human", "a"), ("gpt", "b"), tools="["), r"column 'tools': not JSON"),
        ({"messages": [{"role": "user", "content": "a", "weight": 0}]}, r"message 1 has a weight, which is not read"),
        ({"messages": ["a"]}, r"messages must be a list of messages"),
        ({"prompt": "a", "response": "b", "history": [["a", 1], ["b", None, "c"]]}, r"history must be pairs"),
        ({"prompt": "a", "response": "b", "history": [["a", {}]]}, r"history, item 2 holds \{\}; it must be text"),
    ],
)
def test_what_cannot_be_read_of_a_conversation_is_named(row: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"rows\.json: item 1: {line}"):
        talks(tmp_path, [row])


SQUAD = {
    "about": "x" * 5000,
    "data": [
        {
            "paragraphs": [
                {
                    "context": "你好 def",
                    "qas": [
                        {"id": 1, "question": "q", "answers": [{"text": "你好"}, {"text": "你好"}, {"text": "def"}]},
                        {"id": "b", "question": "r", "answers": ["def"]},
                    ],
                }
            ]
        }
    ],
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(("name", "mark"), [("a.json", ""), ("A.JSON", ""), ("b.json", "\ufeff")])
def test_files_of_squads_form_are_pairs(name: str, mark: str, indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(mark + json.dumps(SQUAD, ensure_ascii=False, indent=indent), encoding="utf-8")
    first, second = read_source_targets(path, DataConfig())
    assert (first.source, first.targets, first.fields["question"]) == ("你好 def", ("你好", "def"), "q")
    assert second.fields["answer"] == "def"
    assert first.where == f"{path}: question 1"


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ({"id": 1, "question": "q", "answers": []}, r"question 1: no answer; leave out questions that have none"),
        ({"id": 1, "question": "q", "is_impossible": True}, r"question 1: no 'answers'"),
        ({"id": 1, "question": ["q"], "answers": ["a"]}, r"question 1: column 'question' holds"),
        ({"id": 1, "question": "q", "answers": [{"text": 1}, {}]}, r"answers, item 2: no 'text'"),
    ],
)
def test_a_question_without_its_parts_is_named(question: dict[str, Any], line: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, {"data": [{"paragraphs": [{"context": "a", "qas": [question]}]}]})
    with pytest.raises(UserError, match=line):
        read_source_targets(path, DataConfig())


def test_sources_and_targets_are_texts_or_lists_of_them(tmp_path: Path) -> None:
    rows = [{"source": ["a", "b"], "target": ["x", "y"], "n": 3, "deep": {}}, {"source": 5, "target": 1.5}]
    first, second = read_source_targets(file_of(tmp_path, rows), DataConfig())
    assert (first.source, first.targets, first.fields["n"]) == ("a b", ("x", "y"), "3")
    assert (second.source, second.targets) == ("5", ("1.5",))
    with pytest.raises(UserError, match=r"item 1: column 'deep' holds \{\}; it must be text"):
        first.fields["deep"]
    for row, line in (
        ({"source": ["a", 1, None, []], "target": "b"}, r"column 'source', item 4 holds \[\]"),
        ({"source": "a", "target": []}, r"column 'target' holds \[\]; it must be text"),
        ({"source": "a", "target": ["b", " "]}, r"column 'target' holds"),
        ({"source": "a", "targets": "b"}, r"no column 'target'; did you mean 'targets'"),
        ({"source": False, "target": "b"}, r"column 'source' holds False; it must be text"),
    ):
        with pytest.raises(UserError, match=line):
            read_source_targets(file_of(tmp_path, [row]), DataConfig())
