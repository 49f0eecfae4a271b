"""Rows of several examples, so that short documents waste no room, and none sees another.

Two documents in one row: both corrupted texts come first, then both spans, so the one mask rule serves (a key is
visible in the same segment, if it comes before the query or lies in the context):

    tokens     The [M] on | Rain [M] . | sop cat sat | sop falls | pad
    segments    1   1  1  |  2    2  2 |  1   1   1  |  2    2   | -1
    context = 6
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

from glmkit.core.types import AttentionMask, Batch, Example

POOL = 128  # chunks that wait for a row they fill
_WIDTH = 16  # rows are padded to a multiple of this many tokens


def pack(rows: Sequence[Sequence[Example]], pad: int) -> Batch:
    """A batch of rows, each holding the examples given for it (at least one row; a row may be empty)."""
    width = max((sum(map(len, row)) for row in rows), default=1)
    shape = (len(rows), max(-(-width // _WIDTH) * _WIDTH, _WIDTH))
    channels = next((len(e.positions) for row in rows for e in row), 1)
    tokens, targets = np.full(shape, pad), np.full(shape, pad)
    weights = np.zeros(shape, dtype=np.float32)
    positions = np.zeros((shape[0], channels, shape[1]), dtype=np.int64)
    segments = np.full(shape, -1)
    context = np.array([sum(e.context for e in row) for row in rows])
    for r, row in enumerate(rows):
        ahead, behind = 0, int(context[r])
        for number, e in enumerate(row, start=1):
            split, rest = e.context, len(e) - e.context
            for source, target in (
                (slice(0, split), slice(ahead, ahead + split)),
                (slice(split, None), slice(behind, behind + rest)),
            ):
                tokens[r, target] = e.tokens[source]
                targets[r, target] = e.targets[source]
                weights[r, target] = e.weights[source]
                positions[r, :, target] = e.positions[:, source]
                segments[r, target] = number
            ahead, behind = ahead + split, behind + rest
    alone = all(len(row) == 1 for row in rows)  # then the context tells padding and text apart by itself
    return Batch(
        tokens=torch.from_numpy(tokens),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        positions=torch.from_numpy(positions),
        mask=AttentionMask(
            context=torch.from_numpy(context),
            begin=torch.zeros(len(rows), dtype=torch.long),
            segments=None if alone else torch.from_numpy(segments),
        ),
    )


class Lengths(Protocol):
    """Tokens of each chunk: an array, or what looks them up."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...
    def min(self) -> int: ...
    def sum(self) -> int: ...


class Order(Protocol):
    """The chunks in the order of an epoch: an array, or what looks them up."""

    @property
    def ndim(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> Any: ...


@dataclass
class Plan:
    """Which chunks go into which row, drawn chunk by chunk from an endless row of epochs.

    A chunk goes to the fullest row with room for it (best fit). One that fits nowhere waits and comes first in the
    next batch; as many may wait as there are rows, so none waits twice, and none is dropped. `state` is all that
    has to be kept to go on exactly here.
    """

    lengths: Lengths  # [N]
    # The chunks [M] as an epoch visits them; of a mixture, whose corpora have their own epochs, (epoch, index) [M, 2]
    order: Callable[[int], Order]
    rows: int
    seq_length: int
    epoch: int = 0
    cursor: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)

    def next(self) -> list[list[tuple[int, int]]]:
        """The (epoch, index) of the examples of each row of the next batch."""
        batch: list[list[tuple[int, int]]] = [[] for _ in range(self.rows)]
        room = [(self.seq_length, row) for row in range(self.rows)]  # sorted
        waiting, self.waiting = self.waiting, []
        for key in self._ahead(waiting):
            length = int(self.lengths[key[1]])
            best = bisect_left(room, (length, -1))
            if best == len(room):
                self.waiting.append(key)
                if len(self.waiting) == self.rows:
                    break
            else:
                left, row = room.pop(best)
                batch[row].append(key)
                insort(room, (left - length, row))
            if room[-1][0] < self._shortest:
                break
        return batch

    def __post_init__(self) -> None:
        self._shortest = int(self.lengths.min())
        self._order = lru_cache(maxsize=1)(self.order)

    def _ahead(self, waiting: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The keys that wait, then those of this epoch and the next ones; moves the cursor as they are taken."""
        yield from waiting
        while True:
            order = self._order(self.epoch)
            while self.cursor < len(order):
                key = order[self.cursor].tolist()
                self.cursor += 1
                yield (self.epoch, key) if order.ndim == 1 else (key[0], key[1])
            self.epoch, self.cursor = self.epoch + 1, 0

    @property
    def state(self) -> dict[str, object]:
        return {"epoch": self.epoch, "cursor": self.cursor, "waiting": [list(key) for key in self.waiting]}


@dataclass
class DensePlan(Plan):
    """The same, with rows as full as the chunks at hand allow: for chunks that are a good part of a row long.

    `POOL` chunks wait, but no more than there are, so that one that fits badly does not wait for epochs. The oldest
    begins a row; of the others those fill it that come closest to its end together (subset sum; older ones where it
    makes no difference). So each chunk's turn comes, and none is dropped.
    """

    def next(self) -> list[list[tuple[int, int]]]:
        """The (epoch, index) of the examples of each row of the next batch."""
        ahead = self._ahead([])
        batch = []
        for _ in range(self.rows):
            while len(self.waiting) < min(POOL, len(self.lengths)):
                self.waiting.append(next(ahead))
            lengths = [int(self.lengths[index]) for _, index in self.waiting]
            chosen = [0, *(1 + place for place in fullest(lengths[1:], self.seq_length - lengths[0]))]
            batch.append([self.waiting[place] for place in chosen])
            self.waiting = [key for place, key in enumerate(self.waiting) if place not in set(chosen)]
        return batch


def fullest(lengths: Sequence[int], room: int) -> list[int]:
    """Which of `lengths` together come closest to `room` without exceeding it; the first ones where several do."""
    within = (1 << room + 1) - 1
    sums = [1]  # bit n: the lengths so far have a subset of sum n
    for length in lengths:
        sums.append(sums[-1] | sums[-1] << length & within)
    left = sums[-1].bit_length() - 1
    chosen = []
    for place in range(len(lengths) - 1, -1, -1):
        if not sums[place] >> left & 1:
            chosen.append(place)
            left -= lengths[place]
    return chosen[::-1]
