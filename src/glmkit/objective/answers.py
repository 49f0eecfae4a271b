"""Scores of answers, for measuring and for learning: examples with the answers to be scored, as one batch.

example 1, answers a b    example 2, answers c d e        counts 2 3, lengths: tokens of a b c d e
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.core.types import Batch, LanguageModel
from glmkit.infill.position_schemes import PositionScheme
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.objective.loss import ROWS, targets_of, token_losses
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class AnswerBatch:
    """`rows` hold the answers in order, E examples with C answers in all. `gold` and `weights` [E] teach."""

    rows: Batch
    lengths: tuple[int, ...]  # [C] tokens of each answer
    counts: tuple[int, ...]  # [E] answers of each example
    gold: Tensor
    weights: Tensor

    def to(self, device: torch.device | str) -> "AnswerBatch":
        return replace(self, rows=self.rows.to(device), gold=self.gold.to(device), weights=self.weights.to(device))


def answer_batch(
    position_scheme: PositionScheme,
    special: SpecialIds,
    examples: Sequence[Sequence[ScoringRequest]],
    gold: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> AnswerBatch:
    """One batch of examples, each asking about one context with its answers, or about a context for each answer."""
    requests = [request for example in examples for request in example]
    return AnswerBatch(
        rows=choice_batch(position_scheme, special, requests),
        lengths=tuple(len(answer) for request in requests for answer in request.answers),
        counts=tuple(sum(len(request.answers) for request in example) for example in examples),
        gold=torch.tensor([0] * len(examples) if gold is None else list(gold)),
        weights=torch.tensor([1.0] * len(examples) if weights is None else list(weights)),
    )


def answer_scores(model: LanguageModel, batch: AnswerBatch, penalty: float = 0.0) -> Tensor:
    """log p of each answer [C], its tokens' log p summed and divided by their number to the power of `penalty`."""
    hidden, targets, _ = targets_of(model, batch.rows)
    logprobs = -token_losses(model, hidden, targets)
    lengths = torch.tensor(batch.lengths, device=logprobs.device)
    owner = torch.arange(len(lengths), device=logprobs.device).repeat_interleave(lengths)
    scores = torch.zeros(len(lengths), device=logprobs.device).index_add(0, owner, logprobs)
    return scores / lengths**penalty if penalty else scores


def label_scores(model: LanguageModel, hidden: Tensor, labels: Tensor) -> Tensor:
    """log p, over the whole vocabulary, of the words `labels` ([K] or [N, K]) after hidden states [N, D]: [N, K]."""
    results = []
    for number, piece in enumerate(hidden.split(ROWS)):
        logprobs = F.log_softmax(model.logits(piece).float(), -1)
        targets = labels if labels.dim() == 1 else labels[number * ROWS :][: len(piece)]
        results.append(logprobs.gather(1, targets.expand(len(piece), -1)))
    return torch.cat(results)
