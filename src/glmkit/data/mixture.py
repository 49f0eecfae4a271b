"""Several corpora as one: their pieces numbered one after the other, drawn in turn by their shares.

An epoch of the mixture has as many pieces as the corpora together, of each its quota; a corpus whose quota is more
than its pieces begins another epoch of its own in the midst of it, one whose quota is less goes on where it was.
Corpora of 4 and 2 pieces, quotas 3 and 3:

    pieces            a: 0 1 2 3    b: 4 5
    mixture, epoch 0  a0 b4 b5 a3 a1 b4           the last b4 is read in b's epoch 1, so what is drawn in it differs
    mixture, epoch 1  b5 a2 ...                   a2 was left of a's epoch 0
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.core.random import epoch_generator
from glmkit.core.types import Example, IntArray
from glmkit.data.chunks import ExampleSource
from glmkit.data.packing import Lengths, Order
from glmkit.infill.corruption import Vocabulary
from glmkit.infill.layout import Blanked, Layout
from glmkit.infill.position_schemes import PositionScheme

_MIXING = 4  # the purpose of these random numbers


class Source(Protocol):
    """Examples by (epoch, index), and the order in which they are read: one corpus, or a mixture."""

    def __len__(self) -> int: ...
    def __call__(self, keys: Iterable[tuple[int, int]]) -> list[Example]: ...
    def draw(self, epoch: int, index: int) -> Blanked | Layout: ...
    @property
    def order(self) -> Callable[[int], Order]: ...
    def origin(self, index: int) -> str: ...
    def epochs(self, state: Table) -> dict[str, float]: ...
    @property
    def lengths(self) -> Lengths: ...
    @property
    def documents(self) -> int: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def position_scheme(self) -> PositionScheme: ...


def shares_of(weights: Sequence[float | None], tokens: Sequence[int]) -> list[float]:
    """The share of all tokens that each corpus is to have. Those without a weight divide what the others leave of 1 by
    their size; without any weight all do. Raises UserError when nothing is left for them."""
    left = 1 - sum(weight for weight in weights if weight is not None)
    open_tokens = sum(count for weight, count in zip(weights, tokens, strict=True) if weight is None)
    if open_tokens and left <= 0:
        number = next(place for place, weight in enumerate(weights) if weight is None)
        raise UserError(f"the weights of the other corpora leave nothing for data.{number}: give data.{number}.weight")
    wanted = [
        left * count / open_tokens if weight is None else weight for weight, count in zip(weights, tokens, strict=True)
    ]
    return [weight / sum(wanted) for weight in wanted]


@dataclass(frozen=True, kw_only=True)
class MixtureSource:
    """Examples of several corpora by (epoch of the corpus, index among all pieces). `shares` are of the tokens."""

    parts: tuple[ExampleSource, ...]  # the `first` of each is the number of pieces before it
    names: tuple[str, ...]
    shares: tuple[float, ...]
    seed: int

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def vocabulary(self) -> Vocabulary:
        return self.parts[0].vocabulary

    @property
    def position_scheme(self) -> PositionScheme:
        return self.parts[0].position_scheme

    @property
    def documents(self) -> int:
        return sum(part.documents for part in self.parts)

    @cached_property
    def lengths(self) -> IntArray:
        """Tokens of each piece."""
        return np.concatenate([part.lengths for part in self.parts])

    @cached_property
    def quotas(self) -> tuple[int, ...]:
        """How many pieces of each corpus an epoch of the mixture has: at least one, together as many as there are."""
        rates = np.array([share / part.lengths.mean() for share, part in zip(self.shares, self.parts, strict=True)])
        exact = rates / rates.sum() * len(self)
        counts = np.maximum(1, np.floor(exact).astype(np.int64))
        for place in np.argsort(-(exact - counts), kind="stable")[: len(self) - counts.sum()]:
            counts[place] += 1
        return tuple(counts.tolist())

    @cached_property
    def _places(self) -> Callable[[int], list[IntArray]]:
        """places(epoch): where in that epoch of the mixture each corpus is read, in order."""

        @lru_cache(maxsize=1)
        def places(epoch: int) -> list[IntArray]:
            whose = np.repeat(np.arange(len(self.parts)), self.quotas)
            whose = epoch_generator(self.seed, epoch, _MIXING).permutation(whose)
            return [np.flatnonzero(whose == number) for number in range(len(self.parts))]

        return places

    def order(self, epoch: int) -> IntArray:
        """The (epoch, index) [N, 2] in the order in which an epoch of the mixture visits them."""
        visits = np.empty((sum(self.quotas), 2), dtype=np.int64)
        for part, quota, places in zip(self.parts, self.quotas, self._places(epoch), strict=True):
            readings, turns = np.divmod(epoch * quota + np.arange(quota), len(part))
            for reading in np.unique(readings).tolist():
                now = readings == reading
                visits[places[now], 0] = reading
                visits[places[now], 1] = part.first + part.order(reading)[turns[now]]
        return visits

    def epochs(self, state: Table) -> dict[str, float]:
        """How many times each corpus was read when a plan is in this state: 0.5 is half of it."""
        places = self._places(state["epoch"])
        waiting = [self._part(index)[0] for _, index in state["waiting"]]
        return {
            name: (state["epoch"] * quota + int(mine.searchsorted(state["cursor"])) - waiting.count(number)) / len(part)
            for number, (name, part, quota, mine) in enumerate(
                zip(self.names, self.parts, self.quotas, places, strict=True)
            )
        }

    def origin(self, index: int) -> str:
        """Where a piece comes from, for people."""
        _, part = self._part(index)
        return part.origin(index - part.first)

    def draw(self, epoch: int, index: int) -> Blanked | Layout:
        _, part = self._part(index)
        return part.draw(epoch, index - part.first)

    def __call__(self, keys: Iterable[tuple[int, int]]) -> list[Example]:
        return self.parts[0].finished(self.draw(epoch, index) for epoch, index in keys)

    def _part(self, index: int) -> tuple[int, ExampleSource]:
        """The number of the corpus that a piece is of, and the corpus."""
        number = int(self._firsts.searchsorted(index, side="right")) - 1
        return number, self.parts[number]

    @cached_property
    def _firsts(self) -> IntArray:
        return np.array([part.first for part in self.parts])
