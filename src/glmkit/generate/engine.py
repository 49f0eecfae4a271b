"""Writing, ids in and ids out: a batch of prompts is read once, then every row writes at its own pace.

Rows are padded on the left, so that all of them go on at the same place in the cache; padding is never seen. An
architecture that fills blanks writes them from left to right, each seeing those before it; others write behind the end
of their prompt (glmkit.infill.geometry.opened):

    row 0   [CLS] a [M] b [M] <eod> sop | x y eop|  sop z eop|          row 0   a b c | x y z </s>|
    row 1    pad pad [CLS] c [M] d  sop | u v w x    y eop   |          row 1   pad d | u </s>    |
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.forked import computing
from glmkit.core.types import AttentionMask, Cache, IntArray, LanguageModel
from glmkit.generate.lookup import Lookup
from glmkit.generate.memory import Memory
from glmkit.generate.sampling import Chooser, Strategy
from glmkit.infill.geometry import Geometry, Opened, opened
from glmkit.nn.cache import BLOCK
from glmkit.text.special import SpecialIds

Ending = Literal["eop", "eod", "turn", "stop", "length"]

CHUNK = 512  # tokens of a prompt read at once, where its context allows
SHORT = 64  # fewer tokens are not worth a read of their own


@dataclass(frozen=True)
class Token:
    """One token as it is written. `ended` says how its blank ended with it: at an end token, at a stop id ("turn"),
    because the watcher said so ("stop"), or at the length allowed. An end token or stop id is not part of the text.

    `logprob` is the model's own, over all ids, before penalties and temperature; so are those of `top`, the most
    probable ids, if any were asked for.
    """

    row: int
    blank: int
    id: int
    logprob: float
    ended: Ending | None
    top: tuple[tuple[int, float], ...] = ()

    @property
    def text(self) -> bool:
        """Whether it is part of the text."""
        return self.ended in (None, "stop", "length")


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

    def __init__(self, number: int, anchors: Sequence[int], length: int, room: int, fed: IntArray) -> None:
        self.number, self.length, self.room = number, length, room
        self.anchors = deque(anchors)  # of the blanks not begun
        self.feeds: deque[tuple[int, IntArray]] = deque()  # ids to feed, with their positions
        self.fed = fed  # position of the token fed last
        self.blank, self.written = 0, 0

    def fork(self) -> "Row":
        """A copy that goes its own way."""
        other = Row(self.number, self.anchors, self.length, self.room, self.fed)
        other.feeds, other.blank, other.written = deque(self.feeds), self.blank, self.written
        return other


@dataclass(frozen=True, kw_only=True)
class Writer:
    """What is the same for everything that writes with a model: how it numbers, marks and bounds what it writes.

    A blank ends with eop, eod or one of `stop_ids` once it has `min_tokens`, or after `max_tokens`; what is written
    behind a prompt ends where both have `max_length` tokens, too. Ids from `vocab_size` on and special ids that end
    nothing are never written. A prompt is read up to each of `borders`, which count its tokens, and on from there, but
    for less than SHORT tokens: a memory keeps what stands before one for a prompt that goes on otherwise.
    """

    model: LanguageModel
    geometry: Geometry
    special: SpecialIds
    vocab_size: int
    max_tokens: int
    min_tokens: int = 0
    max_length: int | None = None
    stop_ids: frozenset[int] = frozenset()
    borders: tuple[int, ...] = ()

    @cached_property
    def ends(self) -> dict[int, Ending]:
        """The ids that end a blank, and what each is."""
        turns: dict[int, Ending] = dict.fromkeys(sorted(self.stop_ids), "turn")
        return {**turns, self.special.eod: "eod", self.special.eop: "eop"}

    def take(self, row: Row, id: int, logprob: float, top: tuple[tuple[int, float], ...] = ()) -> Token:
        """Writes `id` behind what the row fed last, and queues what comes next."""
        token = Token(row.number, row.blank, id, logprob, self.ends.get(id), top)
        if token.ended is None:
            row.written += 1
            row.feeds.append((id, self.geometry.advance(row.fed)))
            if row.written == row.room:
                token = replace(token, ended="length")
                if not row.anchors:
                    row.feeds.clear()  # nobody will read it
        if token.ended and row.anchors:
            row.feeds.append((self.special.sop, self.geometry.start(row.anchors.popleft(), row.length)))
            row.blank, row.written = row.blank + 1, 0
        return token

    def allowed(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        """Logits [R, V] with -inf for what may not be written into each row."""
        allowed = logits.index_fill(1, self._never.to(logits.device), float("-inf"))
        allowed[:, self.vocab_size :] = float("-inf")
        early = [i for i, row in enumerate(rows) if row.written < self.min_tokens]
        if early:
            allowed[np.ix_(early, list(self.ends))] = float("-inf")
        return allowed

    @cached_property
    def _never(self) -> Tensor:
        """Special ids that are no text and end nothing."""
        return torch.tensor([id for id in self.special.never_generated if id not in self.ends], dtype=torch.long)

    def read(
        self, prompts: Sequence[Sequence[int]], memory: Memory | None = None, lookup: Lookup | None = None
    ) -> "Session":
        """Reads prompts into a cache, up to the token after which each writes; a `memory` holds what it has read of
        the one prompt, a `lookup` guesses what is written behind it. Raises UserError for a prompt without a token, or
        without a blank where blanks are filled."""
        read = [self._open(prompt, number) for number, prompt in enumerate(prompts, start=1)]
        rows = [
            Row(number, one.anchors[1:], *self._bounds(one), one.positions[:, -1]) for number, one in enumerate(read)
        ]
        tokens, places, mask = left_padded(read, self.special.pad)
        to_come = max((len(row.anchors) + 1) * (row.room + 1) for row in rows)
        capacity = tokens.shape[1] + min(to_come, BLOCK)
        if memory is None:
            cache = self.model.new_cache(len(prompts), capacity)
            return Session(self, rows, mask, cache, lookup=lookup).read(tokens, places)
        assert len(prompts) == 1, "a memory is of one row"
        cache, known = memory.open(self.model, tokens[0], places[0], read[0].context, capacity)
        return Session(self, rows, mask, cache, memory, lookup).read(tokens[:, known:], places[:, :, known:])

    def _open(self, prompt: Sequence[int], number: int) -> Opened:
        try:
            return opened(self.geometry, prompt, self.special)
        except UserError as error:
            raise UserError(f"text {number} {error}") from None

    def _bounds(self, prompt: Opened) -> tuple[int, int]:
        """Length of the prompt, and how many tokens a blank of it may hold, or the text behind it."""
        length = len(prompt.tokens)
        if prompt.anchors:
            return length - 1, self.max_tokens
        left = self.max_tokens if self.max_length is None else self.max_length - length
        if left < 1:
            raise UserError(f"a prompt of {length} tokens leaves no room to write: the model reads {self.max_length}")
        return length, min(self.max_tokens, left)


class Session:
    """Rows that write on from the prompts they have read."""

    def __init__(
        self,
        writer: Writer,
        rows: list[Row],
        mask: AttentionMask,
        cache: Cache,
        memory: Memory | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.writer, self.rows, self.mask, self.cache = writer, rows, mask, cache
        self.memory, self.lookup = memory, lookup  # each of the one row there is
        self.device = next(writer.model.parameters()).device
        self._idle = (writer.special.pad, np.zeros(writer.geometry.channels, dtype=np.int64))
        self._hidden: Tensor | None = None  # [R, D] of the token read last, while nobody has listened to it
        self._ahead: list[tuple[int, IntArray]] = []  # guesses in the cache, with their positions
        self._guessed = torch.empty(0)  # [len(_ahead), V], logits behind them

    def read(self, tokens: IntArray, positions: IntArray) -> "Session":
        """Reads [B, T] at [B, P, T]: what is seen both ways in one piece, the rest in pieces of bounded size. Where
        they end depends on the prompt and on where they begin alone."""
        computing()
        whole = int(self.mask.context.max()) - self.cache.length
        borders = [border - self.cache.length for border in self.writer.borders]
        begin, width = 0, tokens.shape[1]
        while begin < width:
            near = [border for border in borders if border >= begin + SHORT]
            end = min(width, begin + max(CHUNK, whole - begin), *near)
            part = tokens[:, begin:end], positions[:, :, begin:end]
            self._hidden = self._feed(*part)[:, -1]
            self._remember(*part)
            begin = end
        return self

    def step(self) -> tuple[list[int], Tensor]:
        """Feeds each row its next token. Returns which rows have to write now, and their logits [L, V] in float32.

        In the first step the prompts have just been read, and all rows have to write.
        """
        listening = list(range(len(self.rows)))
        if self._hidden is None:
            working = [i for i in listening if self.rows[i].feeds]
            feeds = [row.feeds.popleft() if row.feeds else self._idle for row in self.rows]
            listening = [i for i in working if not self.rows[i].feeds]
            for row, (_, position) in zip(self.rows, feeds, strict=True):
                row.fed = position
            if self.lookup is not None:
                return listening, self._look(self.rows[0], *feeds[0])[listening]
            columns = _columns(feeds, 0)
            self._hidden = self._feed(*columns)[:, -1]
            self._remember(*columns)
        hidden, self._hidden = self._hidden, None
        assert hidden is not None
        return listening, self.writer.model.logits(hidden[listening]).float()

    def _look(self, row: Row, id: int, position: IntArray) -> Tensor:
        """Logits [1, V] behind the next token of the only row, which is read with guesses of what comes after it,
        unless it was itself guessed right."""
        assert self.lookup is not None
        self.lookup.add(id)
        if not self._ahead or self._ahead[0][0] != id or (self._ahead[0][1] != position).any():
            self.cache.cut(self.cache.length - len(self._ahead))
            self._ahead = [(id, position)]
            for guess in [] if row.feeds else self.lookup.guesses(row.room - row.written - 1):
                self._ahead.append((guess, self.writer.geometry.advance(self._ahead[-1][1])))
            hidden = self._feed(*_columns(self._ahead, 1))
            self._guessed = self.writer.model.logits(hidden[0]).float()
        self._remember(*_columns(self._ahead[:1], 1))
        logits, self._ahead, self._guessed = self._guessed[:1], self._ahead[1:], self._guessed[1:]
        return logits

    def keep(self, index: Sequence[int], rows: list[Row]) -> None:
        """Goes on with `rows`, which stand where the present rows `index` stood."""
        if rows and list(index) != list(range(len(self.rows))):
            kept = torch.tensor(index, dtype=torch.long, device=self.device)
            self.cache.select(kept)
            self.mask = self.mask.rows(kept)
            self._hidden = None if self._hidden is None else self._hidden[kept]
        self.rows = rows

    def _feed(self, tokens: IntArray, positions: IntArray) -> Tensor:
        """Reads [B, T] at [B, P, T]; hidden [B, T, D]."""
        ids, places = torch.from_numpy(tokens).to(self.device), torch.from_numpy(positions).to(self.device)
        return self.writer.model(ids, places, self.mask, self.cache)

    def _remember(self, tokens: IntArray, positions: IntArray) -> None:
        if self.memory is not None:
            self.memory.add(tokens[0], positions[0])


def _columns(feeds: Sequence[tuple[int, IntArray]], axis: int) -> tuple[IntArray, IntArray]:
    """Ids and positions of tokens, one for each row (axis 0) or one after another in one row (axis 1)."""
    ids, places = np.array([id for id, _ in feeds]), np.stack([position for _, position in feeds])
    return (ids[:, None], places[:, :, None]) if axis == 0 else (ids[None], places.T[None])


@torch.inference_mode()
def write(
    writer: Writer,
    prompts: Sequence[Sequence[int]],
    strategy: Strategy | Sequence[Strategy],
    alternatives: int = 1,
    *,
    top: int = 0,
    watch: Callable[[Token], bool] | None = None,
    memory: Memory | None = None,
    lookup: bool = True,
) -> Iterator[list[Token]]:
    """Writes behind every prompt, or into each of its blanks, `alternatives` times each; yields the tokens of each
    step as they come, with the `top` most probable ids beside each.

    `strategy` is one for all prompts or one for each. Row r * alternatives + n is alternative n of prompt r. Where
    `watch` says True to a token its row ends. A single row is guessed ahead of (glmkit.generate.lookup) unless `lookup`
    is False.
    """
    strategies = strategy if isinstance(strategy, Sequence) else [strategy] * len(prompts)
    choosers = [
        chosen.chooser(prompt, n)
        for chosen, prompt in zip(strategies, prompts, strict=True)
        for n in range(alternatives)
    ]
    alone = len(prompts) * alternatives == 1
    session = writer.read(prompts, memory, Lookup(prompts[0]) if lookup and alone else None)
    copies = [(i, row.fork()) for i, row in enumerate(session.rows) for _ in range(alternatives)]
    session.keep([i for i, _ in copies], [row for _, row in copies])
    for number, row in enumerate(session.rows):
        row.number = number
    while session.rows:
        listening, logits = session.step()
        if listening:
            rows = [session.rows[i] for i in listening]
            tokens = _take(writer, rows, logits, [choosers[row.number] for row in rows], top)
            for i, row in enumerate(rows):
                if watch is not None and watch(tokens[i]):
                    tokens[i] = replace(tokens[i], ended=tokens[i].ended or "stop")
                    row.feeds.clear()
                    row.anchors.clear()
            yield tokens
        going = [i for i, row in enumerate(session.rows) if row.feeds]
        if len(going) * 2 <= len(session.rows):  # finished rows leave when they are half: leaving copies the cache
            session.keep(going, [session.rows[i] for i in going])


def _take(writer: Writer, rows: Sequence[Row], logits: Tensor, choosers: Sequence[Chooser], top: int) -> list[Token]:
    """What each row writes by its logits [R, V]."""
    allowed = writer.allowed(logits, rows)
    chosen = torch.stack([chooser.choose(scores) for chooser, scores in zip(choosers, allowed, strict=True)])
    total = logits.logsumexp(-1, keepdim=True)
    logprobs = (logits.gather(1, chosen[:, None]) - total)[:, 0].tolist()
    best: list[tuple[tuple[int, float], ...]] = [()] * len(rows)
    if top:
        values, ids = (logits - total).topk(min(top, logits.shape[1]))
        best = [tuple(zip(i, v, strict=True)) for i, v in zip(ids.tolist(), values.tolist(), strict=True)]
    tokens = []
    for row, chooser, id, logprob, others in zip(rows, choosers, chosen.tolist(), logprobs, best, strict=True):
        chooser.wrote(id)
        tokens.append(writer.take(row, id, logprob, others))
    return tokens


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
    return Filled([token.id for token in tokens if token.text], [token.logprob for token in tokens], ended)


def left_padded(prompts: Sequence[Opened], pad: int) -> tuple[IntArray, IntArray, AttentionMask]:
    """Prompts as tokens [B, S], positions [B, P, S] and a mask that hides the padding on their left."""
    width = max(len(prompt.tokens) for prompt in prompts)
    begins = [width - len(prompt.tokens) for prompt in prompts]
    tokens = np.full((len(prompts), width), pad, dtype=np.int64)
    places = np.zeros((len(prompts), len(prompts[0].positions), width), dtype=np.int64)
    for row, (begin, prompt) in enumerate(zip(begins, prompts, strict=True)):
        tokens[row, begin:], places[row, :, begin:] = prompt.tokens, prompt.positions
    context = [begin + one.context if one.context else 0 for begin, one in zip(begins, prompts, strict=True)]
    return tokens, places, AttentionMask.prefix(context, begins)
