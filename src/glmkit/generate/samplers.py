"""Samplers: the next token of each row of a batch, chosen on the device of the scores.

    scores [B, V] -> penalties -> temperature -> top-k -> top-p -> min-p -> one draw a row -> ids [B]

Every operation works row by row, so that a row's id depends on its own scores, settings and random numbers alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from glmkit.generate.penalties import Penalties, TokenCounts, penalized

_COLD = 1e-3  # temperatures below it act on differences of scores, lest a score divided by them be infinite
_WIDTHS = (256, 4096)  # most probable ids among which top-p looks, the fewest first: to sort all of them takes long


class Sampler(Protocol):
    """A strategy at work on one sequence."""

    def sample(self, scores: Tensor) -> Tensor: ...  # scores [V], -inf where an id may not be chosen -> id, 0-d
    def observe(self, id: int) -> None: ...  # the sequence goes on with `id`


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """From what a token is drawn: temperature, top-k, top-p and min-p, as in `glmkit.SamplingParams`."""

    temperature: float
    k: int | None
    p: float
    min_p: float
    rng: random.Random  # one number a token


class SequenceSampler:
    """Takes the most probable id after penalties, or with `drawing` draws one."""

    def __init__(self, prompt: Sequence[int], penalties: Penalties, drawing: Drawing | None = None) -> None:
        self.penalties, self.drawing = penalties, drawing
        self.counts = TokenCounts(prompt)

    def sample(self, scores: Tensor) -> Tensor:
        choice = BatchChoice([self], scores[None])
        while not all(choice.settled.tolist()):
            choice.widen([0])
        return choice.ids[0]

    def observe(self, id: int) -> None:
        self.counts.add(id)


class BatchChoice:
    """The ids [B] that the samplers of a batch choose by their scores [B, V], without waiting for the device.

    Top-p looks among the most probable few first. A row where these do not hold p is not `settled` [B], and its id
    counts only after `widen`: so who copies `ids` to the host copies `settled` along, and seldom has to ask again.
    """

    def __init__(self, samplers: Sequence[Sampler], scores: Tensor) -> None:
        ours = {row: sampler for row, sampler in enumerate(samplers) if isinstance(sampler, SequenceSampler)}
        self._scores = penalized(scores, [(row, sampler.penalties, sampler.counts) for row, sampler in ours.items()])
        self._drawings = {row: sampler.drawing for row, sampler in ours.items() if sampler.drawing is not None}
        self._randoms = {row: drawing.rng.random() for row, drawing in self._drawings.items()}
        self._widths = iter((*_WIDTHS, scores.shape[1]))
        self.ids = torch.zeros(len(samplers), dtype=torch.long, device=scores.device)
        self.settled = torch.ones(len(samplers), dtype=torch.bool, device=scores.device)
        if greedy := [row for row in ours if row not in self._drawings]:
            self.ids[greedy] = self._rows(greedy).argmax(-1)
        for row, sampler in enumerate(samplers):
            if row not in ours:
                self.ids[row] = sampler.sample(scores[row])
        self.widen([*self._drawings])

    def widen(self, rows: Sequence[int]) -> None:
        """Draws for `rows` again, with the same random numbers among more ids."""
        width = next(self._widths)
        groups: dict[tuple[int | None, bool], list[int]] = {}
        for row in rows:
            k, cuts = self._drawings[row].k, self._drawings[row].p < 1
            groups.setdefault((None if k is None or k >= self._scores.shape[1] else k, cuts), []).append(row)
        for (k, cuts), group in groups.items():
            drawings, randoms = [self._drawings[row] for row in group], [self._randoms[row] for row in group]
            self.ids[group], self.settled[group] = _draw(self._rows(group), drawings, randoms, k, cuts, width)

    def _rows(self, rows: list[int]) -> Tensor:
        return self._scores if len(rows) == len(self._scores) else self._scores[rows]


def _draw(
    scores: Tensor, drawings: Sequence[Drawing], randoms: Sequence[float], k: int | None, cuts: bool, width: int
) -> tuple[Tensor, Tensor]:
    """Ids [R] drawn by scores [R, V], and whether they are settled [R]; `cuts`: every p is below 1."""
    settings = [(one.temperature, one.p, one.min_p, random) for one, random in zip(drawings, randoms, strict=True)]
    columns = torch.tensor(settings, dtype=torch.float32, device=scores.device)
    temperature, p, min_p, random = columns.split(1, dim=1)  # [R, 1] each
    if any(one.temperature < _COLD for one in drawings):
        cold = torch.tensor([[one.temperature < _COLD] for one in drawings], device=scores.device)
        scores = scores - torch.where(cold, scores.amax(-1, keepdim=True), 0)
    if any(one.temperature != 1 for one in drawings):
        scores = scores / temperature
    ids, probabilities, settled = keep_top(
        scores, k, p if cuts else None, min_p if any(one.min_p > 0 for one in drawings) else None, width
    )
    reached = probabilities.cumsum(-1)  # [R, N]
    total = reached[:, -1:].contiguous()
    last = torch.searchsorted(reached, total)  # where a product was rounded up to the total
    place = torch.searchsorted(reached, random * total, right=True).minimum(last).clamp_max(ids.shape[1] - 1)
    return ids.gather(1, place)[:, 0], settled


def keep_top(
    scores: Tensor, k: int | None, p: Tensor | None, min_p: Tensor | None, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row the ids [R, N] that may be drawn by scores [R, V], one at least; their probabilities [R, N] among
    the `k` highest, 0 where an id may not be drawn after all; and whether the `width` highest, which top-p looks at,
    hold p [R].

    `p` and `min_p` are [R, 1]. The most probable come first where `k` or `p` cut. Scores that are no numbers are for
    the caller to see.
    """
    rows, size = scores.shape
    settled = torch.ones(rows, dtype=torch.bool, device=scores.device)
    if k is None:
        ids = torch.arange(size, device=scores.device).expand(rows, -1)
    else:
        scores, ids = scores.topk(k)
    probabilities = scores.softmax(-1)
    if p is not None:
        if width < probabilities.shape[1]:
            probabilities, order = probabilities.topk(width)
            settled = probabilities.sum(-1) >= p[:, 0]
        else:
            probabilities, order = probabilities.sort(descending=True)
        ids = ids.gather(1, order)
        kept = (probabilities.cumsum(-1) - probabilities < p).sum(-1, keepdim=True).clamp_min(1)
        place = torch.arange(probabilities.shape[1], device=scores.device)
        probabilities = probabilities.where(place < kept, 0)
    if min_p is not None:
        unlikely = probabilities < min_p * probabilities.amax(-1, keepdim=True)  # none, where they are NaN
        probabilities = probabilities.masked_fill(unlikely, 0)
    return ids, probabilities, settled
