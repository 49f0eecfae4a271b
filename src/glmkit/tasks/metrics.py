"""The metrics of the benchmarks, exactly.

| metric | is |
|---|---|
| accuracy | share of rows answered right |
| macro_f1 | F1 of each class, averaged (CB) |
| f1 | F1 of the last class, the positive one |
| f1a | F1 of the answers that are right, over all answers (MultiRC) |
| em | share of questions all of whose answers are judged right (MultiRC) |
| qa_em, qa_f1 | the answer's text against the best of the right ones, as ReCoRD's and SQuAD's scripts compare |
"""

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glmkit.tasks.instance import Instance


@dataclass(frozen=True)
class Judged:
    """A row with the number of the answer that was given."""

    instance: Instance
    predicted: int

    @property
    def right(self) -> bool:
        if self.instance.golds:
            return bool(qa_exact(self.text, self.instance.golds))
        return self.predicted == self.instance.gold

    @property
    def text(self) -> str:
        return self.instance.choices[self.predicted]


def accuracy(rows: Sequence[Judged]) -> float:
    return sum(row.predicted == row.instance.gold for row in rows) / len(rows)


def f1_of(rows: Sequence[Judged], label: int) -> float:
    """F1 of one class: 0 when it neither occurs nor was said."""
    said = sum(row.predicted == label for row in rows)
    true = sum(row.instance.gold == label for row in rows)
    both = sum(row.predicted == label == row.instance.gold for row in rows)
    return 2 * both / (said + true) if both else 0.0


def macro_f1(rows: Sequence[Judged]) -> float:
    labels = {row.instance.gold for row in rows} | {row.predicted for row in rows}
    return sum(f1_of(rows, label) for label in labels if label is not None) / len(labels)


def f1(rows: Sequence[Judged]) -> float:
    return f1_of(rows, 1)


def em(rows: Sequence[Judged]) -> float:
    questions: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        questions[row.instance.group].append(row.predicted == row.instance.gold)
    return sum(map(all, questions.values())) / len(questions)


def normal(text: str) -> list[str]:
    """The words of an answer: small letters, no punctuation, no articles."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def qa_exact(text: str, golds: Sequence[str]) -> float:
    return float(any(normal(text) == normal(gold) for gold in golds))


def qa_overlap(text: str, golds: Sequence[str]) -> float:
    """F1 of the words in common with the best of the right answers."""
    best = 0.0
    for gold in golds:
        said, true = normal(text), normal(gold)
        both = sum((Counter(said) & Counter(true)).values())
        best = max(best, 2 * both / (len(said) + len(true)) if both else 0.0)
    return best


def qa_em(rows: Sequence[Judged]) -> float:
    return sum(qa_exact(row.text, row.instance.golds) for row in rows) / len(rows)


def qa_f1(rows: Sequence[Judged]) -> float:
    return sum(qa_overlap(row.text, row.instance.golds) for row in rows) / len(rows)


METRICS: dict[str, Callable[[Sequence[Judged]], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "f1": f1,
    "f1a": f1,
    "em": em,
    "qa_em": qa_em,
    "qa_f1": qa_f1,
}
