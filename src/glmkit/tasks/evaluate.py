"""A model put to a task: every row scored under one pattern or several, judged by the task's metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.tasks.cloze import Cloze, Encoder
from glmkit.tasks.confidence import interval
from glmkit.tasks.instance import Instance
from glmkit.tasks.metrics import METRICS, Judged
from glmkit.tasks.score import Scores, ScoringModel, score
from glmkit.tasks.task import Task
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Value:
    """A measured number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out of a task under one pattern, or under all of them together ("all").

    `cut`: rows that were too long and lost tokens; `notes`: what a reader should know; `log`: one entry a row.
    """

    task: str
    pattern: str
    rows: int
    cut: int
    metrics: dict[str, Value]
    notes: tuple[str, ...]
    log: tuple[JsonObject, ...]


def evaluate(
    scorer: ScoringModel,
    task: Task,
    instances: Sequence[Instance],
    patterns: Sequence[int],
    *,
    shots: Sequence[Instance] = (),
    penalty: float = 0.0,
    length: int | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> list[Result]:
    """The results of each pattern and, of several, of all together (their probabilities averaged).

    Raises UserError naming a row without a label or one that cannot be written out.
    """
    for instance in instances:
        if instance.gold is None and not instance.golds:
            raise UserError(f"{task.place(instance)}: no label; give a split that has them")
    limit = min(length or scorer.max_length, scorer.max_length)
    results, probabilities = [], []
    for number in patterns:
        clozes, notes = encode(scorer, task, instances, number, shots, limit)
        scores = score(scorer, clozes, on_rows)
        given = [predict(task, instance, item, penalty) for instance, item in zip(instances, scores, strict=True)]
        probabilities.append([chances for _, chances in given])
        judged = [Judged(i, predicted) for i, (predicted, _) in zip(instances, given, strict=True)]
        cut = sum(cloze.cut > 0 for cloze in clozes)
        results.append(result(task, str(number), judged, probabilities[-1], cut, notes))
    if len(patterns) > 1 and not task.match:
        mean = [np.mean(chances, axis=0) for chances in zip(*probabilities, strict=True)]
        judged = [Judged(i, int(chances.argmax())) for i, chances in zip(instances, mean, strict=True)]
        cut = max(item.cut for item in results)
        results.append(result(task, "all", judged, mean, cut, (f"{len(patterns)} patterns, probabilities averaged",)))
    return results


def check(scorer: ScoringModel, task: Task, instances: Sequence[Instance]) -> None:
    """Raises UserError for a task that the model's family cannot do."""
    if task.match and not scorer.prompt.fills_blanks and any(len(instance.choices) == 1 for instance in instances):
        raise UserError(
            f"task {task.name} asks whether a model would write exactly the answer into a blank, and this model "
            "(ChatGLM2, 3) writes into none: leave the task out, or let it write: eval --seq2seq"
        )


def encode(
    scorer: ScoringModel, task: Task, instances: Sequence[Instance], number: int, shots: Sequence[Instance], length: int
) -> tuple[list[Cloze], tuple[str, ...]]:
    """The rows under pattern `number`, after as many of the `shots` as leave half of the length to the row itself."""
    encoder = Encoder(tokenizer=scorer.tokenizer, prompt=scorer.prompt, length=length)
    solved: list[int] = []
    used = 0
    for shot in shots:
        ids = encoder.solved(task, shot, task.pattern_for(shot, number))
        if len(solved) + len(ids) > length // 2:
            break
        solved, used = [*solved, *ids], used + 1
    notes = [f"{used} of {len(shots)} shots fit in"] if used < len(shots) else []
    encoder = replace(encoder, shots=tuple(solved))
    clozes = [encoder.encode(task, instance, task.pattern_for(instance, number)) for instance in instances]
    words = task.patterns[number].words
    return clozes, (*notes, *long_words(scorer.tokenizer, words))


def long_words(tokenizer: Tokenizer, words: Sequence[str]) -> list[str]:
    """What is said of label words that are no single token: nothing, or a line."""
    ids = tokenizer.encode_batch(list(words)) if words else []
    long = [word.strip() for word, item in zip(words, ids, strict=True) if len(item) > 1]
    return [f"label words of several tokens, scored whole: {', '.join(long)}"] if long else []


def predict(task: Task, instance: Instance, scores: Scores, penalty: float) -> tuple[int, np.ndarray]:
    """The number of the answer given, and the probabilities of all."""
    totals = scores.totals(penalty)
    chances = np.exp(totals - totals.max())
    chances /= chances.sum()
    if not task.match:
        return int(totals.argmax()), chances
    given = bool(scores.written[0]) if len(totals) == 1 else totals.argmax() == 0
    return int(given), chances


def result(
    task: Task,
    pattern: str,
    judged: Sequence[Judged],
    chances: Sequence[np.ndarray],
    cut: int,
    notes: tuple[str, ...],
) -> Result:
    metrics = {}
    for name in task.metrics:
        low, high = interval(judged, METRICS[name], [row.instance.group for row in judged])
        metrics[name] = Value(METRICS[name](judged), low, high)
    log = tuple(_entry(task, row, chance) for row, chance in zip(judged, chances, strict=True))
    return Result(task=task.name, pattern=pattern, rows=len(judged), cut=cut, metrics=metrics, notes=notes, log=log)


def _entry(task: Task, row: Judged, chances: np.ndarray) -> JsonObject:
    names = task.labels or (("other", "same") if task.match else row.instance.choices)
    return {
        "task": task.name,
        "row": row.instance.uid,
        "predicted": names[row.predicted],
        "gold": list(row.instance.golds) or (None if row.instance.gold is None else names[row.instance.gold]),
        "right": row.right,
        "probabilities": [round(float(chance), 6) for chance in chances],
    }
