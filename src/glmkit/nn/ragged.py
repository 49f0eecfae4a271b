"""Rows of different lengths, read together: each has a cache of its own, and their next tokens stand side by side.

    row 0   a b c d | e
    row 1   k l | m n               tokens [1, N]   e m n z        N = 4
    row 2   x y | z

Every linear layer sees one row of N tokens; in attention each sees the keys of its own row. So a row joins and leaves
without the others being moved.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.core.types import AttentionMask, StoredCache
from glmkit.kernels.cache_rows import CacheRows, RowKind
from glmkit.nn.cache import KVCache
from glmkit.nn.masks import SDPAMask, sdpa_mask
from glmkit.nn.prefix import Prefixed

FEW = 8  # tokens of a row that are read one by one; more of them are a prompt


class RowPart(NamedTuple):
    """The tokens of one row, columns `begin` .. `end` - 1 of all: they go behind what its cache holds, and of them and
    that the first `context` are seen both ways."""

    cache: StoredCache
    begin: int
    end: int
    context: int


class RaggedCache:
    """Stands where a cache would, for `counts[r]` more tokens of each row of `caches`.

    `contexts[r]`: how many tokens from the beginning of row r are seen both ways; those that are read now are read in
    one piece.
    """

    length = prefix = 0

    def __init__(self, caches: Sequence[StoredCache], counts: Sequence[int], contexts: Sequence[int]) -> None:
        ends = torch.tensor(counts).cumsum(0).tolist()
        self.parts = [
            RowPart(cache, end - count, end, context)
            for cache, count, end, context in zip(caches, counts, ends, contexts, strict=True)
        ]

        self._masks: list[SDPAMask] | None = None
        self._rows: CacheRows | None = None

    def masks(self, dtype: torch.dtype, device: torch.device) -> list[SDPAMask]:
        """What the tokens of each part see of their row; worked out once for all layers."""
        if self._masks is None:
            self._masks = [
                sdpa_mask(
                    AttentionMask.prefix([part.context]),
                    part.cache.length,
                    part.end - part.begin,
                    dtype,
                    device,
                    part.cache.prefix,
                )
                for part in self.parts
            ]
        return self._masks

    def rows(self) -> CacheRows | None:
        """Where each token goes, as the kernels take it; None where they do not: prompts are read by other means."""
        if self._rows is None and all(part.end - part.begin <= FEW for part in self.parts):
            self._rows = _rows(self.parts)
        return self._rows

    def advance(self, tokens: int) -> None:
        """Counts what each row has read, once every layer has appended it."""
        for part in self.parts:
            part.cache.advance(part.end - part.begin)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("each row has keys of its own: see Attention")


def _rows(parts: Sequence[RowPart]) -> CacheRows | None:
    tables: list[tuple[NDArray[np.int64], ...]] = []
    kinds: set[RowKind] = set()
    for cache, begin, end, context in parts:
        stored = cache.cache if isinstance(cache, Prefixed) else cache
        count = end - begin
        if type(stored) is not KVCache or stored.keys[0].device.type != "cpu" or (count > 1 and context > cache.length):
            return None
        stored.reserve(count)
        lengths = np.arange(stored.length, stored.length + count)[None]
        tables.append((*(table.repeat(count, axis=1) for table in stored.places()), lengths))
        kinds.add(stored.kind)
    if len(kinds) != 1:
        return None
    keys, values, capacities, lengths = (np.concatenate(one, axis=1) for one in zip(*tables, strict=True))
    return CacheRows(keys, values, capacities, lengths[0], kinds.pop())
