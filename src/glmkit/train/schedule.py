"""The learning rate of each step: linear warm-up, then a curve down to a floor, and flat from there on.

With n the step, w the warm-up steps, N the total and r the floor ratio (facts 2.6; the original's linear decay ran on
below its floor and through zero, ours stays):

    n <= w      peak * n / w
    linear      peak * (1 - (1 - r) * t)             t = min(1, (n - w) / (N - w))
    cosine      peak * (r + (1 - r) * (1 + cos(pi t)) / 2)
    constant    peak
    wsd         peak, and over the last share d of the steps linear from there: t = (n - (1 - d) N) / (d N), 0 before
"""

import math
from dataclasses import dataclass
from typing import Literal

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError
from glmkit.core.kinds import number

_ROUNDING = 1e-9  # of a sum of shares


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """`warmup` is a share of all steps, `floor` a share of the peak rate.

    `decay` of "wsd" (warm-up, stable, decay): the share of all steps in which the rate falls, the last ones.
    """

    peak: float = 4e-4
    shape: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    warmup: float = 0.05
    floor: float = 0.1
    decay: float = 0.4

    def __post_init__(self) -> None:
        share = number(low=0, high=1)
        check_settings(self, {"peak": number(above=0), "warmup": share, "floor": share, "decay": share}, "schedule.")
        if self.shape == "wsd" and self.warmup + self.decay > 1 + _ROUNDING:
            raise UserError(
                f"schedule.warmup {self.warmup} and schedule.decay {self.decay} are shares of one run and more than "
                "the whole together: lower one of them"
            )


def learning_rate(config: ScheduleConfig, step: int, total: int) -> float:
    """The rate of optimizer step `step`, counted from 0, of `total`."""
    warmup = config.warmup * total
    if step < warmup:
        return config.peak * step / warmup
    begin = (1 - config.decay) * total if config.shape == "wsd" else warmup
    progress = min(1.0, max(0.0, step - begin) / max(total - begin, 1e-9))
    return config.peak * _SHAPES[config.shape](progress, config.floor)


_SHAPES = {
    "cosine": lambda t, floor: floor + (1 - floor) * (1 + math.cos(math.pi * t)) / 2,
    "linear": lambda t, floor: 1 - (1 - floor) * t,
    "constant": lambda t, floor: 1.0,
    "wsd": lambda t, floor: 1 - (1 - floor) * t,
}
