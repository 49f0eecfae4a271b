"""What is learned from a row: to fill its blank with the right answer, or to sort it by a head.

A learner turns instances into examples, examples into batches with a loss, and gives probabilities of the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import Batch, Example
from glmkit.data.packing import pack
from glmkit.finetuning.pool import Pool, pooled_example
from glmkit.infill.geometry import example
from glmkit.infill.layout import answer_layout
from glmkit.nn.finite import check_finite
from glmkit.objective.answers import AnswerBatch, answer_batch, answer_scores, label_scores
from glmkit.objective.loss import targets_of
from glmkit.objective.ranking import LOSSES, table
from glmkit.tasks.cloze import Cloze, Encoder
from glmkit.tasks.evaluate import predict
from glmkit.tasks.instance import Instance
from glmkit.tasks.pair import instance_input
from glmkit.tasks.score import Subject, asked, score
from glmkit.tasks.task import Task


@dataclass(frozen=True)
class Taught:
    """An example to learn from: `length` tokens, of which `cut` more did not fit in."""

    what: Any
    length: int
    cut: int


class Learner(Protocol):
    """`loss` is a module that sums an example's loss times its weight over a batch."""

    @property
    def subject(self) -> Subject: ...
    @property
    def loss(self) -> nn.Module: ...
    def encode(self, instances: Sequence[Instance]) -> list[Taught]: ...
    def batch(self, examples: Sequence[Taught]) -> Any: ...
    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]: ...


def packed(examples: Sequence[Example], length: int, pad: int) -> Batch:
    """Examples in rows of at most `length` tokens (or of one example), the longest first, each where it first fits."""
    rows: list[list[Example]] = []
    left: list[int] = []
    for each in sorted(examples, key=len, reverse=True):
        place = next((number for number, room in enumerate(left) if room >= len(each)), None)
        if place is None:
            rows.append([])
            left.append(length)
            place = len(rows) - 1
        rows[place].append(each)
        left[place] -= len(each)
    return pack(rows, pad)


@dataclass(frozen=True, kw_only=True)
class HeadLearner:
    """Sorts texts by a head on the hidden state of one token."""

    subject: Subject
    task: Task
    length: int
    pool: Pool

    @property
    def loss(self) -> nn.Module:
        return HeadLoss(self.subject.model)

    def encode(self, instances: Sequence[Instance]) -> list[Taught]:
        found = []
        for instance in instances:
            ids, cut = instance_input(self.subject.tokenizer, self.subject.prompt, self.task, instance, self.length)
            each = pooled_example(
                self.subject.geometry, self.subject.special, ids, self.pool, instance.gold or 0, instance.weight
            )
            found.append(Taught(each, len(each), cut))
        return found

    def batch(self, examples: Sequence[Taught]) -> Batch:
        return packed([each.what for each in examples], self.length, self.subject.special.pad)

    @torch.inference_mode()
    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]:
        model = self.subject.model
        examples = self.encode(instances)
        found: dict[int, tuple[int, np.ndarray]] = {}
        for group in self.subject.batches(range(len(examples)), [each.length for each in examples]):
            batch = pack([[examples[number].what] for number in group], self.subject.special.pad)
            hidden, _, _ = targets_of(model, batch.to(next(model.parameters()).device))
            scores = check_finite(model.classifier(hidden).float(), model).softmax(-1).cpu().numpy()
            for number, chances in zip(group, scores, strict=True):
                found[number] = int(chances.argmax()), chances
        return [found[number] for number in range(len(examples))]


class HeadLoss(nn.Module):
    """Cross entropy of the classes of a batch's weighted tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        hidden, targets, weights = targets_of(self.model, batch)  # type: ignore[arg-type]
        scores: Tensor = self.model.classifier(hidden)  # type: ignore[operator]
        return (F.cross_entropy(scores.float(), targets, reduction="none") * weights).sum()


@dataclass(frozen=True, kw_only=True)
class ClozeLearner:
    """Fills the blank of a pattern. Label words of one token each are packed, several rows beside each other; other
    answers are written out, all choices of a row after one reading of its context."""

    subject: Subject
    task: Task
    pattern: int
    length: int
    objective: str = "cross_entropy"
    penalty: float = 0.0
    prompts: int = 0
    prefix: int = 0

    @property
    def loss(self) -> nn.Module:
        return ClozeLoss(self.subject.model, self.words(), self.objective, self.penalty)

    def words(self) -> Tensor | None:
        """The ids of the label words, if each is one token."""
        words = self.task.patterns[self.pattern].words
        ids = self.subject.tokenizer.encode_batch(list(words)) if words else []
        return torch.tensor([each for (each,) in ids]) if ids and all(len(each) == 1 for each in ids) else None

    def clozes(self, instances: Sequence[Instance]) -> list[Cloze]:
        encoder = Encoder(
            tokenizer=self.subject.tokenizer,
            prompt=self.subject.prompt,
            length=self.length,
            prompts=self.prompts,
            prefix=self.prefix,
            prompt_base=len(self.subject.model.embedding.words.weight) if self.prompts or self.prefix else 0,
        )
        return [encoder.encode(self.task, each, self.task.pattern_for(each, self.pattern)) for each in instances]

    def encode(self, instances: Sequence[Instance]) -> list[Taught]:
        found = []
        for cloze in self.clozes(instances):
            if not cloze.single:
                size = sum(map(len, asked(cloze, self.subject.prompt)))
                found.append(Taught(cloze, size, cloze.cut))
                continue
            (context,) = cloze.contexts
            layout = answer_layout(context.ids, context.blank, [cloze.gold or 0], self.subject.special.sop)
            made = example(layout, self.subject.geometry)
            weighted = Example(
                tokens=made.tokens,
                targets=made.targets,
                weights=made.weights * np.float32(cloze.weight),
                positions=made.positions,
                context=made.context,
            )
            found.append(Taught(weighted, len(weighted), cloze.cut))
        return found

    def batch(self, examples: Sequence[Taught]) -> Batch | AnswerBatch:
        if examples and isinstance(examples[0].what, Example):
            return packed([each.what for each in examples], self.length, self.subject.special.pad)
        clozes: list[Cloze] = [each.what for each in examples]
        return answer_batch(
            self.subject.geometry,
            self.subject.special,
            [asked(cloze, self.subject.prompt) for cloze in clozes],
            [0 if self.task.match else cloze.gold or 0 for cloze in clozes],
            [cloze.weight for cloze in clozes],
        )

    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]:
        scores = score(self.subject, self.clozes(instances))
        return [predict(self.task, i, each, self.penalty) for i, each in zip(instances, scores, strict=True)]


class ClozeLoss(nn.Module):
    """One of `objective.ranking`'s losses, over label words (`words` [K]) or over whole answers."""

    def __init__(self, model: nn.Module, words: Tensor | None, objective: str, penalty: float) -> None:
        super().__init__()
        self.model, self.objective, self.penalty = model, LOSSES[objective], penalty
        self.register_buffer("words", words, persistent=False)

    def forward(self, batch: Batch | AnswerBatch) -> Tensor:
        if isinstance(batch, Batch):
            hidden, gold, weights = targets_of(self.model, batch)  # type: ignore[arg-type]
            scores = label_scores(self.model, hidden, self.words.to(hidden.device))  # type: ignore[arg-type]
        else:
            gold, weights = batch.gold, batch.weights
            scores = table(answer_scores(self.model, batch, self.penalty), batch.counts)  # type: ignore[arg-type]
        return (self.objective(scores, gold) * weights).sum()
