"""Rows of different lengths, read together: each has a cache of its own, and their next tokens stand side by side.

    row 0   a b c d | e
    row 1   k l | m n               tokens [1, N]   e m n z        N = 4
    row 2   x y | z

Every linear layer sees one row of N tokens; in attention each sees the keys of its own row. So a row joins and leaves
without the others being moved.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.core.types import AttentionMask, StoredCache
from glmkit.nn.masks import SDPAMask, sdpa_mask


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

    def advance(self, tokens: int) -> None:
        """Counts what each row has read, once every layer has appended it."""
        for part in self.parts:
            part.cache.advance(part.end - part.begin)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("each row has keys of its own: see Attention")
