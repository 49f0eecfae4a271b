"""Reads the user's files as conversations, or as sources with their targets.

{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}    also "conversations"
{"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}         ShareGPT's
{"prompt": "...", "response": "...", "history": [["...", "..."]]}                               the official scripts'
{"instruction": "...", "input": "...", "output": "..."}                                         Alpaca's
{"source": "...", "target": "..."}        lists: sentences of one source; several targets, of which the first is learned

What a cell means is said in cells.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glmkit.core.errors import UserError, short
from glmkit.core.json_types import Table
from glmkit.finetuning.config import DataConfig
from glmkit.finetuning.sharegpt import is_shared, unshared
from glmkit.tasks.cells import Row, as_text, as_texts, columns_of, known
from glmkit.tasks.squad import is_article, questions
from glmkit.tasks.tables import read_rows

_MESSAGES = ("messages", "conversations")
_ALPACA = ("instruction", "input", "output")


class Texts(Mapping[str, str]):
    """The cells of a row as texts; one that is none is an error where it is asked for."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getitem__(self, column: str) -> str:
        return as_text(self._row[column], f"{self._row.where}: column {column!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


@dataclass(frozen=True, kw_only=True)
class SourceTarget:
    """A source, what is to be written for it, and the row's other columns, for the form's template."""

    where: str
    source: str
    targets: tuple[str, ...]
    fields: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation that ends with a reply. `form`: whose rows it was read as, where nobody named the columns."""

    where: str
    messages: tuple[Table, ...]
    form: str = ""


SFTRow = SourceTarget | Conversation


def read_conversations(path: Path, data: DataConfig) -> list[Conversation]:
    """The conversations of a file. Raises UserError naming file and line for a column that is missing, empty or no
    text, and for a column that no row has."""
    rows = _rows(path, data)
    by_columns = [row for row in rows if _messages_of(row) is None]
    form = ""
    if by_columns and _is_alpaca(by_columns, data):
        used = [name for name in _ALPACA if any(name in row for row in by_columns)]
        data, form = replace(data, prompt=",".join(used[:-1]), response=used[-1]), f"Alpaca's columns {', '.join(used)}"
    columns = columns_of(data.prompt, _all_columns(by_columns))
    if by_columns:
        _check_columns(columns, data, by_columns)
    return [_conversation(row, columns, data, form) for row in rows]


def _rows(path: Path, data: DataConfig) -> list[Row]:
    return read_rows(path, header=data.header, encoding=data.encoding)


def _all_columns(rows: Sequence[Row]) -> dict[str, None]:
    return {name: None for row in rows for name in row}


def _is_alpaca(rows: Sequence[Row], data: DataConfig) -> bool:
    """Whether nobody named columns, no row has the usual ones, and rows have Alpaca's."""
    usual = DataConfig()
    if (data.prompt, data.response) != (usual.prompt, usual.response):
        return False
    return all(data.prompt not in row and data.response not in row for row in rows) and all(
        any(name in row for row in rows) for name in ("instruction", "output")
    )


def _check_columns(prompt: Sequence[str], data: DataConfig, rows: Sequence[Row]) -> None:
    """Raises UserError for a column that a setting names and no row has."""
    there = _all_columns(rows)
    history = () if data.history == DataConfig().history else (data.history,)
    for setting, columns in (("prompt", prompt), ("history", history)):
        for column in columns:
            if column not in there:
                raise UserError(
                    f"{rows[0].where}: nothing in column {column!r}, nor in any other row (data.{setting})"
                    f"{known(column, there)}"
                )


def _messages_of(row: Row) -> list[Table] | None:
    for name in _MESSAGES:
        if row.get(name) is not None:
            messages = row[name]
            if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
                raise UserError(f"{row.where}: {name} must be a list of messages, got {short(messages)}")
            return messages
    return None


def _conversation(row: Row, columns: Sequence[str], data: DataConfig, form: str) -> Conversation:
    messages = _messages_of(row)
    if messages is None:
        spoken = _messages_from(row, columns, data)
        if form and (system := Texts(row).get("system")):
            spoken = [{"role": "system", "content": system}, *spoken]
        return Conversation(where=row.where, messages=tuple(spoken), form=form)
    for number, message in enumerate(messages, start=1):
        if message.get("weight", 1) not in (1, None) or message.get("loss", True) not in (True, None):
            raise UserError(f"{row.where}: message {number} has a weight, which is not read: every reply is learned")
    if is_shared(messages):
        shared = unshared(row, messages)
        return Conversation(where=row.where, messages=tuple(shared), form="ShareGPT's conversations (from, value)")
    return Conversation(where=row.where, messages=tuple(messages))


def _messages_from(row: Row, columns: Sequence[str], data: DataConfig) -> list[Table]:
    texts = Texts(row)
    query = "\n".join(part for column in columns if (part := texts.get(column, "")))
    if not query.strip():
        raise UserError(f"{row.where}: nothing in column {data.prompt!r}{known(data.prompt, row)}")
    said = row.get(data.history) or []
    if not isinstance(said, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in said):
        raise UserError(f"{row.where}: {data.history} must be pairs [question, answer], got {short(said)}")
    before = [part for pair in said for part in as_texts(pair, f"{row.where}: {data.history}")]
    roles = ("user", "assistant")
    spoken = [*before, query, _text(row, data.response)]
    return [{"role": roles[i % 2], "content": part} for i, part in enumerate(spoken)]


def read_source_targets(path: Path, data: DataConfig) -> list[SourceTarget]:
    """The sources and targets of a file, those of SQuAD's form included. Raises UserError naming file and line."""
    rows = _rows(path, data)
    if not is_article(rows[0]):
        return [_source_target(row, data) for row in rows]
    return [
        SourceTarget(
            where=question.where,
            source=question.context,
            targets=question.answers,
            fields={"source": question.context, "question": question.question, "answer": question.answers[0]},
        )
        for question in questions(rows)
    ]


def _source_target(row: Row, data: DataConfig) -> SourceTarget:
    source, target = (columns_of(setting, row)[0] for setting in (data.source, data.target))
    cell = row.get(target)
    targets = as_texts(cell, _what(row, target)) if isinstance(cell, list) else (_text(row, target),)
    if not targets or not all(target.strip() for target in targets):
        raise UserError(f"{_what(row, target)} holds {short(cell)}; it must be text")
    sentences = row.get(source)
    if isinstance(sentences, list):
        row = Row({**row, source: " ".join(as_texts(sentences, _what(row, source)))}, row.where)
    return SourceTarget(where=row.where, source=_text(row, source), targets=targets, fields=Texts(row))


def _what(row: Row, column: str) -> str:
    return f"{row.where}: column {column!r}"


def _text(row: Row, column: str) -> str:
    """A cell that must hold text."""
    column = columns_of(column, row)[0]
    if column not in row:
        raise UserError(f"{row.where}: no column {column!r}{known(column, row)}")
    text = as_text(row[column], _what(row, column))
    if not text.strip():
        raise UserError(f"{_what(row, column)} holds {short(row[column])}; it must be text")
    return text
