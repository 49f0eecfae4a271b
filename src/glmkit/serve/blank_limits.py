"""Blanks of different lengths in one text: the engine has one limit for all, this constraint the others."""

from collections.abc import Sequence

import torch
from torch import Tensor

from glmkit.serve.blanks import Blank
from glmkit.text.special import SpecialIds


class BlankLimits:
    """The constraint of a sequence whose blanks hold from `min_tokens` to `max_tokens` tokens each; `most` is the
    engine's own limit, at which it ends a blank by itself."""

    def __init__(self, blanks: Sequence[Blank], special: SpecialIds, most: int) -> None:
        self._blanks, self._ends, self._eop, self._most = blanks, special.ends, special.eop, most
        self._blank, self._count = 0, 0

    def mask(self, scores: Tensor, left: int) -> None:
        blank = self._blanks[self._blank]
        if blank.max_tokens is not None and self._count >= blank.max_tokens:
            eop = scores[self._eop].clone()
            scores.fill_(float("-inf"))
            scores[self._eop] = eop if torch.isfinite(eop) else 0.0
        elif self._count < blank.min_tokens:
            scores[list(self._ends)] = float("-inf")

    def observe(self, id: int) -> bool:
        self._count += 1
        if id in self._ends or self._count == self._most:
            self._blank, self._count = min(self._blank + 1, len(self._blanks) - 1), 0
        return False
