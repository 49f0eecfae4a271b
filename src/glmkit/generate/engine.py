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
from glmkit.core.types import AttentionMask, Cache, IntArray, LanguageModel
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


class Row:
    """Where a row stands: what it feeds next, and the blanks it has yet to write."""

    def __init__(self, number: int, anchors: Sequence[int], length: int) -> None:
        self.number, self.length = number, length
        self.anchors = deque(anchors)  # of the blanks not begun
        self.feeds: deque[tuple[int, IntArray]] = deque()  # ids to feed, with their positions
        self.fed: IntArray = np.empty(0, dtype=np.int64)  # position of the token fed last
        self.blank, self.written = -1, 0

    def fork(self) -> "Row":
        """A copy that goes its own way."""
        other = Row(self.number, self.anchors, self.length)
        other.feeds, other.fed, other.blank, other.written = deque(self.feeds), self.fed, self.blank, self.written
        return other


@dataclass(frozen=True, kw_only=True)
class Writer:
    """What is the same for everything that writes with a model: how it numbers, marks and bounds what it writes.

    A blank ends with eop or eod once it has `min_tokens`, or after `max_tokens`. Ids from `vocab_size` on and special
    ids that end nothing are never written.
    """

    model: LanguageModel
    geometry: Geometry
    special: SpecialIds
    vocab_size: int
    max_tokens: int
    min_tokens: int = 0

    def begin(self, row: Row) -> None:
        """Queues the start of the row's next blank, if there is one."""
        if row.anchors:
            row.feeds.append((self.special.sop, self.geometry.start(row.anchors.popleft(), row.length)))
            row.blank, row.written = row.blank + 1, 0

    def take(self, row: Row, id: int, logprob: float) -> Token:
        """Writes `id` behind what the row fed last, and queues what comes next."""
        ended: Ending | None = "eop" if id == self.special.eop else "eod" if id == self.special.eod else None
        token = Token(row.number, row.blank, id, logprob, ended)
        if ended is None:
            row.written += 1
            row.feeds.append((id, self.geometry.advance(row.fed)))
            if row.written == self.max_tokens:
                token = replace(token, ended="length")
                if not row.anchors:
                    row.feeds.clear()  # nobody will read it
        if token.ended:
            self.begin(row)
        return token

    def allowed(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        """Logits [R, V] with -inf for what may not be written into each row."""
        allowed = logits.clone()
        allowed[:, list(self.special.never_generated)] = float("-inf")
        allowed[:, self.vocab_size :] = float("-inf")
        early = [i for i, row in enumerate(rows) if row.written < self.min_tokens]
        allowed[early, self.special.eop] = allowed[early, self.special.eod] = float("-inf")
        return allowed

    def read(self, prompts: Sequence[Sequence[int]]) -> "Session":
        """Reads prompts into a cache; each has begun its first blank. Raises UserError for one without a blank."""
        device = next(self.model.parameters()).device
        rows = []
        for number, prompt in enumerate(prompts):
            anchors = [i for i, id in enumerate(prompt) if id in self.special.masks]
            if not anchors:
                raise UserError(f"text {number + 1} has no blank to fill; write [MASK] where one is")
            rows.append(Row(number, anchors, len(prompt)))
        tokens, positions, mask = left_padded(prompts, self.geometry, self.special.pad)
        most = max(len(row.anchors) for row in rows)
        cache = self.model.new_cache(len(prompts), tokens.shape[1] + most * (self.max_tokens + 1))
        self.model(tokens.to(device), positions.to(device), mask, cache)
        for row in rows:
            self.begin(row)
        return Session(self, rows, mask, cache)


class Session:
    """Rows that write on from the prompts they have read."""

    def __init__(self, writer: Writer, rows: list[Row], mask: AttentionMask, cache: Cache) -> None:
        self.writer, self.rows, self.mask, self.cache = writer, rows, mask, cache
        self.device = next(writer.model.parameters()).device
        self._idle = (writer.special.pad, np.zeros(writer.geometry.channels, dtype=np.int64))

    def step(self) -> tuple[list[int], Tensor]:
        """Feeds each row its next token. Returns which rows have to write now, and their logits [L, V] in float32."""
        working = [bool(row.feeds) for row in self.rows]
        feeds = [row.feeds.popleft() if row.feeds else self._idle for row in self.rows]
        for row, (_, position) in zip(self.rows, feeds, strict=True):
            row.fed = position
        device = self.device
        ids = torch.tensor([[id] for id, _ in feeds], device=device)
        positions = torch.from_numpy(np.stack([position for _, position in feeds])).to(device)[..., None]  # [R, P, 1]
        hidden = self.writer.model(ids, positions, self.mask, self.cache)[:, -1]
        listening = [i for i, row in enumerate(self.rows) if working[i] and not row.feeds]
        return listening, self.writer.model.logits(hidden[listening]).float()

    def keep(self, index: Sequence[int], rows: list[Row]) -> None:
        """Goes on with `rows`, which stand where the present rows `index` stood."""
        if list(index) != list(range(len(self.rows))):
            kept = torch.tensor(index, dtype=torch.long, device=self.device)
            self.cache.select(kept)
            self.mask = self.mask.rows(kept)
        self.rows = rows


@torch.inference_mode()
def write(
    writer: Writer, prompts: Sequence[Sequence[int]], strategy: Strategy, alternatives: int = 1
) -> Iterator[list[Token]]:
    """Writes every blank of every prompt, `alternatives` times each; yields the tokens of each step as they come.

    Row r * alternatives + n is alternative n of prompt r. `Token.logprob` is the model's own, over all ids.
    """
    session = writer.read(prompts)
    copies = [(i, row.fork()) for i, row in enumerate(session.rows) for _ in range(alternatives)]
    session.keep([i for i, _ in copies], [row for _, row in copies])
    for number, row in enumerate(session.rows):
        row.number = number
    generators = [generator for _ in prompts for generator in strategy.generators(range(alternatives))]
    while session.rows:
        listening, logits = session.step()
        if listening:
            rows = [session.rows[i] for i in listening]
            chosen = strategy.choose(writer.allowed(logits, rows), [generators[row.number] for row in rows])
            logprobs = logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
            choices = zip(rows, chosen.tolist(), logprobs.tolist(), strict=True)
            yield [writer.take(row, id, logprob) for row, id, logprob in choices]
        going = [i for i, row in enumerate(session.rows) if row.feeds]
        if len(going) * 2 <= len(session.rows):  # finished rows leave when they are half: leaving copies the cache
            session.keep(going, [session.rows[i] for i in going])


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
