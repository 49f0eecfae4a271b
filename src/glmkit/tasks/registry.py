"""Every task by name, and the benchmarks that are several tasks."""

from glmkit.core.errors import UserError, nearest
from glmkit.tasks.chinese import CHINESE
from glmkit.tasks.english import OTHERS, SUPERGLUE
from glmkit.tasks.task import Task

TASKS = {task.name: task for task in (*SUPERGLUE, *OTHERS, *CHINESE)}

BENCHMARKS = {
    "superglue": tuple(task.name for task in SUPERGLUE),
    "fewclue": ("tnews", "eprstmt", "ocnli", "csl", "bustm", "chid", "cluewsc"),
}


def task(name: str) -> Task:
    """The task called `name`. Raises UserError naming the nearest."""
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}{nearest(name, TASKS)}")
    return TASKS[name]
