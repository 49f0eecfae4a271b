"""Penalties: what is taken from, or given to, the scores of single ids before a token is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.kinds import Fault, Kind, check, either, instance_of, number, whole

# Bounds that keep every score in float32 on its way to a probability, whatever is asked for together.
MAX_SETTING, MIN_SETTING = 1e30, 1.2e-38


def _biases(value: object) -> Fault | None:
    if not isinstance(value, Mapping):
        return Fault("", value, BIAS.wanted)
    for id, bias in value.items():
        if whole(0, 2**63 - 1).find(id) is not None:
            return Fault("", id, "a table whose keys are ids, whole numbers of at least 0")
        if (fault := PENALTY.find(bias)) is not None:
            return Fault(f"[{id}]", bias, fault.wanted)
    return None


PENALTY = number(low=-MAX_SETTING, high=MAX_SETTING)
REPETITION = either(number(low=1e-30, high=MAX_SETTING), wanted="a positive finite number (1e-30 to 1e+30)")
BIAS = Kind("a table of ids and what is added to the score of each", _biases)


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
NO_PENALTIES = Penalties()


class TokenCounts:
    """The distinct ids of a prompt and its text, and how often each was written behind the prompt."""

    def __init__(self, prompt: Sequence[int]) -> None:
        ids = list(dict.fromkeys(prompt))
        self._places = {id: place for place, id in enumerate(ids)}
        self._ids = np.array(ids, dtype=np.int64)  # grows by doubling; the first len(_places) count
        self._counts = np.zeros(len(ids), dtype=np.float32)

    def add(self, id: int) -> None:
        place = self._places.setdefault(id, len(self._places))
        if place == len(self._ids):
            room = 32 + len(self._ids)
            self._ids = np.concatenate([self._ids, np.zeros(room, dtype=np.int64)])
            self._counts = np.concatenate([self._counts, np.zeros(room, dtype=np.float32)])
        self._ids[place] = id
        self._counts[place] += 1

    @property
    def ids(self) -> NDArray[np.int64]:
        return self._ids[: len(self._places)]

    @property
    def counts(self) -> NDArray[np.float32]:
        return self._counts[: len(self._places)]


def penalized(scores: Tensor, rows: Sequence[tuple[int, Penalties, TokenCounts]]) -> Tensor:
    """Scores [B, V] after the penalties of some rows, with one gather and one scatter for all; the scores given stay as
    they are. Raises UserError for a bias that names an id the model has not."""
    rows = [(row, penalties, seen) for row, penalties, seen in rows if not penalties.idle]
    if not rows:
        return scores
    size, device = scores.shape[1], scores.device
    scores = scores.clone()
    flat = scores.view(-1)  # [B * V]
    places = torch.from_numpy(np.concatenate([row * size + seen.ids for row, _, seen in rows])).to(device)
    counts = torch.from_numpy(np.concatenate([seen.counts for _, _, seen in rows])).to(device)
    settings = [(penalties.repetition, penalties.presence, penalties.frequency) for _, penalties, _ in rows]
    item = np.repeat(np.array(settings, dtype=np.float32), [len(seen.ids) for _, _, seen in rows], axis=0)  # [N, 3]
    repetition, presence, frequency = torch.from_numpy(item).to(device).unbind(1)
    result = flat[places]
    result = torch.where(result > 0, result / repetition, result * repetition)
    flat[places] = result - presence * (counts > 0) - frequency * counts
    biases = [(row, id, float(bias)) for row, penalties, _ in rows for id, bias in penalties.bias.items()]
    if biases:
        if (highest := max(id for _, id, _ in biases)) >= size:
            raise UserError(f"bias names id {highest}, the model has {size}")
        biased = torch.tensor([row * size + id for row, id, _ in biases], device=device)
        flat[biased] += torch.tensor([bias for _, _, bias in biases], device=device)
    return scores
