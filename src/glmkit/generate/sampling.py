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
from glmkit.core.kinds import Fault, Kind, check, either, instance_of, number, optional, whole

# Bounds that keep every score in float32 on its way to a probability, whatever is asked for together.
_MOST, _LEAST = 1e30, 1.2e-38
_COLD = 1e-3  # temperatures below it act on differences of scores, lest a score divided by them be infinite


def _biases(value: object) -> Fault | None:
    if not isinstance(value, Mapping):
        return Fault("", value, BIAS.wanted)
    for id, bias in value.items():
        if whole(0, 2**63 - 1).find(id) is not None:
            return Fault("", id, "a table whose keys are ids, whole numbers of at least 0")
        if (fault := PENALTY.find(bias)) is not None:
            return Fault(f"[{id}]", bias, fault.wanted)
    return None


SHARE, CHANCE = number(above=0, high=1), number(low=0, high=1)
PENALTY = number(low=-_MOST, high=_MOST)
REPETITION = either(number(low=1e-30, high=_MOST), wanted="a positive finite number (1e-30 to 1e+30)")
BIAS = Kind("a table of ids and what is added to the score of each", _biases)
_POSITIVE = f"a positive finite number ({_LEAST:g} to {_MOST:g})"
_WARM = number(low=_LEAST, high=_MOST)
TEMPERATURE = either(_WARM, wanted=f"{_POSITIVE}; the most probable token is what Greedy() takes")
TEMPERATURE_OR_0 = either(number(low=0, high=0), _WARM, wanted=f"0 or {_POSITIVE}")


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
    was written); the prompt does not count. `bias` adds to the scores of the ids it names. Raises UserError for what is
    no finite number.
    """

    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.repetition, REPETITION, "repetition")
        check(self.presence, PENALTY, "presence")
        check(self.frequency, PENALTY, "frequency")
        check(self.bias, BIAS, "bias")

    @property
    def idle(self) -> bool:
        """Whether they change nothing."""
        return (self.repetition, self.presence, self.frequency) == (1, 0, 0) and not self.bias


PENALTIES = instance_of(Penalties)


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """The most probable token, always."""

    penalties: Penalties = Penalties()

    def __post_init__(self) -> None:
        check(self.penalties, PENALTIES, "penalties")

    def chooser(self, prompt: Sequence[int], alternative: int) -> Chooser:
        return _Most(self.penalties, prompt)


@dataclass(frozen=True, kw_only=True)
class TopP:
    """A random token among the most probable.

    Of the `k` most probable (all if None), the fewest that hold probability `p` of them (Holtzman et al. 2020), but
    none less probable than `min_p` times the most probable (Nguyen et al. 2024). `temperature` below 1 sharpens the
    choice, above 1 flattens it; it acts first, and near 0 the most probable token is all that is left. The same `seed`
    gives the same text; alternative number n of a prompt draws with seed + n. Raises UserError for numbers out of
    range; at temperature 0 there is nothing to draw: that is `Greedy()`.
    """

    p: float = 0.9
    k: int | None = None
    min_p: float = 0.0
    temperature: float = 1.0
    seed: int = 0
    penalties: Penalties = Penalties()

    def __post_init__(self) -> None:
        check(self.p, SHARE, "p")
        check(self.k, optional(whole(low=1)), "k")
        check(self.min_p, CHANCE, "min_p")
        check(self.temperature, TEMPERATURE, "temperature")
        check(self.seed, whole(), "seed")
        check(self.penalties, PENALTIES, "penalties")

    def chooser(self, prompt: Sequence[int], alternative: int) -> Chooser:
        return _Draw(self, prompt, random.Random(self.seed + alternative))


class _Most:
    """The most probable of the scores after penalties."""

    def __init__(self, penalties: Penalties, prompt: Sequence[int]) -> None:
        self._penalties = penalties
        self._times = dict.fromkeys(prompt, 0)  # id of the prompt or the text -> how often it was written
        self._biased = torch.tensor(list(penalties.bias), dtype=torch.long)
        self._biases = torch.tensor([float(bias) for bias in penalties.bias.values()])

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
        found, repetition = scores[ids], float(penalties.repetition)
        found = torch.where(found > 0, found / repetition, found * repetition)
        scores[ids] = found - float(penalties.presence) * (times > 0) - float(penalties.frequency) * times
        if penalties.bias:
            if max(penalties.bias) >= len(scores):
                raise UserError(f"bias names id {max(penalties.bias)}, the model has {len(scores)}")
            scores[self._biased] += self._biases.to(device)
        return scores


class _Draw(_Most):
    """A draw from what the strategy keeps: one random number a token."""

    def __init__(self, strategy: TopP, prompt: Sequence[int], rng: random.Random) -> None:
        super().__init__(strategy.penalties, prompt)
        self._strategy, self._rng = strategy, rng

    def choose(self, scores: Tensor) -> Tensor:
        s = self._strategy
        scores = self._penalised(scores)
        if s.temperature < _COLD:
            scores = scores - scores.max()
        ids, probabilities = keep_top(scores / float(s.temperature), s.p, s.k, s.min_p)
        reached = probabilities.cumsum(-1)
        place = torch.searchsorted(reached, self._rng.random() * reached[-1], right=True)
        return ids[place.clamp_max(len(ids) - 1)]


def keep_top(scores: Tensor, p: float = 1.0, k: int | None = None, min_p: float = 0.0) -> tuple[Tensor, Tensor]:
    """The ids [N] that may be drawn by scores [V], one at least, and their probabilities [N] among the `k` highest.

    The most probable come first where `k` or `p` cut. Scores that are no numbers are for the caller to see.
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
        likely = ~(probabilities < min_p * probabilities.max())  # all, where they are NaN
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
