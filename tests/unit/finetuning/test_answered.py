"""Predictions as files: every column of the rows beside them, under a name of its own."""

import json
from pathlib import Path

import pytest

from glmkit.core.errors import UserError
from glmkit.finetuning.answered import as_csv, as_jsonl, check_output
from glmkit.finetuning.predictions import Prediction
from glmkit.tasks.tables import read_rows

FOUND = [Prediction("neg", {"neg": 0.75, "pos": 0.25}), Prediction("pos", {"neg": 0.5, "pos": 0.5})]


def test_the_rows_own_columns_are_kept_beside_the_answers(tmp_path: Path) -> None:
    rows = [{"评论": 'a "b",\r\n c\rd', "n": 3, "deep": {"x": [1]}}, {"评论": "e", "more": None}]
    (tmp_path / "t.csv").write_bytes(as_csv(FOUND, rows, ("neg", "pos")).encode())
    assert read_rows(tmp_path / "t.csv") == [
        {
            "label": "neg",
            "p(neg)": "0.750000",
            "p(pos)": "0.250000",
            **rows[0],
            "n": "3",
            "deep": '{"x": [1]}',
            "more": "",
        },
        {"label": "pos", "p(neg)": "0.500000", "p(pos)": "0.500000", "评论": "e", "n": "", "deep": "", "more": ""},
    ]
    lines = [json.loads(line) for line in as_jsonl(FOUND, rows).split("\n") if line]
    assert lines[0] == {"label": "neg", "probabilities": {"neg": 0.75, "pos": 0.25}, "row": rows[0]}


def test_no_two_columns_have_one_name() -> None:
    names = as_csv(FOUND[:1], [{"label": "a", "p(neg)": "b", "label (given)": "c"}], ("neg", "pos")).split("\n")[0]
    assert names == "label,p(neg),p(pos),label (given) (given),p(neg) (given),label (given)"


def test_where_a_row_asks_several_questions_they_are_named() -> None:
    results = [Prediction("0", {"0": 1.0}, f"1-{n}") for n in range(2)]
    assert as_csv(results, [{"passage": {}}], ("0",)) == "label,p(0),row\n0,1.000000,1-0\n0,1.000000,1-1\n"


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(UserError, match="exists already; give --overwrite"):
        check_output(tmp_path / "t.csv", False)
    check_output(tmp_path / "t.csv", True)
    check_output(tmp_path / "other.JSONL", False)
    with pytest.raises(UserError, match=r"unknown format '\.xlsx'; use \.csv or \.jsonl"):
        check_output(tmp_path / "t.xlsx", False)
