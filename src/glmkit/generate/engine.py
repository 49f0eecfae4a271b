"""Filling blanks, ids in and ids out: a batch of prompts is read once, then every row writes at its own pace.

A prompt is a corrupted text (its blanks are mask ids). Rows are padded on the left, so that all of them go on at the
same place in the cache; padding is never seen. Each row writes its blanks from left to right, and sees what it wrote:

    row 0   [CLS] a [M] b [M] <eod> | sop x y eop|  sop z eop|
    row 1    pad pad [CLS] c [M] d  | sop u v w x    y eop   |
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask, IntArray, LanguageModel
from glmkit.generate.sampling import Strategy
from glmkit.infill.geometry import Geometry
from glmkit.infill.layout import prompt_layout
from glmkit.text.special import SpecialIds

Ending = Literal["eop", "eod", "length"]


@dataclass(frozen=True)
class Token:
    """One token as it is written. `ended` says how its blank ended with it; an end token is not part of the text."""

    row: int
    blank: int
    id: int
    logprob: float
    ended: Ending | None


@dataclass(frozen=True)
class Filled:
    """What a row wrote into one blank."""

    ids: list[int]
    logprobs: list[float]  # of each id, and of the end token if there was one
    ended: Ending

    @property
    def logprob(self) -> float:
        return sum(self.logprobs)


class _Row:
    """Where a row stands: what it feeds next, and the blanks it has yet to write."""

    def __init__(self, number: int, anchors: Sequence[int], length: int, generator: torch.Generator) -> None:
        self.number, self.length, self.generator = number, length, generator
        self.anchors = deque(anchors)  # of the blanks not begun
        self.feeds: deque[tuple[int, IntArray]] = deque()  # ids to feed, with their positions
        self.blank, self.written = -1, 0

    def begin(self, geometry: Geometry, special: SpecialIds) -> None:
        """Queues the start of the next blank, if there is one."""
        if self.anchors:
            self.feeds.append((special.sop, geometry.start(self.anchors.popleft(), self.length)))
            self.blank, self.written = self.blank + 1, 0

    def take(
        self, id: int, logprob: float, last: IntArray, geometry: Geometry, special: SpecialIds, limit: int
    ) -> Token:
        """Writes `id` after the token at position `last`, and queues what comes next."""
        ended: Ending | None = "eop" if id == special.eop else "eod" if id == special.eod else None
        token = Token(self.number, self.blank, id, logprob, ended)
        if ended is None:
            self.written += 1
            self.feeds.append((id, geometry.advance(last)))
            if self.written == limit:
                token = replace(token, ended="length")
                if not self.anchors:
                    self.feeds.clear()  # nobody will read it
        if token.ended:
            self.begin(geometry, special)
        return token


@torch.inference_mode()
def write(
    model: LanguageModel,
    geometry: Geometry,
    special: SpecialIds,
    vocab_size: int,
    prompts: Sequence[Sequence[int]],
    strategy: Strategy,
    *,
    max_tokens: int,
    min_tokens: int = 0,
    alternatives: int = 1,
) -> Iterator[list[Token]]:
    """Writes every blank of every prompt, `alternatives` times each; yields the tokens of each step as they come.

    Row r * alternatives + n is alternative n of prompt r. A blank ends with eop or eod once it has `min_tokens`, or
    after `max_tokens`. Ids from `vocab_size` on and special ids that end nothing are never written; `Token.logprob`
    is the model's own, over all ids. Raises UserError for a prompt without a blank.
    """
    device = next(model.parameters()).device
    rows = _rows(prompts, special, strategy, alternatives)
    tokens, positions, mask = left_padded(prompts, geometry, special.pad)
    blanks = max(len(row.anchors) for row in rows)
    cache = model.new_cache(len(prompts), tokens.shape[1] + blanks * (max_tokens + 1))
    mask = mask.to(device)
    model(tokens.to(device), positions.to(device), mask, cache)
    index = torch.arange(len(prompts), device=device).repeat_interleave(alternatives)
    if alternatives > 1:
        cache.select(index)
        mask = mask.rows(index)
    for row in rows:
        row.begin(geometry, special)
    idle = (special.pad, np.zeros(geometry.channels, dtype=np.int64))
    while rows:
        feeds = [row.feeds.popleft() if row.feeds else idle for row in rows]
        finished = [feed is idle for feed in feeds]
        ids = torch.tensor([[id] for id, _ in feeds], device=device)
        where = torch.from_numpy(np.stack([position for _, position in feeds])).to(device)[..., None]  # [R, P, 1]
        hidden = model(ids, where, mask, cache)[:, -1]
        listening = [i for i, row in enumerate(rows) if not row.feeds and not finished[i]]
        if listening:
            logits = model.logits(hidden[listening]).float()  # [L, V]
            allowed = logits.clone()
            allowed[:, list(special.never_generated)] = float("-inf")
            allowed[:, vocab_size:] = float("-inf")
            early = [number for number, i in enumerate(listening) if rows[i].written < min_tokens]
            allowed[early, special.eop] = allowed[early, special.eod] = float("-inf")
            chosen = strategy.choose(allowed, [rows[i].generator for i in listening])
            logprobs = logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
            yield [
                rows[i].take(id, logprob, feeds[i][1], geometry, special, max_tokens)
                for i, id, logprob in zip(listening, chosen.tolist(), logprobs.tolist(), strict=True)
            ]
        going = [i for i, row in enumerate(rows) if row.feeds]
        if len(going) * 2 <= len(rows):  # finished rows leave when they are half: each leaving copies the cache
            kept = torch.tensor(going, dtype=torch.long, device=device)
            cache.select(kept)
            mask = mask.rows(kept)
            rows = [rows[i] for i in going]


def collect(steps: Iterator[list[Token]], rows: int) -> list[list[Filled]]:
    """What each of `rows` rows wrote into each of its blanks."""
    written: list[list[list[Token]]] = [[] for _ in range(rows)]
    for token in (token for step in steps for token in step):
        blanks = written[token.row]
        if token.blank == len(blanks):
            blanks.append([])
        blanks[token.blank].append(token)
    return [[_filled(tokens) for tokens in blanks] for blanks in written]


def _filled(tokens: list[Token]) -> Filled:
    ended = tokens[-1].ended
    assert ended is not None
    ids = [token.id for token in tokens if token.ended in (None, "length")]
    return Filled(ids, [token.logprob for token in tokens], ended)


def left_padded(prompts: Sequence[Sequence[int]], geometry: Geometry, pad: int) -> tuple[Tensor, Tensor, AttentionMask]:
    """Prompts as tokens [B, S], positions [B, P, S] and a mask that hides the padding on their left."""
    layouts = [prompt_layout(np.asarray(prompt, dtype=np.int64)) for prompt in prompts]
    width = max(len(prompt) for prompt in prompts)
    tokens = np.full((len(prompts), width), pad)
    positions = np.zeros((len(prompts), geometry.channels, width), dtype=np.int64)
    context = []
    for row, layout in enumerate(layouts):
        begin = width - len(layout.tokens)
        tokens[row, begin:] = layout.tokens
        positions[row, :, begin:] = geometry.positions(layout)
        context.append(begin + geometry.context(layout) if geometry.context(layout) else 0)
    mask = AttentionMask.prefix(context, [width - len(prompt) for prompt in prompts])
    return torch.from_numpy(tokens), torch.from_numpy(positions), mask


def _rows(prompts: Sequence[Sequence[int]], special: SpecialIds, strategy: Strategy, alternatives: int) -> list[_Row]:
    rows = []
    for number, prompt in enumerate(prompts):
        anchors = [i for i, id in enumerate(prompt) if id in special.masks]
        if not anchors:
            raise UserError(f"text {number + 1} has no blank to fill; write [MASK] where one is")
        generators = strategy.generators(range(alternatives))
        rows += [
            _Row(number * alternatives + n, anchors, len(prompt), generator) for n, generator in enumerate(generators)
        ]
    return rows
