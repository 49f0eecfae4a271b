"""Benchmarks' rows, whole and with every part of them bent: what is no text is named, never a traceback."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.tasks.cells import Row, label
from glmkit.tasks.registry import TASKS
from glmkit.tasks.task import Split

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_TARGET = {"span1_text": "Bo", "span1_index": 0, "span2_text": "he", "span2_index": 1}
ROWS: dict[str, dict[str, Any]] = {
    "rte": {"premise": "a", "hypothesis": "b", "label": "entailment"},
    "boolq": {"passage": "a", "question": "b", "label": True},
    "wic": {"sentence1": "a", "sentence2": "b", "word": "c", "label": False},
    "copa": {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 1},
    "multirc": {
        "idx": 1,
        "passage": {
            "text": "a",
            "questions": [{"idx": 1, "question": "b", "answers": [{"idx": 1, "text": "c", "label": 1}]}],
        },
    },
    "record": {
        "idx": 1,
        "passage": {"text": "Bo ran", "entities": [{"start": 0, "end": 1}]},
        "qas": [{"idx": 1, "query": "@placeholder ran", "answers": [{"text": "Bo"}]}],
    },
    "wsc": {"text": "Bo he", "target": _TARGET, "candidates": [{"text": "Al"}], "label": True},
    "cluewsc": {"text": "Bo he", "target": _TARGET | {"span2_index": 3}, "label": "true"},
    "race": {"id": "r", "article": "a", "questions": ["b _", "c"], "options": [["d", "e"]] * 2, "answers": ["A", "B"]},
    "squad": {"paragraphs": [{"context": "a", "qas": [{"id": 1, "question": "b", "answers": [{"text": "c"}]}]}]},
    "csl": {"abst": "a", "keyword": ["b", "c"], "label": "1"},
    "chid": {"content": "a #idiom# b", "candidates": ["c", "d"], "answer": 1},
    "tnews": {"sentence": "a", "keywords": "b", "label": 100},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a row."""
    if path:
        yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*path, key))


def bent(row: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(row)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def said_of(name: str, row: dict[str, Any], split: Split) -> str:
    """What is said of a row that cannot be read."""
    try:
        TASKS[name].read([Row(row, "f:", 1)], split)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ROWS)
def test_a_whole_row_is_read(name: str) -> None:
    for split in SPLITS:
        assert TASKS[name].read([Row(ROWS[name], "f:", 1)], split)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_with_any_part_bent_is_read_or_named(name: str) -> None:
    for path in places(ROWS[name]):
        for value in (None, True, 7, -1, 10**30, 2.5, "", "x", "7", [], [[]], {}, {"a": {}}, "\ud83d"):
            for split in SPLITS[:2]:
                error = said_of(name, bent(ROWS[name], path, value), split)
                assert error == "" or error.startswith("f:1: "), (path, value, error)
                assert "\n" not in error


def test_a_text_where_a_list_of_them_belongs_is_no_list_of_letters() -> None:
    with pytest.raises(UserError, match=r"f:1: column 'keyword' holds 'ab'; it must be a list of texts"):
        TASKS["csl"].read([Row(ROWS["csl"] | {"keyword": "ab"}, "f:1")], "dev")


def test_labels_are_known_by_what_they_mean() -> None:
    for value, labels, number in (
        ("b", ("a", "b"), 1),
        (" b ", ("a", "b"), 1),
        (1, ("0", "1"), 1),
        (True, ("false", "true"), 1),
        (False, ("False", "True"), 0),
        (None, ("a",), None),
        ("", ("a",), None),
    ):
        assert label({"label": value}, labels) == number
    assert label({}, ("a",)) is None
    for value, said in (("c", "it must be one of a, b"), (["a"], "it must be text"), ("a\ud83d", "no Unicode text")):
        with pytest.raises(UserError, match=said):
            label({"label": value}, ("a", "b"))
