"""A question to a model: the fields of a row, what may be answered, and what is right."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One row of a task, ready for its patterns.

    `choices`: the answers this row offers, for tasks whose answers differ from row to row; else the task's labels
    are offered. `gold`: which answer is right, None when nobody knows. `golds`: texts that are right, where there may
    be several (ReCoRD). `group`: the rows that are judged together (all answers of a MultiRC question).
    `form`: which form of a pattern the row takes, for tasks with more than one (RACE). `weight`: how much it counts
    in training. `where`: "file:line" it comes from, where it is a row of its own there.
    """

    uid: str
    fields: Mapping[str, str]
    gold: int | None = None
    choices: tuple[str, ...] = ()
    golds: tuple[str, ...] = ()
    group: str = ""
    form: str = ""
    weight: float = 1.0
    where: str = ""
