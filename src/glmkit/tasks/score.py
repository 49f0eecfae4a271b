"""Scores of many rows: choices of a row share one reading of its context."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.types import LanguageModel
from glmkit.families.load import Loaded
from glmkit.infill.position_schemes import PositionScheme
from glmkit.objective.choices import ScoringRequest, of_choices
from glmkit.objective.read_padded import read_padded
from glmkit.objective.read_request import LabelScores, Reader, ReadRequest, unwatched
from glmkit.objective.shared_prefix import share_prefixes
from glmkit.tasks.cloze import Cloze, Context
from glmkit.text.prompts import PromptFormat
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ScoringModel:
    """A model as tasks score it, in evaluation mode. `max_length`: the most tokens it can read. `rows`: the most rows
    that are read at a time; as many as fit otherwise. `reader`: what reads them, in closed batches unless it is given.
    `shares_prefixes`: what several begin with is read once; below float32 a row's rounding then depends on the others.
    """

    model: LanguageModel
    position_scheme: PositionScheme
    prompt: PromptFormat
    tokenizer: Tokenizer
    max_length: int
    rows: int | None = None
    reader: Reader | None = None
    shares_prefixes: bool = True

    @property
    def special(self) -> SpecialIds:
        return self.tokenizer.special

    def read(self, requests: Sequence[ReadRequest], on_rows: Callable[[int], None] = unwatched) -> list[Tensor]:
        """The result of each request. Raises NotFinite for a model that computes NaN or infinity."""
        read = self.reader or partial(read_padded, self.model, self.special.pad)
        if not self.shares_prefixes:
            return read(requests, on_rows, self.rows)
        shared = share_prefixes(requests)
        done = counted = 0

        def count(reads: int) -> None:
            nonlocal done, counted
            done += reads
            share = done * len(requests) // len(shared)
            on_rows(share - counted)
            counted = share

        results: dict[int, Tensor] = {}
        for one, result in zip(shared, read([one.request for one in shared], count, self.rows), strict=True):
            results |= one.results(result)
        return [results[number] for number in range(len(requests))]

    def read_all(
        self, examples: Sequence[Sequence[ReadRequest]], on_rows: Callable[[int], None] = unwatched
    ) -> list[list[Tensor]]:
        """The results of the requests of each example; `on_rows` counts examples."""
        flat = [request for example in examples for request in example]
        done = counted = 0

        def count(requests: int) -> None:
            nonlocal done, counted
            done += requests
            share = done * len(examples) // len(flat)
            on_rows(share - counted)
            counted = share

        results = iter(self.read(flat, count))
        return [list(islice(results, len(example))) for example in examples]

    def continuing(
        self, before: Sequence[int], answers: Sequence[Sequence[int]], *, both_ways: bool, closed: bool = False
    ) -> ScoringRequest:
        """What goes on after a text (ids): see `PromptFormat.scored`."""
        read = self.prompt.scored(before, both_ways=both_ways, closed=closed)
        return ScoringRequest(context=read.context, blank=read.blank, forced_prefix=read.forced_prefix, answers=answers)

    def read_request(self, request: ScoringRequest) -> ReadRequest:
        """The request as it is read."""
        return of_choices(self.position_scheme, self.special, request)

    def answers(
        self, examples: Sequence[Sequence[ScoringRequest]], on_rows: Callable[[int], None] = unwatched
    ) -> list["Scores"]:
        """The scores of the answers of each example; `on_rows` is called with how many were scored just now."""
        results = self.read_all([[self.read_request(request) for request in example] for example in examples], on_rows)
        return [
            Scores.of(result, [len(answer) for request in example for answer in request.answers])
            for example, result in zip(examples, results, strict=True)
        ]


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

    @classmethod
    def of(cls, results: Sequence[Tensor], lengths: Sequence[int]) -> "Scores":
        """Of answers of so many tokens each, from what `TargetScores` gave for them: [n, 2], one or several."""
        logprobs, hits = torch.cat(list(results)).cpu().numpy().T
        borders = np.cumsum(lengths)[:-1]
        return cls(tuple(np.split(logprobs, borders)), tuple(np.split(hits > 0, borders)))

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


def score(scorer: ScoringModel, clozes: Sequence[Cloze], on_rows: Callable[[int], None] = unwatched) -> list[Scores]:
    """The scores of every row, in order; `on_rows` is called with how many were scored just now."""
    reads = []
    for cloze in clozes:
        examples = [scorer.read_request(request) for request in scoring_requests(cloze, scorer.prompt)]
        if cloze.single:
            labels = LabelScores([id for (id,) in cloze.choices])
            examples = [replace(example, reduce=labels) for example in examples]
        reads.append(examples)
    results = scorer.read_all(reads, on_rows)
    return [
        _of_labels(result[0]) if cloze.single else Scores.of(result, [len(ids) for ids in _answers(scorer, cloze)])
        for cloze, result in zip(clozes, results, strict=True)
    ]


def _answers(scorer: ScoringModel, cloze: Cloze) -> list[Sequence[int]]:
    return [answer for request in scoring_requests(cloze, scorer.prompt) for answer in request.answers]


def _of_labels(result: Tensor) -> Scores:
    """The scores of single label words, all from one token."""
    (row,) = result.cpu().numpy()
    scores = np.split(row, len(row))
    return Scores(tuple(scores), tuple(score == row.max() for score in scores))
