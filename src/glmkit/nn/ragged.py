"""Rows of different lengths, read together: each has a cache of its own, and their next tokens stand side by side.

    row 0   a b c d | e
    row 1   k l | m n               tokens [1, N]   e m n z        N = 4
    row 2   x y | z

Every linear layer sees one row of N tokens; in attention each sees the keys of its own row. So a row joins and leaves
without the others being moved. Rows that are read from their beginning to their end in this one pass need no cache:
they see the keys of the pass itself, and those alike that stand next to each other are attended to as one batch.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.core.types import AttentionMask, IntArray, StoredCache
from glmkit.kernels.cache_rows import CacheRows
from glmkit.nn.cache import KVCache
from glmkit.nn.masks import SDPAMask, sdpa_mask
from glmkit.nn.prefix import PrefixedCache

FEW = 16  # tokens of a row that are read one by one; more of them are a prompt


class RowTokens(Protocol):
    """So many tokens of a row, which go behind what its cache holds.

    `context`: how many tokens from its beginning are seen both ways; those that are read now are read in one piece.
    `segments` of all its tokens up to these, where not all see those before them (AttentionMask). A row without a cache
    holds nothing before, and nothing of it is kept.
    """

    @property
    def cache(self) -> StoredCache | None: ...
    @property
    def context(self) -> int: ...
    @property
    def segments(self) -> IntArray | None: ...
    def __len__(self) -> int: ...


class RowPart(NamedTuple):
    """The tokens of one row, columns `begin` .. `end` - 1 of all; the rest is as in `RowTokens`."""

    cache: StoredCache | None
    begin: int
    end: int
    context: int
    segments: IntArray | None

    def mask(self, dtype: torch.dtype, device: torch.device) -> SDPAMask:
        """What its tokens see of their row."""
        start, prefix = (self.cache.length, self.cache.prefix) if self.cache is not None else (0, 0)
        mask = AttentionMask.prefix([self.context])
        if self.segments is not None:
            mask = replace(mask, segments=torch.from_numpy(self.segments).to(device)[None])
        return sdpa_mask(mask, start, self.end - self.begin, dtype, device, prefix)

    @property
    def stored(self) -> KVCache | None:
        """Its keys and values, where the compiled kernels read them token by token, each behind all that it sees."""
        cache = self.cache.cache if isinstance(self.cache, PrefixedCache) else self.cache
        count = self.end - self.begin
        if type(cache) is not KVCache or cache.keys[0].device.type != "cpu" or count > FEW or self.segments is not None:
            return None
        assert self.cache is not None
        return cache if count == 1 or self.context <= self.cache.length else None

    def alike(self, other: "RowPart") -> bool:
        """Whether both are read without a cache, and see the same of themselves."""
        if self.cache is not None or other.cache is not None or self.context != other.context:
            return False
        if self.segments is None or other.segments is None:
            return self.segments is other.segments and self.end - self.begin == other.end - other.begin
        return np.array_equal(self.segments, other.segments)


class Run(NamedTuple):
    """Parts that are attended to at once: `rows` of them alike, side by side from the `first` on."""

    first: RowPart
    rows: int

    @property
    def columns(self) -> slice:
        begin, end = self.first.begin, self.first.end
        return slice(begin, begin + self.rows * (end - begin))


class RaggedCache:
    """Stands where a cache would, for more tokens of each of `rows`."""

    length = prefix = 0

    def __init__(self, rows: Sequence[RowTokens]) -> None:
        ends = accumulate(map(len, rows))
        self.parts = [
            RowPart(row.cache, end - len(row), end, row.context, row.segments)
            for row, end in zip(rows, ends, strict=True)
        ]
        self._masks: dict[int, SDPAMask] = {}

    @cached_property
    def few(self) -> CacheRows | None:
        """The parts that are read token by token, as the kernels take them; None where there are none."""
        tables: list[tuple[NDArray[np.int64], ...]] = []
        for part in self.parts:
            if (cache := part.stored) is not None:
                count = part.end - part.begin
                cache.reserve(count)
                lengths = np.arange(cache.length, cache.length + count)[None]
                tables.append((*(table.repeat(count, axis=1) for table in cache.places()[:3]), lengths))
                kind = cache.kind
        if not tables:
            return None
        keys, values, capacities, lengths = (np.concatenate(one, axis=1) for one in zip(*tables, strict=True))
        return CacheRows(keys, values, capacities, lengths[0], kind)

    @cached_property
    def columns(self) -> Tensor:
        """The columns of `few`."""
        few = [torch.arange(part.begin, part.end) for part in self.parts if part.stored is not None]
        return torch.cat(few) if few else torch.empty(0, dtype=torch.long)

    @cached_property
    def prompts(self) -> list[Run]:
        """The parts that are read at once."""
        return _runs([part for part in self.parts if part.stored is None])

    @cached_property
    def all(self) -> list[Run]:
        """Every part, where none is read token by token."""
        return _runs(self.parts)

    def mask(self, part: RowPart, dtype: torch.dtype, device: torch.device) -> SDPAMask:
        """What a part sees, worked out once for all layers."""
        if part.begin not in self._masks:
            self._masks[part.begin] = part.mask(dtype, device)
        return self._masks[part.begin]

    def advance(self, tokens: int) -> None:
        """Counts what each row has read, once every layer has appended it."""
        for part in self.parts:
            if part.cache is not None:
                part.cache.advance(part.end - part.begin)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("each row has keys of its own: see Attention")


def _runs(parts: Sequence[RowPart]) -> list[Run]:
    runs: list[Run] = []
    for part in parts:
        if runs and runs[-1].columns.stop == part.begin and runs[-1].first.alike(part):
            runs[-1] = runs[-1]._replace(rows=runs[-1].rows + 1)
        else:
            runs.append(Run(part, 1))
    return runs
