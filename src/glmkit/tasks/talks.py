"""Rows of the user's files as conversations to learn from, or as sources with their targets.

{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}    also "conversations"
{"prompt": "...", "response": "...", "history": [["...", "..."]]}                               the official scripts'
{"source": "...", "target": "..."}        lists: sentences of one source; several targets, of which the first is learned
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glmkit.core.errors import CorruptFile, UserError, nearest, short
from glmkit.tasks.config import DataConfig
from glmkit.tasks.tables import read_rows

Row = Mapping[str, Any]
_MESSAGES = ("messages", "conversations")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A source, what is to be written for it, and the row's other columns, for the form's template."""

    where: str
    source: str
    targets: tuple[str, ...]
    fields: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A conversation that ends with a reply."""

    where: str
    messages: tuple[Mapping[str, Any], ...]


def read_talks(path: Path, data: DataConfig) -> list[Talk]:
    """The conversations of a file. Raises UserError naming file and line for a column that is missing or empty."""
    return [Talk(where=row["_where"], messages=tuple(_messages(row, data))) for row in read_rows(path)]


def _messages(row: Row, data: DataConfig) -> list[Mapping[str, Any]]:
    where = row["_where"]
    for name in _MESSAGES:
        if name in row:
            if not isinstance(row[name], list) or not all(isinstance(message, Mapping) for message in row[name]):
                raise UserError(f"{where}: {name} must be a list of messages, got {short(row[name])}")
            return [*row[name]]
    query = "\n".join(text for column in data.prompt.split(",") if (text := _optional(row, column)))
    if not query:
        raise UserError(f"{where}: nothing in column {data.prompt!r}{_known(row, data.prompt)}")
    said = row.get(data.history) or []
    if not isinstance(said, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in said):
        raise UserError(f"{where}: {data.history} must be pairs [question, answer], got {short(said)}")
    texts = [*(text for pair in said for text in pair), query, _text(row, data.response)]
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def read_pairs(path: Path, data: DataConfig) -> list[Pair]:
    """The sources and targets of a file, those of SQuAD's form included. Raises UserError naming file and line."""
    return [_pair(row, data) for row in (_questions(path) if _is_squad(path) else read_rows(path))]


def _pair(row: Row, data: DataConfig) -> Pair:
    value = row.get(data.target)
    targets = value if isinstance(value, list) else [_text(row, data.target)]
    if not targets or not all(isinstance(target, str) and target.strip() for target in targets):
        raise UserError(f"{row['_where']}: column {data.target!r} holds {short(value)}; it must be text")
    fields = {name: text for name, text in row.items() if isinstance(text, str) and name != "_where"}
    return Pair(where=row["_where"], source=_text(row, data.source), targets=tuple(targets), fields=fields)


def _text(row: Row, column: str) -> str:
    if column not in row:
        raise UserError(f"{row['_where']}: no column {column!r}{_known(row, column)}")
    value = row[column]
    text = " ".join(value) if isinstance(value, list) and all(isinstance(part, str) for part in value) else value
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{row['_where']}: column {column!r} holds {short(value)}; it must be text")
    return text


def _optional(row: Row, column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""


def _known(row: Row, column: str) -> str:
    return nearest(column, [name for name in row if name != "_where"])


def _is_squad(path: Path) -> bool:
    """Whether a .json holds one object with articles, instead of rows."""
    if path.suffix != ".json" or not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return '"paragraphs"' in file.read(4096)


def _questions(path: Path) -> list[dict[str, Any]]:
    """A row for each question: source (the paragraph), question, target (every right answer), answer (the first)."""
    rows: list[dict[str, Any]] = []
    try:
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = [a["text"] if isinstance(a, dict) else a for a in asked["answers"]]
                    row = {"source": paragraph["context"], "question": asked["question"], "target": answers}
                    rows.append({**row, "answer": answers[0], "_where": f"{path}: question {asked['id']}"})
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CorruptFile(f"{path} is not a table of the SQuAD form ({error!r})") from None
    return rows


def held_out(rows: Sequence[Any], limit: int) -> list[Any]:
    """At most `limit` rows (0: all), the first ones."""
    return list(rows[: limit or None])
