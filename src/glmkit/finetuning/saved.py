"""What a fine-tuned model knows of its task: DIR/task.json beside the weights.

Probabilities are calibrated by one temperature, found on the rows held out (Guo et al. 2017).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.kinds import check, number, whole
from glmkit.core.strict_json import read_json
from glmkit.families.directory import cover
from glmkit.finetuning.pool import Pool
from glmkit.finetuning.task_module import ClozeModule, HeadModule, TaskModule
from glmkit.nn.prompt import Kind
from glmkit.tasks.custom import CustomTask, build
from glmkit.tasks.registry import task
from glmkit.tasks.score import ScoringModel
from glmkit.tasks.task import Task

FILE = "task.json"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """How the model was trained to answer. `name`: a task we know, or "" when `custom` describes it."""

    kind: Literal["cloze", "classify"]
    name: str = ""
    custom: CustomTask | None = None
    pattern: int = 0
    length: int
    pool: Pool = "cls"
    penalty: float = 0.0
    temperature: float = 1.0
    prompts: int = 0
    prefix: int = 0
    prompt_kind: Kind = "lstm"

    def __post_init__(self) -> None:
        check(self.length, whole(1), "length")
        check(self.temperature, number(above=0), "temperature")
        for name in ("pattern", "prompts", "prefix"):
            check(getattr(self, name), whole(0), name)

    @property
    def prompted(self) -> bool:
        return self.prompts + self.prefix > 0

    @property
    def task(self) -> Task:
        return task(self.name) if self.custom is None else build(self.custom, FILE)

    def write(self, directory: Path) -> None:
        (directory / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        cover(directory, FILE)

    def task_module(self, scorer: ScoringModel, task: Task, objective: str = "cross_entropy") -> TaskModule:
        """What scores rows of `task`, which is the run's or that of this file."""
        if self.kind == "cloze" and self.pattern not in task.patterns:
            raise UserError(f"{FILE}: {task.name} has no pattern {self.pattern}; known: {[*task.patterns]}")
        if self.kind == "classify":
            return HeadModule(scorer=scorer, task=task, length=self.length, pool=self.pool)
        return ClozeModule(
            scorer=scorer,
            task=task,
            pattern=self.pattern,
            length=self.length,
            objective=objective,
            penalty=self.penalty,
            prompts=self.prompts,
            prefix=self.prefix,
        )

    def calibrated(self, chances: Sequence[np.ndarray], gold: Sequence[int]) -> "Saved":
        """The same with the temperature under which the answers `gold` are the most probable.

        Few rows say little: a temperature pays log(t)^2 for leaving 1, as one row more would have it pay.
        """
        grid = np.geomspace(0.1, 10, 101)
        losses = [-np.mean([_log(tempered(p, t)[g]) for p, g in zip(chances, gold, strict=True)]) for t in grid]
        losses = [loss + np.log(t) ** 2 / len(gold) for loss, t in zip(losses, grid, strict=True)]
        return replace(self, temperature=float(grid[int(np.argmin(losses))]))


def read_saved(directory: Path) -> Saved:
    """What `Saved.write` wrote. Raises UserError for a model that was not trained for a task."""
    path = directory / FILE
    if not path.is_file():
        raise UserError(f"{directory} has no {FILE}: it was not trained for a task; use glmkit finetune first")
    return from_mapping(Saved, read_json(path, "; copy the model again"), str(path))


def tempered(chances: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities made flatter (above 1) or sharper (below 1)."""
    logs = np.log(np.maximum(chances, 1e-30)) / temperature
    powers = np.exp(logs - logs.max())
    return np.asarray(powers / powers.sum())


def _log(chance: float) -> float:
    return float(np.log(max(chance, 1e-30)))
