"""What `glmkit.evaluate` scores, in units that may be done by different machines: a task, or a text one way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glmkit.api.load import load
from glmkit.core.cluster import RETRIES, attempt, ray_cluster, result
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.data.sources import documents
from glmkit.tasks.evaluate import Result
from glmkit.tasks.run import Plan, names, of_text, run_task
from glmkit.tasks.score import ScoringModel

_LONGEST = 64 << 20  # bytes of a document, which is scored as a whole
OnRows = Callable[[str, int], Callable[[int], None]]
Unit = str | bool  # the name of a task, or whether the text is scored from left to right


def uncounted(name: str, rows: int) -> Callable[[int], None]:
    """The count of rows that nobody watches."""
    return lambda count: None


@dataclass(frozen=True)
class Evaluation:
    """The tasks of a plan, and the text file whose perplexity is measured."""

    plan: Plan
    perplexity: Path | None

    @property
    def units(self) -> list[Unit]:
        return [*names(self.plan.tasks), *([] if self.perplexity is None else [False, True])]

    def anywhere(self) -> "Evaluation":
        """The same for a process that works in another directory."""
        tasks = [str(Path(name).absolute()) if name.endswith((".yaml", ".yml")) else name for name in self.plan.tasks]
        plan = replace(self.plan, tasks=tuple(tasks), data=self.plan.data.absolute())
        return Evaluation(plan, self.perplexity and self.perplexity.absolute())

    def run(self, scorer: ScoringModel, on_rows: OnRows) -> list[Result]:
        """The results of all units, in their order. Raises UserError as `results` does."""
        return [item for unit in self.units for item in self.results(scorer, unit, on_rows)]

    def results(self, scorer: ScoringModel, unit: Unit, on_rows: OnRows) -> list[Result]:
        """The results of one unit. Raises UserError for a task, file or row that cannot be read."""
        if isinstance(unit, str):
            return run_task(scorer, self.plan, unit, on_rows)
        assert self.perplexity is not None
        texts = _documents(self.perplexity)
        return [of_text(scorer, "perplexity", texts, self.perplexity, unit, self.plan.length, None, on_rows)]


def _documents(path: Path) -> list[str]:
    """The documents of a text file: parted by blank lines, or the lines of .jsonl."""
    texts = [document.prompt + document.text for document in documents(path, "blank-line", longest=_LONGEST)]
    if not texts:
        raise UserError(f"{path} holds no text")
    return texts


class Worker:
    """A model on one node of a cluster."""

    def __init__(self, model: Path | str, batch_size: int | None, loading: JsonObject) -> None:
        self._model, self._batch_size, self._loading = model, batch_size, loading
        self._scorer: ScoringModel | None = None

    def results(self, evaluation: Evaluation, unit: Unit) -> Sequence[Result] | UserError:
        return attempt(lambda: evaluation.results(self._loaded(), unit, uncounted))

    def _loaded(self) -> ScoringModel:
        if self._scorer is None:
            self._scorer = replace(load(self._model, **self._loading).scorer, rows=self._batch_size)
        return self._scorer


def evaluate_on_ray(
    model: Path | str, evaluation: Evaluation, batch_size: int | None, loading: JsonObject, on_rows: OnRows
) -> list[Result]:
    """The results of all units, in their order: by a model on each GPU of a Ray cluster, or on each node where there
    are none. All nodes read the same files.

    Raises UserError as `Evaluation.results` does, and when Ray is not installed or its cluster cannot do it.
    """
    evaluation = evaluation.anywhere()
    units = evaluation.units
    model = Path(model).absolute() if Path(model).exists() else model
    with ray_cluster() as ray:
        from ray.util import ActorPool

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        settings = {"num_gpus": 1} if gpus else {"num_cpus": int(min(node.get("CPU", 1) for node in nodes))}
        worker = ray.remote(max_restarts=RETRIES, max_task_retries=RETRIES, scheduling_strategy="SPREAD", **settings)(
            Worker
        )
        workers = [worker.remote(model, batch_size, loading) for _ in range(min(gpus or len(nodes), len(units)))]
        advance = on_rows("tasks", len(units))
        results: list[Result] = []
        for sent in ActorPool(workers).map(lambda actor, unit: actor.results.remote(evaluation, unit), units):
            results += result(sent)
            advance(1)
    return results
