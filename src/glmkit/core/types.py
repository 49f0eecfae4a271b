"""The values that packages pass to one another.

Sizes: B batch, T tokens, K keys, P position channels, D width, V vocabulary.

    text -> tokens -> spans -> Layout -> Example -> Batch -> LanguageModel.forward -> hidden -> loss

An `Example` is one serialized document in numpy; a `Batch` is rows of them in torch. What is specific to GLM is
in these values, so a model only has to obey one mask rule and look up the positions it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One serialized document: the corrupted text first (`context` tokens), then the spans to predict.

    `targets[t]` is what the model should predict after reading `tokens[t]` (already shifted); only positions
    with `weights[t] > 0` count. `positions` has one row per channel of the architecture.
    """

    tokens: IntArray  # [T]
    targets: IntArray  # [T]
    weights: FloatArray  # [T]
    positions: IntArray  # [P, T]
    context: int

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, kw_only=True)
class AttentionMask:
    """Which keys a query sees. One rule serves every family:

        visible  <=>  same segment  and  key >= begin  and  (key <= query  or  key < context)

    Causal models have context 0, packed documents have segments, left-padded rows have begin > 0. Segment 0 is
    shared: every segment sees it (the context of several choices); padding is segment -1.
    For context 3 and five tokens (`x` visible), the first three are the corrupted text:

        query 0   x x x . .
        query 1   x x x . .
        query 2   x x x . .
        query 3   x x x x .
        query 4   x x x x x
    """

    context: Tensor  # [B] int64, kept on the CPU, so that looking at it never waits for an accelerator
    begin: Tensor  # [B] int64, on the CPU too
    segments: Tensor | None = None  # [B, T] int64

    @classmethod
    def prefix(cls, context: Sequence[int] | Tensor, begin: Sequence[int] | Tensor | None = None) -> AttentionMask:
        """Rows whose first `context[b]` tokens see each other both ways; keys before `begin[b]` are never seen."""
        import torch

        context = torch.as_tensor(context, dtype=torch.long)
        begin = torch.zeros_like(context) if begin is None else torch.as_tensor(begin, dtype=torch.long)
        return cls(context=context, begin=begin)

    def visible(self, start: int, length: int, device: torch.device | str = "cpu") -> Tensor:
        """The rule for queries start .. start+length-1 over all keys so far: bool [B, 1, length, start+length]."""
        import torch

        keys = torch.arange(start + length, device=device)
        queries = keys[start:, None]  # [length, 1]
        context, begin = self.context.to(device)[:, None, None], self.begin.to(device)[:, None, None]
        visible = ((keys <= queries) | (keys < context)) & (keys >= begin)  # [B, length, K]
        if self.segments is not None:
            segments = self.segments[:, : start + length]
            queries, keys = segments[:, start:, None], segments[:, None, :]
            visible = visible & ((queries == keys) | (keys == 0))
        return visible[:, None]

    def rows(self, index: Tensor) -> AttentionMask:
        """The mask of the rows `index`, in that order."""
        segments = None if self.segments is None else self.segments[index]
        index = index.cpu()
        return AttentionMask(context=self.context[index], begin=self.begin[index], segments=segments)

    def to(self, device: torch.device | str) -> AttentionMask:
        segments = None if self.segments is None else self.segments.to(device)
        return AttentionMask(context=self.context, begin=self.begin, segments=segments)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of examples, padded on the right with tokens that no real token sees."""

    tokens: Tensor  # [B, T] int64
    targets: Tensor  # [B, T] int64
    weights: Tensor  # [B, T] float32
    positions: Tensor  # [B, P, T] int64
    mask: AttentionMask

    def to(self, device: torch.device | str) -> Batch:
        return Batch(
            tokens=self.tokens.to(device),
            targets=self.targets.to(device),
            weights=self.weights.to(device),
            positions=self.positions.to(device),
            mask=self.mask.to(device),
        )


class Cache(Protocol):
    """Keys and values of the tokens read so far, layer by layer. `length` counts those tokens; before them stand the
    keys and values of a learned prefix of `prefix` places (P-tuning), or of none."""

    @property
    def length(self) -> int: ...
    @property
    def prefix(self) -> int: ...
    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]: ...
    def advance(self, tokens: int) -> None: ...


class StoredCache(Cache, Protocol):
    """A cache with memory of its own, for as many rows as it was made for."""

    @property
    def nbytes(self) -> int: ...
    @property
    def capacity(self) -> int: ...  # tokens that there is room for
    def cut(self, length: int) -> None: ...  # forgets all but the first tokens
    def fit(self, capacity: int) -> None: ...  # gives back the room that so many tokens do not need
    def select(self, rows: Tensor) -> None: ...
    def clone(self) -> StoredCache: ...


@runtime_checkable
class LanguageModel(Protocol):
    """What every architecture offers, a torch module: ids in, hidden states out. `logits` is apart from `forward` so
    that a loss or a decoder computes logits only where it needs them."""

    training: bool

    def train(self, mode: bool = True) -> object: ...
    def eval(self) -> object: ...
    def get_submodule(self, target: str) -> nn.Module: ...
    def modules(self) -> Iterator[nn.Module]: ...

    def forward(
        self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None
    ) -> Tensor: ...  # [B, T], [B, P, T] -> [B, T, D]
    def __call__(
        self, tokens: Tensor, positions: Tensor, mask: AttentionMask, cache: Cache | None = None
    ) -> Tensor: ...
    def logits(self, hidden: Tensor) -> Tensor: ...  # [..., D] -> [..., V]
    def new_cache(self, batch: int, capacity: int) -> StoredCache: ...
    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> Mapping[str, Tensor]: ...
