"""How the next token is chosen. A strategy is a value; each row draws from a generator of its own, so that what a row
gets does not depend on the rows beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from glmkit.core.errors import UserError


class Strategy(Protocol):
    """Chooses one id a row from scores [R, V] (-inf where an id may not be chosen)."""

    def generators(self, alternatives: Sequence[int]) -> list[torch.Generator]: ...
    def choose(self, scores: Tensor, generators: Sequence[torch.Generator]) -> Tensor: ...  # [R]


@dataclass(frozen=True)
class Greedy:
    """The most probable token, always."""

    def generators(self, alternatives: Sequence[int]) -> list[torch.Generator]:
        return [torch.Generator() for _ in alternatives]

    def choose(self, scores: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        return scores.argmax(-1)


@dataclass(frozen=True, kw_only=True)
class TopP:
    """A random token among the most probable: the fewest that hold probability `p`, at most `k` of them.

    `temperature` below 1 sharpens the choice, above 1 flattens it. The same `seed` gives the same text; alternative
    number n of a text draws with seed + n.
    """

    p: float = 0.9
    k: int | None = None
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1:
            raise UserError(f"p must be greater than 0 and at most 1, got {self.p}")
        if self.k is not None and self.k < 1:
            raise UserError(f"k must be at least 1, got {self.k}")
        if self.temperature <= 0:
            raise UserError(
                f"temperature must be positive, got {self.temperature}; for the most probable token use Greedy()"
            )

    def generators(self, alternatives: Sequence[int]) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(self.seed + number) for number in alternatives]

    def choose(self, scores: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        kept = keep_top(scores / self.temperature, self.p, self.k)
        uniform = torch.stack([torch.rand(kept.shape[1], generator=generator) for generator in generators])
        # The largest of a score plus Gumbel noise is a draw from their softmax (Gumbel 1954).
        exponential = -uniform.clamp_min(1e-20).log()
        noise = -exponential.clamp_min(1e-20).log()
        return (kept + noise.to(kept.device)).argmax(-1)


def keep_top(scores: Tensor, p: float, k: int | None) -> Tensor:
    """Scores [R, V] with -inf for all but the `k` highest and the fewest that hold probability `p` (one at least)."""
    ordered, index = scores.sort(-1, descending=True)
    probabilities = ordered.softmax(-1)
    cut = probabilities.cumsum(-1) - probabilities >= p  # what is held before a token already suffices
    if k is not None:
        cut[:, k:] = True
    cut[:, 0] = False
    return scores.masked_fill(torch.zeros_like(cut).scatter(-1, index, cut), float("-inf"))
