"""Answers of a fine-tuned model to new rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.core.kinds import TEXTS, check
from glmkit.families.detect import detect
from glmkit.finetuning.prompted import restore_prompts
from glmkit.finetuning.saved import Saved, read_saved, tempered
from glmkit.tasks import files
from glmkit.tasks.cells import Row, where_of
from glmkit.tasks.rows import Simple
from glmkit.tasks.score import ScoringModel
from glmkit.tasks.tables import read_rows


@dataclass(frozen=True)
class Prediction:
    """`probabilities`: of each answer by name, calibrated; they sum to 1. `row`: what is asked about, for people."""

    label: str
    probabilities: dict[str, float]
    row: str = ""


def saved_of(model: Path) -> Saved:
    """What the model in a directory or run was trained for. Raises UserError for one that was not."""
    return read_saved(detect(model).directory)


def prepare_model(scorer: ScoringModel, saved: Saved, model: Path) -> None:
    """Gives the loaded model the continuous prompts it was trained with, if any."""
    if saved.prompted:
        assert isinstance(scorer.model, nn.Module)
        restore_prompts(scorer.model, detect(model).directory, saved.prompts + saved.prefix, saved.prompt_kind)


def read_input(saved: Saved, path: Path, encoding: str = "utf-8") -> list[Row]:
    """The rows of a file like those the model was trained on. Raises UserError naming file and line."""
    if saved.custom is None:
        return files.read(saved.name, [path], encoding)
    return read_rows(path, header=saved.custom.header, encoding=encoding)


def rows_of(saved: Saved, texts: Sequence[str | Sequence[str] | Table]) -> list[Row]:
    """Texts as rows: a string is the first column that the task reads, several are its columns in their order."""
    rows, reader, names = [], saved.task.instances, saved.task.columns
    if isinstance(reader, Simple):  # of the benchmark's own names
        names = [reader.columns[name] for name in names]
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, Mapping):
            parts = check([text] if isinstance(text, str) else text, TEXTS, f"text {number}")
            wanted = max(1, len(saved.task.pair))
            if len(parts) != wanted:
                columns = ", ".join(names[:wanted])
                raise UserError(f"text {number}: {len(parts)} texts where the task reads {wanted} ({columns})")
            text = dict(zip(names, parts, strict=False))
        rows.append(Row(text, f"text {number}"))
    return rows


def predict(scorer: ScoringModel, saved: Saved, rows: Sequence[Table]) -> list[Prediction]:
    """The answers to rows with the columns the task reads; their labels, if any, are not looked at. One for each row,
    but of tasks whose rows ask several questions (MultiRC) one for each question.

    Raises UserError naming the row for a missing column or an empty text.
    """
    task = saved.task
    column = saved.custom.label if saved.custom else getattr(task.instances, "label", "label")
    unlabelled = [
        Row({name: cell for name, cell in row.items() if name != column}, where_of(row), file=getattr(row, "file", ""))
        for row in rows
    ]
    instances = task.read(unlabelled, "test")
    for instance in instances:
        if task.is_empty(instance):
            raise UserError(f"{task.place(instance)}: empty text; remove the row or fill it in")
    results = []
    for instance, (number, chances) in zip(instances, saved.task_module(scorer, task).predict(instances), strict=True):
        names = task.labels or instance.choices
        calm = tempered(chances, saved.temperature)
        answers = dict(zip(names, map(float, calm), strict=len(names) == len(calm)))
        results.append(Prediction(names[number], answers, instance.uid))
    return results
