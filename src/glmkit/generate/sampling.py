"""How the next token is chosen, as values. At work on a sequence a strategy becomes a sampler, which remembers that
sequence and draws for it alone, so that what a sequence gets does not depend on the rows beside it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from glmkit.core.kinds import check, either, number, optional, whole
from glmkit.generate.penalties import MAX_SETTING, MIN_SETTING, NO_PENALTIES, PENALTIES, Penalties
from glmkit.generate.samplers import Drawing, Sampler, SequenceSampler

SHARE, CHANCE = number(above=0, high=1), number(low=0, high=1)
_POSITIVE = f"a positive finite number ({MIN_SETTING:g} to {MAX_SETTING:g})"
_WARM = number(low=MIN_SETTING, high=MAX_SETTING)
TEMPERATURE = either(_WARM, wanted=f"{_POSITIVE}; the most probable token is what Greedy() takes")
TEMPERATURE_OR_0 = either(number(low=0, high=0), _WARM, wanted=f"0 or {_POSITIVE}")


class Strategy(Protocol):
    """How ids are chosen for any sequence; `index` numbers the sequences that are written from the same `prompt`."""

    def sampler(self, prompt: Sequence[int], index: int) -> Sampler: ...


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """The most probable token, always."""

    penalties: Penalties = NO_PENALTIES

    def __post_init__(self) -> None:
        check(self.penalties, PENALTIES, "penalties")

    def sampler(self, prompt: Sequence[int], index: int) -> Sampler:
        return SequenceSampler(prompt, self.penalties)


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """A random token among the most probable.

    Of the `k` most probable (all if None), the fewest that hold probability `p` of them (Holtzman et al. 2020), but
    none less probable than `min_p` times the most probable (Nguyen et al. 2024). `temperature` below 1 sharpens the
    choice, above 1 flattens it; it acts first, and near 0 the most probable token is all that is left. The same `seed`
    gives the same text; sequence number n of a prompt draws with seed + n. Raises UserError for numbers out of
    range; at temperature 0 there is nothing to draw: that is `Greedy()`.
    """

    p: float = 0.9
    k: int | None = None
    min_p: float = 0.0
    temperature: float = 1.0
    seed: int = 0
    penalties: Penalties = NO_PENALTIES

    def __post_init__(self) -> None:
        check(self.p, SHARE, "p")
        check(self.k, optional(whole(low=1)), "k")
        check(self.min_p, CHANCE, "min_p")
        check(self.temperature, TEMPERATURE, "temperature")
        check(self.seed, whole(), "seed")
        check(self.penalties, PENALTIES, "penalties")

    def sampler(self, prompt: Sequence[int], index: int) -> Sampler:
        rng = random.Random(self.seed + index)
        drawing = Drawing(temperature=float(self.temperature), k=self.k, p=self.p, min_p=self.min_p, rng=rng)
        return SequenceSampler(prompt, self.penalties, drawing)


TopP = SamplingParams  # its name in version 0.1
