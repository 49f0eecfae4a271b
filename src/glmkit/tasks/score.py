"""Scores of many rows: choices of a row share one reading of its context, rows of like length go together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import LanguageModel
from glmkit.families.load import Loaded
from glmkit.infill.position_schemes import PositionScheme
from glmkit.nn.finite import check_finite
from glmkit.objective.answers import label_scores
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.objective.loss import targets_of, token_scores
from glmkit.tasks.cloze import Cloze, Context
from glmkit.text.prompts import PromptFormat
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer

TOKENS = 8192  # of a batch, padding included


@dataclass(frozen=True, kw_only=True)
class ScoringModel:
    """A model as tasks score it, in evaluation mode. `max_length`: the most tokens it can read. `rows`: the most
    rows in a batch, which otherwise holds as many as fit."""

    model: LanguageModel
    position_scheme: PositionScheme
    prompt: PromptFormat
    tokenizer: Tokenizer
    max_length: int
    rows: int | None = None

    @property
    def special(self) -> SpecialIds:
        return self.tokenizer.special

    def continuing(
        self, before: Sequence[int], answers: Sequence[Sequence[int]], *, both_ways: bool, closed: bool = False
    ) -> ScoringRequest:
        """What goes on after a text (ids): see `PromptFormat.scored`."""
        read = self.prompt.scored(before, both_ways=both_ways, closed=closed)
        return ScoringRequest(context=read.context, blank=read.blank, forced_prefix=read.forced_prefix, answers=answers)

    def batches(self, numbers: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
        """See `batches`."""
        return batches(numbers, sizes, rows=self.rows)

    def answers(self, examples: Sequence[Sequence[ScoringRequest]]) -> list["Scores"]:
        """The scores of the answers of several examples, in one batch."""
        return answers(self.model, self.position_scheme, self.special, examples)


def scoring_model_of(loaded: Loaded) -> ScoringModel:
    """The model as tasks see it. Raises UserError without a tokenizer."""
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    return ScoringModel(
        model=loaded.model,
        position_scheme=loaded.family.positions(loaded.config),
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
        return np.array([request.sum() / len(request) ** penalty for request in self.logprobs])

    @property
    def written(self) -> np.ndarray:
        """For each answer, whether the model would write exactly it: [K]."""
        return np.array([bool(request.all()) for request in self.hits])


def scoring_requests(cloze: Cloze, prompt: PromptFormat) -> list[ScoringRequest]:
    """The scoring requests of a row. Single label words are all scored at the one token after the sop; where
    there are no blanks, a choice is what goes on from the text before it, together with the text behind it."""
    if cloze.single:
        (context,) = cloze.contexts
        return [ScoringRequest(context=context.ids.tolist(), blank=context.blank, answers=[[prompt.special.eop]])]
    if len(cloze.contexts) == 1:
        (context,) = cloze.contexts
        return [_request(context, cloze.choices, prompt)]
    return [_request(context, [choice], prompt) for context, choice in zip(cloze.contexts, cloze.choices, strict=True)]


def _request(context: Context, choices: Sequence[Sequence[int]], prompt: PromptFormat) -> ScoringRequest:
    ids, blank = context.ids.tolist(), context.blank
    if prompt.scores_in_blank:
        return ScoringRequest(context=ids, blank=blank, answers=[[*choice, prompt.special.eop] for choice in choices])
    return ScoringRequest(context=ids[:blank], blank=None, answers=[[*choice, *ids[blank + 1 :]] for choice in choices])


def score(
    scorer: ScoringModel, clozes: Sequence[Cloze], on_rows: Callable[[int], None] = lambda count: None
) -> list[Scores]:
    """The scores of every row, in order; `on_rows` is called with how many were scored just now."""
    results: list[Scores | None] = [None] * len(clozes)
    for kind in (True, False):
        numbers = [number for number, cloze in enumerate(clozes) if cloze.single == kind]
        questions = {number: scoring_requests(clozes[number], scorer.prompt) for number in numbers}
        for group in scorer.batches(numbers, [sum(map(len, questions[number])) for number in numbers]):
            rows = [questions[number] for number in group]
            scores = _labels(scorer, rows, [clozes[n] for n in group]) if kind else scorer.answers(rows)
            for number, request in zip(group, scores, strict=True):
                results[number] = request
            on_rows(len(group))
    return [request for request in results if request is not None]


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
def answers(
    model: LanguageModel,
    position_scheme: PositionScheme,
    special: SpecialIds,
    examples: Sequence[Sequence[ScoringRequest]],
) -> list[Scores]:
    """The scores of the answers of several examples, in one batch."""
    flat = [request for example in examples for request in example]
    batch = choice_batch(position_scheme, special, flat).to(next(model.parameters()).device)
    hidden, targets, _ = targets_of(model, batch)
    by_token = token_scores(model, hidden, targets)
    check_finite(by_token[0], model)
    losses, hits = (tensor.cpu().numpy() for tensor in by_token)
    results, at = [], 0
    for example in examples:
        ends = at + np.cumsum([len(answer) for request in example for answer in request.answers])
        cuts = list(zip([at, *ends[:-1].tolist()], ends.tolist(), strict=True))
        results.append(Scores(tuple(-losses[a:b] for a, b in cuts), tuple(hits[a:b] for a, b in cuts)))
        at = int(ends[-1])
    return results


@torch.inference_mode()
def _labels(
    scorer: ScoringModel, examples: Sequence[Sequence[ScoringRequest]], clozes: Sequence[Cloze]
) -> list[Scores]:
    """The scores of single label words, all from one token a row."""
    device = next(scorer.model.parameters()).device
    batch = choice_batch(
        scorer.position_scheme, scorer.special, [request for example in examples for request in example]
    )
    hidden, _, _ = targets_of(scorer.model, batch.to(device))
    most = max(len(cloze.choices) for cloze in clozes)
    words = [[id for (id,) in cloze.choices] for cloze in clozes]
    labels = torch.tensor([ids + ids[:1] * (most - len(ids)) for ids in words], device=device)
    logprobs = check_finite(label_scores(scorer.model, hidden, labels), scorer.model).cpu().numpy()
    return [
        Scores(
            tuple(row[k : k + 1] for k in range(len(ids))), tuple(row[k : k + 1] == row.max() for k in range(len(ids)))
        )
        for row, ids in zip(logprobs, words, strict=True)
    ]
