"""Rows of different lengths, read together: each has a cache of its own, and their next tokens stand side by side.

    row 0   a b c d | e
    row 1   k l | m n               tokens [1, N]   e m n z        N = 4
    row 2   x y | z

Every linear layer sees one row of N tokens; in attention each sees the keys of its own row. So a row joins and leaves
without the others being moved.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.core.types import AttentionMask, StoredCache
from glmkit.kernels.cache_rows import CacheRows
from glmkit.nn.cache import KVCache
from glmkit.nn.masks import SDPAMask, sdpa_mask
from glmkit.nn.prefix import PrefixedCache

FEW = 16  # tokens of a row that are read one by one; more of them are a prompt


class RowPart(NamedTuple):
    """The tokens of one row, columns `begin` .. `end` - 1 of all: they go behind what its cache holds, and of them and
    that the first `context` are seen both ways."""

    cache: StoredCache
    begin: int
    end: int
    context: int

    def mask(self, dtype: torch.dtype, device: torch.device) -> SDPAMask:
        """What its tokens see of their row."""
        start, prefix, mask = self.cache.length, self.cache.prefix, AttentionMask.prefix([self.context])
        return sdpa_mask(mask, start, self.end - self.begin, dtype, device, prefix)

    @property
    def stored(self) -> KVCache | None:
        """Its keys and values, where the compiled kernels read them token by token, each behind all that it sees."""
        cache = self.cache.cache if isinstance(self.cache, PrefixedCache) else self.cache
        count = self.end - self.begin
        if type(cache) is not KVCache or cache.keys[0].device.type != "cpu" or count > FEW:
            return None
        return cache if count == 1 or self.context <= self.cache.length else None


class RaggedCache:
    """Stands where a cache would, for `counts[r]` more tokens of each row of `caches`.

    `contexts[r]`: how many tokens from the beginning of row r are seen both ways; those that are read now are read in
    one piece.
    """

    length = prefix = 0

    def __init__(self, caches: Sequence[StoredCache], counts: Sequence[int], contexts: Sequence[int]) -> None:
        ends = accumulate(counts)
        self.parts = [
            RowPart(cache, end - count, end, context)
            for cache, count, end, context in zip(caches, counts, ends, contexts, strict=True)
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
    def prompts(self) -> list[RowPart]:
        """The parts that are read at once."""
        return [part for part in self.parts if part.stored is None]

    def mask(self, part: RowPart, dtype: torch.dtype, device: torch.device) -> SDPAMask:
        """What a part sees, worked out once for all layers."""
        if part.begin not in self._masks:
            self._masks[part.begin] = part.mask(dtype, device)
        return self._masks[part.begin]

    def advance(self, tokens: int) -> None:
        """Counts what each row has read, once every layer has appended it."""
        for part in self.parts:
            part.cache.advance(part.end - part.begin)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("each row has keys of its own: see Attention")
