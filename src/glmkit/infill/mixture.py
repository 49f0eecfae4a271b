"""Which objectives a run trains on, in what shares."""

from dataclasses import dataclass, replace
from typing import Literal

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError
from glmkit.core.kinds import number
from glmkit.infill.corruption import (
    LONGEST,
    DocumentBlank,
    LeftToRight,
    MaskedLM,
    Mixture,
    Objective,
    SentenceBlanks,
    SentinelBlanks,
    SingleBlank,
    TokenBlanks,
)


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Shares of the objectives, drawn anew for each example (they need not sum to 1), and their settings.

    `token`, `sentence`, `document` and `single` are GLM's; `masked_lm` and `left_to_right` are baselines. `causal` and
    `infill` are what any architecture can learn: the next token, and short blanks whose tokens are written behind the
    text. `order` and `marks` other than the defaults are ablations of the token objective.

    `ratio_end` and `mean_length_end`: what the share blanked and the mean length of short blanks have become at the end
    of a run, on a straight line from `ratio` and `mean_length` (0: they stay). What is held out is measured at the
    beginning's throughout.
    """

    token: float = 1.0
    sentence: float = 0.0
    document: float = 0.0
    single: float = 0.0
    masked_lm: float = 0.0
    left_to_right: float = 0.0
    causal: float = 0.0
    infill: float = 0.0
    ratio: float = 0.15
    ratio_end: float = 0.0
    mean_length: float = 3.0
    mean_length_end: float = 0.0
    shortest_document: float = 0.5
    inner_document: float = 0.5
    short: float = 0.0  # share of pieces cut into short ones
    order: Literal["shuffled", "left-to-right"] = "shuffled"
    marks: Literal["same", "sentinel"] = "same"

    def __post_init__(self) -> None:
        names = ("ratio", "ratio_end", "shortest_document", "inner_document", "short")
        kinds = dict.fromkeys(names, number(low=0, high=1)) | {"mean_length": number(above=0, high=LONGEST)}
        check_settings(self, kinds | {"mean_length_end": number(low=0, high=LONGEST)}, "objective.")
        shares = {name: getattr(self, name) for name in SHARES}
        if any(share < 0 for share in shares.values()) or sum(shares.values()) <= 0:
            raise UserError(
                f"objective: the shares of {', '.join(SHARES)} must not be negative, and one must be positive; "
                f"got {shares}"
            )

    @property
    def changes(self) -> bool:
        """Whether blanks are drawn in another way at the end of a run than at its beginning."""
        return bool(self.ratio_end or self.mean_length_end)

    def at(self, progress: float) -> "ObjectiveConfig":
        """How blanks are drawn when this share of a run is done."""
        ends = {"ratio": self.ratio_end or self.ratio, "mean_length": self.mean_length_end or self.mean_length}
        values = {name: (1 - progress) * getattr(self, name) + progress * end for name, end in ends.items()}
        return replace(self, **values, ratio_end=0.0, mean_length_end=0.0)


SHARES = ("token", "sentence", "document", "single", "masked_lm", "left_to_right", "causal", "infill")
# What a model can learn that reads from left to right alone; the others tell a blank by its place, or read both ways.
CAUSAL_SHARES = ("causal", "infill", "left_to_right")


def check_objectives(config: ObjectiveConfig, family: str, *, bidirectional: bool) -> None:
    """Raises UserError for an objective that the family cannot learn."""
    wanted = [name for name in SHARES if getattr(config, name) > 0]
    if not bidirectional and (beyond := [name for name in wanted if name not in CAUSAL_SHARES]):
        raise UserError(
            f"a {family} reads from left to right alone and cannot learn objective.{beyond[0]}: give "
            f"objective.{beyond[0]}=0, and a share to one of {', '.join(CAUSAL_SHARES)}"
        )


def objectives(config: ObjectiveConfig, *, bidirectional: bool = True) -> dict[str, Objective]:
    """The objectives with a positive share, by name.

    A model that is not `bidirectional` sees no positions that tell which blank a span belongs to, so it writes the
    spans of `infill` in the order of the text.
    """
    blanks = SentinelBlanks if config.marks == "sentinel" else TokenBlanks
    shuffle = config.order == "shuffled"
    every: dict[str, Objective] = {
        "token": blanks(ratio=config.ratio, mean_length=config.mean_length, shuffle=shuffle),
        "sentence": SentenceBlanks(ratio=config.ratio),
        "document": DocumentBlank(shortest=config.shortest_document, inner=config.inner_document),
        "single": SingleBlank(mean_length=config.mean_length),
        "masked_lm": MaskedLM(ratio=config.ratio),
        "left_to_right": LeftToRight(),
        "causal": LeftToRight(),
        "infill": blanks(ratio=config.ratio, mean_length=config.mean_length, shuffle=shuffle and bidirectional),
    }
    return {name: objective for name, objective in every.items() if getattr(config, name) > 0}


def mixture(config: ObjectiveConfig, *, bidirectional: bool = True) -> Mixture:
    """All of them, each with its share."""
    parts = objectives(config, bidirectional=bidirectional)
    return Mixture(tuple((getattr(config, name), objective) for name, objective in parts.items()))
