"""An evaluation from names and folders: which rows, which patterns, which texts."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.core.files import read_text
from glmkit.core.json_types import JsonObject
from glmkit.tasks import blimp, files
from glmkit.tasks.cells import text
from glmkit.tasks.confidence import interval
from glmkit.tasks.custom import build, read_spec
from glmkit.tasks.evaluate import Result, Value, check, evaluate
from glmkit.tasks.instance import Instance
from glmkit.tasks.language import lambada, perplexity, wikitext
from glmkit.tasks.registry import BENCHMARKS, TASKS, task
from glmkit.tasks.score import ScoringModel
from glmkit.tasks.tables import read_rows
from glmkit.tasks.task import Split, Task

OnRows = Callable[[int], None]
LANGUAGE = {  # name: (files looked for, text put together again)
    "lambada": ("lambada_test.jsonl", "lambada_test_plain_text.txt"),
    "wikitext": ("wiki.test.tokens", "wiki.test.raw", "wikitext2_test.txt", "wikitext2_valid.txt"),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to evaluate. `pattern`: a number, "all", or "" for each task's own. `limit`: at most so many rows of each.
    `shots`: solved training rows before every row."""

    tasks: tuple[str, ...]
    data: Path
    split: Split = "dev"
    limit: int | None = None
    shots: int = 0
    pattern: str = ""
    length: int | None = None
    penalty: float = 0.0
    seed: int = 0


def names(tasks: Sequence[str]) -> list[str]:
    """Tasks by name, each benchmark replaced by its tasks. Raises UserError for an unknown one, naming the nearest."""
    evaluated: list[str] = []
    for name in map(called, tasks):
        evaluated += BENCHMARKS.get(name, (name,))
    return list(dict.fromkeys(evaluated))


def called(name: str) -> str:
    """A task's or benchmark's name as it is spelled here ("RTE" is rte, "SST-2" sst2), or a .yaml file.

    Raises UserError for an unknown one, naming the nearest.
    """
    known = {*TASKS, *BENCHMARKS, *LANGUAGE, blimp.NAME}
    if name in known or name.endswith((".yaml", ".yml")):
        return name
    plain = {_plain(item): item for item in known}
    if _plain(name) not in plain:
        raise UserError(f"unknown task {name!r}{nearest(name, known)}")
    return plain[_plain(name)]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def run_task(scorer: ScoringModel, plan: Plan, name: str, counter: Callable[[str, int], OnRows]) -> list[Result]:
    """The results of one task of a plan; `counter(task, rows)` makes what is called with the number of rows as they are
    scored.

    A member of a benchmark whose files are not there, or that the model's family cannot do, is passed over, and said
    so; one asked for by name is an error.
    """
    if name in LANGUAGE:
        return language(scorer, name, plan, counter)
    if name == blimp.NAME:
        return blimp.blimp(
            scorer, plan.data, pattern=plan.pattern, limit=plan.limit, length=plan.length, counter=counter
        )
    wanted = {called(name) for name in plan.tasks}
    try:
        chosen, instances, source = rows(name, plan.split, plan.data)
        instances = instances[: plan.limit]
        check(scorer, chosen, instances)
    except UserError as error:
        if name in wanted or not any(name in BENCHMARKS.get(other, ()) for other in wanted):
            raise
        return [Result(task=name, pattern="", rows=0, cut=0, metrics={}, notes=(str(error),), log=())]
    shots = draw(chosen, name, plan) if plan.shots else []
    every = sorted(chosen.patterns)
    patterns = every if plan.pattern == "all" else [int(plan.pattern) if plan.pattern else chosen.pattern]
    evaluated = evaluate(
        scorer,
        chosen,
        instances,
        patterns,
        shots=shots,
        penalty=plan.penalty,
        length=plan.length,
        on_rows=counter(name, len(instances) * len(patterns)),
    )
    return [_noted(item, source) for item in evaluated]


def rows(name: str, split: Split, data: Path) -> tuple[Task, list[Instance], str]:
    """A task, the rows of its split, and the names of the files they come from."""
    if name.endswith((".yaml", ".yml")):
        spec = read_spec(Path(name))
        custom = build(spec, name)
        if split not in spec.data:
            raise UserError(f"{name}: data names no {split} file")
        file = Path(name).parent / spec.data[split]
        return custom, custom.read(read_rows(file, header=spec.header, encoding=spec.encoding), split), file.name
    evaluated, chosen = files.find(name, split, data), task(name)
    instances = chosen.read(files.read(name, evaluated), split)
    return chosen, instances, evaluated[0].name if len(evaluated) == 1 else f"{len(evaluated)} files"


def draw(chosen: Task, name: str, plan: Plan) -> list[Instance]:
    """The solved rows put before every row: drawn from the training rows, the same for all."""
    _, training, _ = rows(name, "train", plan.data)
    usable = [instance for instance in training if instance.gold is not None]
    return random.Random(plan.seed).sample(usable, min(plan.shots, len(usable)))


def language(scorer: ScoringModel, name: str, plan: Plan, counter: Callable[[str, int], OnRows]) -> list[Result]:
    """LAMBADA or WikiText in both ways."""
    path = _text_file(name, plan.data)
    results = []
    for left_to_right, way in ((False, "both ways"), (True, "left to right")):
        if name == "lambada":
            plain = path.suffix == ".txt"  # a text in each line
            evaluated = read_rows(path, header=not plain, published=True)
            texts = [text(row, "0" if plain else "text") for row in evaluated][: plan.limit]
            words = lambada(
                scorer,
                texts,
                left_to_right=left_to_right,
                length=plan.length,
                on_rows=counter(f"{name}, {way}", len(texts)),
            )
            share = sum(words.right) / len(words.right)
            low, high = interval(words.right, lambda hits: sum(hits) / len(hits), [""] * len(texts))
            log = tuple({"task": f"{name}, {way}", "row": str(n), "right": hit} for n, hit in enumerate(words.right))
            results.append(_language(name, way, len(texts), {"accuracy": Value(share, low, high)}, path, log))
            continue
        whole = read_text(path)
        counted = len(whole.strip().split(" "))
        whole = whole[: plan.limit * 1000] if plan.limit else whole
        counted = counted if not plan.limit else len(whole.split(" "))
        results.append(of_text(scorer, name, [wikitext(whole)], path, left_to_right, plan.length, counted, counter))
    return results


def of_text(
    scorer: ScoringModel,
    name: str,
    documents: Sequence[str],
    path: Path,
    left_to_right: bool,
    length: int | None,
    words: int | None,
    counter: Callable[[str, int], OnRows],
) -> Result:
    """The perplexity of documents as a result."""
    way = "left to right" if left_to_right else "both ways"
    evaluated = perplexity(
        scorer, documents, left_to_right=left_to_right, length=length, words=words, on_rows=counter(f"{name}, {way}", 0)
    )
    metrics = {
        kind: Value(value, float("nan"), float("nan"))
        for kind, value in (("perplexity", evaluated.per_token), ("word_perplexity", evaluated.per_word))
    }
    return _language(name, way, evaluated.tokens, metrics, path, ())


def _language(
    name: str, way: str, count: int, metrics: dict[str, Value], path: Path, log: tuple[JsonObject, ...]
) -> Result:
    return Result(task=name, pattern=way, rows=count, cut=0, metrics=metrics, notes=(path.name,), log=log)


def _text_file(name: str, data: Path) -> Path:
    for folder in (data, data / "lm_eval", data / name):
        for file in LANGUAGE[name]:
            if (folder / file).is_file():
                return folder / file
    raise UserError(f"task {name}: no {' or '.join(LANGUAGE[name])} in {data}; put the benchmark's own file there")


def _noted(item: Result, source: str) -> Result:
    return Result(**{**vars(item), "notes": (source, *item.notes)})


def table(results: Sequence[Result]) -> list[JsonObject]:
    """The results as plain values, without the log of rows."""
    return [{name: value for name, value in asdict(result).items() if name != "log"} for result in results]
