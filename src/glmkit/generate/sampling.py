"""How the next token is chosen. A strategy is a value; at work on a row it becomes a chooser, which remembers that row
and draws for it alone, so that what a row gets does not depend on the rows beside it.

    scores of the model -> Penalties -> temperature -> top-k -> top-p -> min-p -> one draw
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError


class Chooser(Protocol):
    """A strategy at work on one row."""

    def choose(self, scores: Tensor) -> Tensor: ...  # scores [V], -inf where an id may not be chosen -> id, 0-d
    def wrote(self, id: int) -> None: ...


class Strategy(Protocol):
    """How ids are chosen for any row; `alternative` numbers the rows that are written from the same `prompt`."""

    def chooser(self, prompt: Sequence[int], alternative: int) -> Chooser: ...


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """What is taken from, or given to, the scores of single ids before a token is chosen.

    `repetition` r divides a positive score by r and multiplies a negative one by r for every id that the prompt or
    the text written so far holds (CTRL, Keskar et al. 2019, section 4.1, in the form of transformers).
    `presence` and `frequency` are those of OpenAI's API: score - presence * [id was written] - frequency * (times it
    was written); the prompt does not count. `bias` adds to the scores of the ids it names.
    """

    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.repetition <= 0:
            raise UserError(f"repetition must be positive, got {self.repetition}; 1 changes nothing")

    @property
    def idle(self) -> bool:
        """Whether they change nothing."""
        return (self.repetition, self.presence, self.frequency) == (1, 0, 0) and not self.bias


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """The most probable token, always."""

    penalties: Penalties = Penalties()

    def chooser(self, prompt: Sequence[int], alternative: int) -> Chooser:
        return _Most(self.penalties, prompt)


@dataclass(frozen=True, kw_only=True)
class TopP:
    """A random token among the most probable.

    Of the `k` most probable (all if None), the fewest that hold probability `p` of them (Holtzman et al. 2020), but
    none less probable than `min_p` times the most probable (Nguyen et al. 2024). `temperature` below 1 sharpens the
    choice, above 1 flattens it; it acts first. The same `seed` gives the same text; alternative number n of a prompt
    draws with seed + n.
    """

    p: float = 0.9
    k: int | None = None
    min_p: float = 0.0
    temperature: float = 1.0
    seed: int = 0
    penalties: Penalties = Penalties()

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1:
            raise UserError(f"p must be greater than 0 and at most 1, got {self.p}")
        if self.k is not None and self.k < 1:
            raise UserError(f"k must be at least 1, got {self.k}")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"min_p must be at least 0 and at most 1, got {self.min_p}")
        if self.temperature <= 0:
            raise UserError(
                f"temperature must be positive, got {self.temperature}; for the most probable token use Greedy()"
            )

    def chooser(self, prompt: Sequence[int], alternative: int) -> Chooser:
        return _Draw(self, prompt, random.Random(self.seed + alternative))


class _Most:
    """The most probable of the scores after penalties."""

    def __init__(self, penalties: Penalties, prompt: Sequence[int]) -> None:
        self._penalties = penalties
        self._times = dict.fromkeys(prompt, 0)  # id of the prompt or the text -> how often it was written
        self._bias = torch.tensor(list(penalties.bias), dtype=torch.long)

    def choose(self, scores: Tensor) -> Tensor:
        return self._penalised(scores).argmax(-1)

    def wrote(self, id: int) -> None:
        self._times[id] = self._times.get(id, 0) + 1

    def _penalised(self, scores: Tensor) -> Tensor:
        penalties = self._penalties
        if penalties.idle:
            return scores
        scores, device = scores.clone(), scores.device
        ids = torch.from_numpy(np.fromiter(self._times, np.int64, len(self._times))).to(device)
        times = torch.from_numpy(np.fromiter(self._times.values(), np.float32, len(self._times))).to(device)
        found = scores[ids]
        found = torch.where(found > 0, found / penalties.repetition, found * penalties.repetition)
        scores[ids] = found - penalties.presence * (times > 0) - penalties.frequency * times
        if penalties.bias:
            if max(penalties.bias) >= len(scores):
                raise UserError(f"bias names id {max(penalties.bias)}, the model has {len(scores)}")
            scores[self._bias] += torch.tensor(list(penalties.bias.values()), device=device)
        return scores


class _Draw(_Most):
    """A draw from what the strategy keeps: one random number a token."""

    def __init__(self, strategy: TopP, prompt: Sequence[int], rng: random.Random) -> None:
        super().__init__(strategy.penalties, prompt)
        self._strategy, self._rng = strategy, rng

    def choose(self, scores: Tensor) -> Tensor:
        s = self._strategy
        ids, probabilities = keep_top(self._penalised(scores) / s.temperature, s.p, s.k, s.min_p)
        reached = probabilities.cumsum(-1)
        place = torch.searchsorted(reached, self._rng.random() * reached[-1], right=True)
        return ids[place.clamp_max(len(ids) - 1)]


def keep_top(scores: Tensor, p: float = 1.0, k: int | None = None, min_p: float = 0.0) -> tuple[Tensor, Tensor]:
    """The ids [N] that may be drawn by scores [V], one at least, and their probabilities [N] among the `k` highest.

    The most probable come first where `k` or `p` cut.
    """
    if k is not None and k < len(scores):
        scores, ids = scores.topk(k)
    else:
        ids = torch.arange(len(scores), device=scores.device)
    probabilities = scores.softmax(-1)
    if p < 1:
        probabilities, order = _holding(probabilities, p)
        kept = max(1, int((probabilities.cumsum(-1) - probabilities < p).sum()))
        probabilities, ids = probabilities[:kept], ids[order[:kept]]
    if min_p > 0:
        likely = probabilities >= min_p * probabilities.max()
        probabilities, ids = probabilities[likely], ids[likely]
    return ids, probabilities


def _holding(probabilities: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """The highest probabilities, highest first, enough to hold `p`, and their places. To sort the whole vocabulary
    would take longer than all else that a token needs here; a few hundred ids nearly always hold p."""
    for count in (256, 4096):
        if count < len(probabilities):
            highest, order = probabilities.topk(count)
            if highest.sum() >= p:
                return highest, order
    return probabilities.sort(descending=True)
