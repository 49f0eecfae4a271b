"""Scores of many rows: choices of a row share one reading of its context, rows of like length go together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.families.load import Loaded
from glmkit.infill.geometry import Geometry
from glmkit.nn.finite import check_finite
from glmkit.objective.answers import label_scores
from glmkit.objective.choices import Asked, choice_batch
from glmkit.objective.loss import targets_of, token_scores
from glmkit.tasks.cloze import Cloze, Context
from glmkit.text.prompts import PromptFormat
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer

TOKENS = 8192  # of a batch, padding included


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that a task is put to, in evaluation mode. `max_length`: the most tokens it can read. `rows`: the most
    rows in a batch, which otherwise holds as many as fit."""

    model: Any
    geometry: Geometry
    prompt: PromptFormat
    tokenizer: Tokenizer
    max_length: int
    rows: int | None = None

    @property
    def special(self) -> SpecialIds:
        return self.tokenizer.special

    def continuing(
        self, before: Sequence[int], answers: Sequence[Sequence[int]], *, both_ways: bool, closed: bool = False
    ) -> Asked:
        """What goes on after a text (ids): see `PromptFormat.scored`."""
        read = self.prompt.scored(before, both_ways=both_ways, closed=closed)
        return Asked(context=read.context, blank=read.blank, stem=read.forced_prefix, answers=answers)

    def batches(self, numbers: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
        """See `batches`."""
        return batches(numbers, sizes, rows=self.rows)

    def answers(self, examples: Sequence[Sequence[Asked]]) -> list["Scores"]:
        """The scores of examples with the answers asked about, in one batch."""
        return answers(self.model, self.geometry, self.special, examples)


def subject_of(loaded: Loaded) -> Subject:
    """The model as tasks see it. Raises UserError without a tokenizer."""
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    return Subject(
        model=loaded.model,
        geometry=loaded.family.geometry(loaded.config),
        prompt=loaded.family.prompt(loaded.tokenizer.special),
        tokenizer=loaded.tokenizer,
        max_length=loaded.config.max_positions,
    )


@dataclass(frozen=True)
class Scores:
    """`logprobs`: of the tokens of each answer. `hits`: whether each token was the most probable one."""

    logprobs: tuple[np.ndarray, ...]
    hits: tuple[np.ndarray, ...]

    def totals(self, penalty: float = 0.0) -> np.ndarray:
        """log p of each answer, divided by its number of tokens to the power of `penalty`: [K]."""
        return np.array([each.sum() / len(each) ** penalty for each in self.logprobs])

    @property
    def written(self) -> np.ndarray:
        """For each answer, whether the model would write exactly it: [K]."""
        return np.array([bool(each.all()) for each in self.hits])


def asked(cloze: Cloze, prompt: PromptFormat) -> list[Asked]:
    """What is asked of the model about a row. Single label words are all told from the one token after the sop; where
    there are no blanks, a choice is what goes on from the text before it, together with the text behind it."""
    if cloze.single:
        (context,) = cloze.contexts
        return [Asked(context=context.ids.tolist(), blank=context.blank, answers=[[prompt.special.eop]])]
    if len(cloze.contexts) == 1:
        (context,) = cloze.contexts
        return [_asked(context, cloze.choices, prompt)]
    return [_asked(context, [choice], prompt) for context, choice in zip(cloze.contexts, cloze.choices, strict=True)]


def _asked(context: Context, choices: Sequence[Sequence[int]], prompt: PromptFormat) -> Asked:
    ids, blank = context.ids.tolist(), context.blank
    if prompt.scores_in_blank:
        return Asked(context=ids, blank=blank, answers=[[*choice, prompt.special.eop] for choice in choices])
    return Asked(context=ids[:blank], blank=None, answers=[[*choice, *ids[blank + 1 :]] for choice in choices])


def score(
    subject: Subject, clozes: Sequence[Cloze], on_rows: Callable[[int], None] = lambda count: None
) -> list[Scores]:
    """The scores of every row, in order; `on_rows` is told how many were scored just now."""
    found: list[Scores | None] = [None] * len(clozes)
    for kind in (True, False):
        numbers = [number for number, cloze in enumerate(clozes) if cloze.single == kind]
        questions = {number: asked(clozes[number], subject.prompt) for number in numbers}
        for group in subject.batches(numbers, [sum(map(len, questions[number])) for number in numbers]):
            rows = [questions[number] for number in group]
            scores = _labels(subject, rows, [clozes[n] for n in group]) if kind else subject.answers(rows)
            for number, each in zip(group, scores, strict=True):
                found[number] = each
            on_rows(len(group))
    return [each for each in found if each is not None]


def batches(
    numbers: Sequence[int], sizes: Sequence[int], tokens: int = TOKENS, rows: int | None = None
) -> Iterator[list[int]]:
    """The numbers in groups of like size, each of at most `rows`, and `tokens` tokens with its padding (or of one)."""
    order = np.argsort(sizes, kind="stable")[::-1]
    group: list[int] = []
    widest = 0
    for place in order.tolist():
        if group and ((len(group) + 1) * widest > tokens or len(group) == rows):
            yield group
            group = []
        widest = widest if group else sizes[place]
        group.append(numbers[place])
    if group:
        yield group


@torch.inference_mode()
def answers(model: Any, geometry: Geometry, special: SpecialIds, examples: Sequence[Sequence[Asked]]) -> list[Scores]:
    """The scores of examples with the answers asked about, in one batch."""
    flat = [each for example in examples for each in example]
    batch = choice_batch(geometry, special, flat).to(next(model.parameters()).device)
    hidden, targets, _ = targets_of(model, batch)
    by_token = token_scores(model, hidden, targets)
    check_finite(by_token[0], model)
    losses, hits = (tensor.cpu().numpy() for tensor in by_token)
    found, at = [], 0
    for example in examples:
        ends = at + np.cumsum([len(answer) for each in example for answer in each.answers])
        cuts = list(zip([at, *ends[:-1].tolist()], ends.tolist(), strict=True))
        found.append(Scores(tuple(-losses[a:b] for a, b in cuts), tuple(hits[a:b] for a, b in cuts)))
        at = int(ends[-1])
    return found


@torch.inference_mode()
def _labels(subject: Subject, examples: Sequence[Sequence[Asked]], clozes: Sequence[Cloze]) -> list[Scores]:
    """The scores of single label words, all from one token a row."""
    device = next(subject.model.parameters()).device
    batch = choice_batch(subject.geometry, subject.special, [each for example in examples for each in example])
    hidden, _, _ = targets_of(subject.model, batch.to(device))
    most = max(len(cloze.choices) for cloze in clozes)
    words = [[id for (id,) in cloze.choices] for cloze in clozes]
    labels = torch.tensor([ids + ids[:1] * (most - len(ids)) for ids in words], device=device)
    logprobs = check_finite(label_scores(subject.model, hidden, labels), subject.model).cpu().numpy()
    return [
        Scores(
            tuple(row[k : k + 1] for k in range(len(ids))), tuple(row[k : k + 1] == row.max() for k in range(len(ids)))
        )
        for row, ids in zip(logprobs, words, strict=True)
    ]
