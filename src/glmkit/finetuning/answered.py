"""Predictions as files: the answers, and beside them the rows they are the answers to.

| | columns |
|---|---|
| .csv | label, p(NAME) of each label, then the row's own; of those, one that has a name from before gets " (given)" |
| .jsonl | {"label": ..., "probabilities": {NAME: p}, "row": {the row's own}} |

Where a row asks several questions (MultiRC) their names stand in the place of the rows.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.finetuning.predictions import Prediction

FORMATS = (".csv", ".jsonl")


def check_output(path: Path, overwrite: bool) -> None:
    """Raises UserError for a file of no known format, and for one that is there already."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"--output {path}: unknown format {path.suffix!r}; use {' or '.join(FORMATS)}")
    if path.exists() and not (overwrite and path.is_file()):
        raise UserError(f"{path} exists already; give --overwrite to replace it, or another name")


def as_jsonl(predictions: Sequence[Prediction], rows: Sequence[Table]) -> str:
    """The predictions, one a line."""
    return "".join(
        json.dumps(
            {"label": prediction.label, "probabilities": prediction.probabilities, "row": row}, ensure_ascii=False
        )
        + "\n"
        for prediction, row in zip(predictions, _given(predictions, rows), strict=True)
    )


def as_csv(predictions: Sequence[Prediction], rows: Sequence[Table], labels: Sequence[str]) -> str:
    """The predictions as a table with a line of names."""
    given = _given(predictions, rows)
    ours = ["label", *(f"p({name})" for name in labels)]
    theirs = list(dict.fromkeys(name for row in given for name in row))
    shown: list[str] = []
    for column in theirs:
        name = column
        while name in {*ours, *shown} or (name != column and name in theirs):
            name += " (given)"
        shown.append(name)
    lines = [[*ours, *shown]]
    for prediction, row in zip(predictions, given, strict=True):
        chances = [f"{prediction.probabilities[name]:.6f}" for name in labels]
        lines.append([prediction.label, *chances, *(_cell(row.get(name)) for name in theirs)])
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _given(predictions: Sequence[Prediction], rows: Sequence[Table]) -> list[Table]:
    """The row of each prediction."""
    if len(predictions) != len(rows):
        return [{"row": prediction.row} for prediction in predictions]
    return list(rows)


def _quoted(cell: str) -> str:
    """A cell of .csv. (Python's own writer leaves a carriage return unquoted where lines end with \\n.)"""
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in '",\r\n') else cell


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
