"""What a task is: its labels, patterns and metrics, and how its rows are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.tasks.cells import where_of
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import Pattern, named

Split = Literal["train", "dev", "test"]
Row = Table


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task solved by filling a blank.

    `labels` are what every row may be answered with; empty when rows bring their own choices. `pattern` is the one
    used unless another is asked for. `instances` reads the rows of a split (`rows.py`). `pair`: templates of the one
    or two texts that a classifier with a head reads. `match`: rows have one answer, which counts as given when it is
    exactly what the model would write.
    """

    name: str
    labels: tuple[str, ...] = ()
    patterns: Mapping[int, Pattern]
    pattern: int = 0
    instances: Callable[[Sequence[Row], str, Sequence[str]], list[Instance]]
    metrics: tuple[str, ...] = ("accuracy",)
    pair: tuple[str, ...] = ()
    match: bool = False
    forms: Mapping[str, Mapping[int, Pattern]] = field(default_factory=dict)  # of rows with a form of their own

    def is_empty(self, instance: Instance) -> bool:
        """Whether nothing stands in the fields that the task reads."""
        return not any(instance.fields.get(name, "").strip() for name in self.columns)

    def read(self, rows: Sequence[Row], split: str) -> list[Instance]:
        """The instances of the rows of a file; each knows its row where there is one for each."""
        instances = self.instances(rows, split, self.labels)
        if len(instances) != len(rows):
            return instances
        return [replace(item, where=where_of(row)) for item, row in zip(instances, rows, strict=True)]

    def place(self, instance: Instance) -> str:
        """Where an instance stands, for people."""
        return instance.where or f"{self.name}, row {instance.uid}"

    @property
    def columns(self) -> list[str]:
        """The fields that the task reads: those of the pair first."""
        return named((*self.pair, *(part for value in self.patterns.values() for part in value.parts)))

    def pattern_for(self, instance: Instance, number: int) -> Pattern:
        """Pattern `number` in the form that the row takes. Raises UserError for a number the task lacks."""
        table = self.forms[instance.form] if instance.form else self.patterns
        if number not in table:
            known = ", ".join(map(str, sorted(self.patterns)))
            raise UserError(f"task {self.name} has no pattern {number}; it has {known}")
        return table[number]
