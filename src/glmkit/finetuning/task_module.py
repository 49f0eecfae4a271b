"""The two ways to learn an answer: filling a blank with it, or classifying by a head.

A task module turns instances into examples, examples into batches with a loss, and gives probabilities of the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glmkit.core.types import Batch, Example, LanguageModel
from glmkit.data.packing import pack
from glmkit.finetuning.pool import Pool, pooled_example
from glmkit.infill.layout import answer_layout
from glmkit.infill.position_schemes import example
from glmkit.nn.finite import check_finite
from glmkit.objective.answers import AnswerBatch, answer_batch, answer_scores, label_scores
from glmkit.objective.loss import targets_of
from glmkit.objective.ranking import LOSSES, table
from glmkit.objective.read_request import of_example
from glmkit.tasks.cloze import Cloze, Encoder
from glmkit.tasks.evaluate import predict
from glmkit.tasks.instance import Instance
from glmkit.tasks.pair import instance_input
from glmkit.tasks.score import ScoringModel, score, scoring_requests
from glmkit.tasks.task import Task


@dataclass(frozen=True)
class TrainExample:
    """A training example of `length` tokens; `cut` more did not fit in."""

    what: Any
    length: int
    cut: int


class TaskModule(Protocol):
    """`loss` is a module that sums an example's loss times its weight over a batch."""

    @property
    def scorer(self) -> ScoringModel: ...
    @property
    def loss(self) -> nn.Module: ...
    def encode(self, instances: Sequence[Instance]) -> list[TrainExample]: ...
    def batch(self, examples: Sequence[TrainExample]) -> Batch | AnswerBatch: ...
    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]: ...


def packed(examples: Sequence[Example], length: int, pad: int) -> Batch:
    """Examples in rows of at most `length` tokens (or of one example), the longest first, each where it first fits."""
    rows: list[list[Example]] = []
    left: list[int] = []
    for sample in sorted(examples, key=len, reverse=True):
        place = next((number for number, room in enumerate(left) if room >= len(sample)), None)
        if place is None:
            rows.append([])
            left.append(length)
            place = len(rows) - 1
        rows[place].append(sample)
        left[place] -= len(sample)
    return pack(rows, pad)


@dataclass(frozen=True, kw_only=True)
class HeadModule:
    """Sorts texts by a head on the hidden state of one token."""

    scorer: ScoringModel
    task: Task
    length: int
    pool: Pool

    @property
    def loss(self) -> nn.Module:
        return HeadLoss(self.scorer.model)

    def encode(self, instances: Sequence[Instance]) -> list[TrainExample]:
        examples = []
        for instance in instances:
            ids, cut = instance_input(self.scorer.tokenizer, self.scorer.prompt, self.task, instance, self.length)
            pooled = pooled_example(
                self.scorer.position_scheme, self.scorer.special, ids, self.pool, instance.gold or 0, instance.weight
            )
            examples.append(TrainExample(pooled, len(pooled), cut))
        return examples

    def batch(self, examples: Sequence[TrainExample]) -> Batch:
        return packed([item.what for item in examples], self.length, self.scorer.special.pad)

    @torch.inference_mode()
    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]:
        model = self.scorer.model
        requests = [replace(of_example(one.what), hidden=True, reduce=None) for one in self.encode(instances)]
        if not requests:
            return []
        scores = model.get_submodule("classifier")(torch.cat(self.scorer.read(requests))).float()
        chances = check_finite(scores, model).softmax(-1).cpu().numpy()
        return [(int(row.argmax()), row) for row in chances]


class HeadLoss(nn.Module):
    """Cross entropy of the classes of a batch's weighted tokens."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        hidden, targets, weights = targets_of(self.model, batch)
        scores: Tensor = self.model.get_submodule("classifier")(hidden)
        return (F.cross_entropy(scores.float(), targets, reduction="none") * weights).sum()


@dataclass(frozen=True, kw_only=True)
class ClozeModule:
    """Fills the blank of a pattern. Label words of one token each are packed, several rows beside each other; other
    answers are written out, all choices of a row after one reading of its context."""

    scorer: ScoringModel
    task: Task
    pattern: int
    length: int
    objective: str = "cross_entropy"
    penalty: float = 0.0
    prompts: int = 0
    prefix: int = 0

    @property
    def loss(self) -> nn.Module:
        return ClozeLoss(self.scorer.model, self.words(), self.objective, self.penalty)

    def words(self) -> Tensor | None:
        """The ids of the label words, if each is one token."""
        words = self.task.patterns[self.pattern].words
        ids = self.scorer.tokenizer.encode_batch(list(words)) if words else []
        return torch.tensor([item for (item,) in ids]) if ids and all(len(item) == 1 for item in ids) else None

    def clozes(self, instances: Sequence[Instance]) -> list[Cloze]:
        encoder = Encoder(
            tokenizer=self.scorer.tokenizer,
            prompt=self.scorer.prompt,
            length=self.length,
            prompts=self.prompts,
            prefix=self.prefix,
            prompt_base=self._vocab_size() if self.prompts or self.prefix else 0,
        )
        return [
            encoder.encode(self.task, instance, self.task.pattern_for(instance, self.pattern)) for instance in instances
        ]

    def _vocab_size(self) -> int:
        return len(self.scorer.model.get_submodule("embedding.words").get_parameter("weight"))

    def encode(self, instances: Sequence[Instance]) -> list[TrainExample]:
        examples = []
        for cloze in self.clozes(instances):
            if not cloze.single:
                size = sum(map(len, scoring_requests(cloze, self.scorer.prompt)))
                examples.append(TrainExample(cloze, size, cloze.cut))
                continue
            (context,) = cloze.contexts
            layout = answer_layout(context.ids, context.blank, [cloze.gold or 0], self.scorer.special.sop)
            built = example(layout, self.scorer.position_scheme)
            weighted = Example(
                tokens=built.tokens,
                targets=built.targets,
                weights=built.weights * np.float32(cloze.weight),
                positions=built.positions,
                context=built.context,
            )
            examples.append(TrainExample(weighted, len(weighted), cloze.cut))
        return examples

    def batch(self, examples: Sequence[TrainExample]) -> Batch | AnswerBatch:
        if examples and isinstance(examples[0].what, Example):
            return packed([item.what for item in examples], self.length, self.scorer.special.pad)
        clozes: list[Cloze] = [item.what for item in examples]
        return answer_batch(
            self.scorer.position_scheme,
            self.scorer.special,
            [scoring_requests(cloze, self.scorer.prompt) for cloze in clozes],
            [0 if self.task.match else cloze.gold or 0 for cloze in clozes],
            [cloze.weight for cloze in clozes],
        )

    def predict(self, instances: Sequence[Instance]) -> list[tuple[int, np.ndarray]]:
        scores = score(self.scorer, self.clozes(instances))
        return [predict(self.task, i, item, self.penalty) for i, item in zip(instances, scores, strict=True)]


class ClozeLoss(nn.Module):
    """One of `objective.ranking`'s losses, over label words (`words` [K]) or over whole answers."""

    words: Tensor | None

    def __init__(self, model: LanguageModel, words: Tensor | None, objective: str, penalty: float) -> None:
        super().__init__()
        self.model, self.objective, self.penalty = model, LOSSES[objective], penalty
        self.register_buffer("words", words, persistent=False)

    def forward(self, batch: Batch | AnswerBatch) -> Tensor:
        if isinstance(batch, Batch):
            assert self.words is not None  # answers of one token each are what plain batches are made of
            hidden, gold, weights = targets_of(self.model, batch)
            scores = label_scores(self.model, hidden, self.words.to(hidden.device))
        else:
            gold, weights = batch.gold, batch.weights
            scores = table(answer_scores(self.model, batch, self.penalty), batch.counts)
        return (self.objective(scores, gold) * weights).sum()
