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
_PART = 2**17  # scores that a CPU works on together: rows that stay in its cache take less time
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
        while choice.unsettled is not None and choice.unsettled.any():
            choice.widen([0])
        return choice.ids[0]

    def observe(self, id: int) -> None:
        self.counts.add(id)


class BatchChoice:
    """The ids [B] that the samplers of a batch choose by their scores [B, V], without waiting for the device.

    Top-p looks among the most probable few first. A row where these do not hold p is `unsettled` [B] (None where no
    row can be), and its id counts only after `widen`: so who copies `ids` to the host copies `unsettled` along, and
    seldom has to ask again.
    """

    def __init__(self, samplers: Sequence[Sampler], scores: Tensor) -> None:
        ours = {row: sampler for row, sampler in enumerate(samplers) if isinstance(sampler, SequenceSampler)}
        self._scores = penalized(scores, [(row, sampler.penalties, sampler.counts) for row, sampler in ours.items()])
        self._drawings = {row: sampler.drawing for row, sampler in ours.items() if sampler.drawing is not None}
        self._randoms = {row: drawing.rng.random() for row, drawing in self._drawings.items()}
        self._widths = iter((*_WIDTHS, scores.shape[1]))
        self.unsettled: Tensor | None = None
        if len(ours) > len(self._drawings):
            self.ids = self._scores.argmax(-1)
        else:
            self.ids = torch.zeros(len(samplers), dtype=torch.long, device=scores.device)
        for row, sampler in enumerate(samplers):
            if row not in ours:
                self.ids[row] = sampler.sample(scores[row])
        self.widen([*self._drawings])

    def widen(self, rows: Sequence[int]) -> None:
        """Draws for `rows` again, with the same random numbers among more ids."""
        width, (count, size) = next(self._widths), self._scores.shape
        groups: dict[tuple[int | None, bool], list[int]] = {}
        for row in rows:
            k, cuts = self._drawings[row].k, self._drawings[row].p < 1
            groups.setdefault((None if k is None or k >= size else k, cuts), []).append(row)
        if self.unsettled is None and any(cuts for _, cuts in groups):
            self.unsettled = torch.zeros(count, dtype=torch.bool, device=self._scores.device)
        most = max(1, _PART // size) if self._scores.is_cpu else count
        for (k, cuts), group in groups.items():
            for start in range(0, len(group), most):
                part = group[start : start + most]
                drawings, randoms = [self._drawings[row] for row in part], [self._randoms[row] for row in part]
                at = slice(part[0], part[-1] + 1) if len(group) == count else _to_device(torch.tensor(part), self.ids)
                self.ids[at], unsettled = _draw(self._scores[at], drawings, randoms, k, cuts, width)
                if self.unsettled is not None:
                    self.unsettled[at] = False if unsettled is None else unsettled


def _draw(
    scores: Tensor, drawings: Sequence[Drawing], randoms: Sequence[float], k: int | None, cuts: bool, width: int
) -> tuple[Tensor, Tensor | None]:
    """Ids [R] drawn by scores [R, V], and which are unsettled [R]; `cuts`: every p is below 1."""
    settings = [(one.temperature, one.p, one.min_p, random) for one, random in zip(drawings, randoms, strict=True)]
    columns = _to_device(torch.tensor(settings, dtype=torch.float32), scores)
    temperature, p, min_p, random = columns.split(1, dim=1)  # [R, 1] each
    if any(one.temperature < _COLD for one in drawings):
        cold = _to_device(torch.tensor([[one.temperature < _COLD] for one in drawings]), scores)
        scores = scores - torch.where(cold, scores.amax(-1, keepdim=True), 0)
    if any(one.temperature != 1 for one in drawings):
        scores = scores / temperature
    ids, probabilities, unsettled = keep_top(
        scores, k, p if cuts else None, min_p if any(one.min_p > 0 for one in drawings) else None, width
    )
    reached = probabilities.cumsum(-1)  # [R, N]
    total = reached[:, -1:].contiguous()
    last = torch.searchsorted(reached, total)  # where a product was rounded up to the total
    place = torch.searchsorted(reached, random * total, right=True).minimum(last).clamp_max(reached.shape[1] - 1)
    return (place if ids is None else ids.gather(1, place))[:, 0], unsettled


def _to_device(small: Tensor, like: Tensor) -> Tensor:
    return small.to(like.device, non_blocking=True)


def keep_top(
    scores: Tensor, k: int | None, p: Tensor | None, min_p: Tensor | None, width: int
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Of each row the ids [R, N] that may be drawn by scores [R, V], one at least (None: ids are places); their
    probabilities [R, N] among the `k` highest, 0 where an id may not be drawn after all; and in which rows the `width`
    highest, which top-p looks at, do not hold p [R] (None: in none).

    `p` and `min_p` are [R, 1]. The most probable come first where `k` or `p` cut. Scores that are no numbers are for
    the caller to see.
    """
    ids = unsettled = None
    if k is not None:
        scores, ids = scores.topk(k)
    probabilities = scores.softmax(-1)
    if p is not None:
        if width < probabilities.shape[1]:
            probabilities, order = probabilities.topk(width)
            unsettled = ~(probabilities.sum(-1) >= p[:, 0])
        else:
            probabilities, order = probabilities.sort(descending=True)
        ids = order if ids is None else ids.gather(1, order)
        kept = (probabilities.cumsum(-1) - probabilities < p).sum(-1, keepdim=True).clamp_min(1)
        place = torch.arange(probabilities.shape[1], device=scores.device)
        probabilities = probabilities.where(place < kept, 0)
    if min_p is not None:
        unlikely = probabilities < min_p * probabilities.amax(-1, keepdim=True)  # none, where they are NaN
        probabilities = probabilities.masked_fill(unlikely, 0)
    return ids, probabilities, unsettled
