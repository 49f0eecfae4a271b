"""A request at work in the engine that only reads.

tokens     context            | sop ran | sop fell down | sop slept
read       whole, in one pass without a cache, where it is no longer than a chunk; else, in a row of the cache,
           the context in chunks, then as many of what stands side by side as fit into one, each time behind the
           context again:     context | sop ran | sop fell down |     context | sop slept |
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glmkit.core.types import LanguageModel
from glmkit.generate.prefix_cache import ReadRow
from glmkit.generate.ragged_forward import Part, RaggedForward
from glmkit.generate.request import ReadGroup
from glmkit.nn.finite import check_finite
from glmkit.nn.lora import Adapter, new_row
from glmkit.objective.read_request import ReadRequest, as_wanted

ROWS = 512  # tokens whose logits are there at once


class ActiveRead:
    """What it has yet to read, the row it reads into, and what has come of it."""

    forks = 0

    def __init__(self, request: ReadRequest, adapter: Adapter | None) -> None:
        self.group = ReadGroup(request=request, adapter=adapter)
        self.to_read = range(len(request.tokens))
        self.row: ReadRow | None = None
        self.results: list[Tensor] = []
        segments = request.segments
        self._segments = None if segments is None or segments.max(initial=0) <= 1 else segments
        borders = [] if self._segments is None else (np.flatnonzero(np.diff(self._segments)) + 1).tolist()
        self._ends: list[int] = [*borders, len(request.tokens)]  # of what all see, and of each that stands behind it
        self._beside = self._ends[0]  # where those begin that are in the row now

    @property
    def order(self) -> tuple[int, int, int]:
        """As that of a sequence."""
        return self.group.request.priority, self.group.id, 0

    @property
    def nbytes(self) -> int:
        """Of keys and values."""
        return 0 if self.row is None else self.row.cache.nbytes

    @property
    def most_tokens(self) -> int:
        """Tokens that its row may come to hold, without the prefix of an adapter."""
        longest = max(end - begin for begin, end in zip([0, *self._ends], self._ends, strict=False))
        return min(len(self.group.request.tokens), self._ends[0] + 2 * longest)

    def chunk(self, room: int, most: int) -> int:
        """How many tokens are read at once: all where they are not more than `most`; else `room` or less, to an end."""
        left, begin = len(self.to_read), self.to_read.start
        if left <= most:
            return left
        end = begin + max(room, self.group.request.context - begin)
        ends = self._ends[: bisect_right(self._ends, end)]
        return (ends[-1] if ends and ends[-1] > begin else end) - begin

    def part(self, size: int, model: LanguageModel, prefixed: bool) -> Part:
        """The next tokens, as the model reads them. `prefixed`: every row of the model begins with keys and values of
        its own."""
        request, adapter = self.group.request, self.group.adapter
        begin, end = self.to_read.start, self.to_read.start + size
        table = np.concatenate((request.tokens[None, begin:end], request.positions[:, begin:end]))
        if size == len(request.tokens) and not prefixed and (adapter is None or adapter.prefix is None):
            return Part(table, None, request.context, adapter, self._segments)
        if self.row is None:
            self.row = ReadRow(new_row(model, adapter, self.most_tokens), request.context, request.owner, adapter)
        shared, segments = self._ends[0], self._segments
        if begin in self._ends:
            self.row.cache.cut(shared)
            self._beside = begin
        if segments is not None:
            segments = np.concatenate((segments[:shared], segments[self._beside : end])) if end > shared else None
        return Part(table, self.row.cache, request.context, adapter, segments)

    def took(self, hidden: Tensor) -> tuple[Tensor, slice]:
        """Of the tokens just read, with their hidden states [N, D], those behind which something is wanted, and which
        of the places they are."""
        begin, places = self.to_read.start, self.group.request.places
        first, last = np.searchsorted(places, (begin, begin + len(hidden))).tolist()
        self.to_read = self.to_read[len(hidden) :]
        return hidden[places[first:last] - begin], slice(first, last)


Taken = tuple[ActiveRead, Tensor, slice]


def reduce_reads(forward: RaggedForward, taken: Sequence[Taken]) -> list[tuple[ActiveRead, Exception]]:
    """Adds to the results of each what is wanted of its hidden states; returns those that failed, and why."""
    failed: dict[ActiveRead, Exception] = {}
    most = forward.most or ROWS
    pieces = [
        (active, states[at : at + most], slice(which.start + at, min(which.stop, which.start + at + most)))
        for active, states, which in taken
        for at in range(0, len(states), most)
    ]
    while pieces:
        sizes = np.cumsum([len(states) for _, states, _ in pieces])
        count = max(1, int(np.searchsorted(sizes, ROWS, side="right")))
        group, pieces = pieces[:count], pieces[count:]
        wanted = [(one.group.adapter, states) for one, states, _ in group if not one.group.request.hidden]
        logits = forward.logits(wanted).split([len(states) for _, states in wanted]) if wanted else ()
        rest = iter(logits)
        for active, states, which in group:
            request = active.group.request
            values = states if request.hidden else next(rest)
            try:
                result = as_wanted(request, values, which)
                active.results.append(check_finite(result, forward.model))
            except Exception as error:  # noqa: BLE001 - its own
                failed[active] = error
    for active, _, _ in taken:
        if not active.to_read and active not in failed:
            active.group.result = torch.cat(active.results)
    return [*failed.items()]
