"""Keys and values of the tokens read so far."""

from copy import copy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glmkit.kernels.cache_rows import CacheRows, RowKind

BLOCK = 256  # tokens


class Places(NamedTuple):
    """Addresses of the keys and values [H, capacity, head_dim] of each row in each layer, [L, B]; capacities [L, 1].
    `nbytes` is what they take in all. Good until a layer grows or is replaced."""

    keys: NDArray[np.int64]
    values: NDArray[np.int64]
    capacities: NDArray[np.int64]
    nbytes: int

    @classmethod
    def of(cls, keys: list[Tensor], values: list[Tensor]) -> "Places":
        capacities = np.array([[layer.shape[2]] for layer in keys])
        nbytes = sum(layer.nbytes for layer in (*keys, *values))
        return cls(_addresses(keys), _addresses(values), capacities, nbytes)


def _addresses(layers: list[Tensor]) -> NDArray[np.int64]:
    return np.array([[row.data_ptr() for row in layer] for layer in layers], dtype=np.int64)


class KVCache:
    """Room for `capacity` tokens in each layer; `append` writes in place and copies nothing.

    Where the room ends a layer grows by a block, one layer at a time: never more than one of them is there twice.
    """

    prefix = 0

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (batch, heads, capacity, head_dim)
        self.keys = [torch.empty(shape, dtype=dtype, device=device) for _ in range(layers)]
        self.values = [torch.empty(shape, dtype=dtype, device=device) for _ in range(layers)]
        self.length = 0
        self._places: Places | None = None

    @property
    def nbytes(self) -> int:
        return self.places().nbytes

    @property
    def capacity(self) -> int:
        """Tokens that every layer has room for."""
        return int(self.places().capacities.min())

    def places(self) -> Places:
        """Where the rows of each layer lie."""
        if self._places is None:
            self._places = Places.of(self.keys, self.values)
        return self._places

    @property
    def kind(self) -> RowKind:
        return RowKind(self.keys[0].dtype, self.keys[0].shape[1], self.keys[0].shape[3])

    def rows(self) -> CacheRows | None:
        """Its rows with room for a token, as the kernels take them; None where they do not."""
        if self.keys[0].device.type != "cpu":
            return None
        self.reserve(1)
        keys, values, capacities, _ = self.places()
        count = keys.shape[1]
        lengths = np.full(count, self.length, dtype=np.int64)
        return CacheRows(keys, values, capacities.repeat(count, axis=1), lengths, self.kind)

    def reserve(self, tokens: int) -> None:
        """Makes room for `tokens` more tokens in every layer."""
        if self.length + tokens > self.capacity:
            for layer in range(len(self.keys)):
                self.room(layer, self.length + tokens)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Writes [B, H, T, head_dim] behind what is there; returns all keys and values of the layer so far (views)."""
        end = self.length + keys.shape[2]
        stores = self.room(layer, end)
        for store, new in zip(stores, (keys, values), strict=True):
            store[:, :, self.length : end] = new
        return stores[0][:, :, :end], stores[1][:, :, :end]

    def room(self, layer: int, tokens: int) -> tuple[Tensor, Tensor]:
        """The keys and values [B, H, capacity, head_dim] of a layer, with room for `tokens` tokens."""
        for store in (self.keys, self.values):
            if tokens > store[layer].shape[2]:
                store[layer], self._places = _grown(store[layer], self.length, tokens), None
        return self.keys[layer], self.values[layer]

    def advance(self, tokens: int) -> None:
        """Counts `tokens` as read, once every layer has appended them."""
        self.length += tokens

    def cut(self, length: int) -> None:
        """Forgets all but the first `length` tokens."""
        assert length <= self.length, f"cache holds {self.length} tokens, asked to keep {length}"
        self.length = length

    def fit(self, capacity: int) -> None:
        """Gives back, one layer at a time, the room that a text of `capacity` tokens would never have grown to."""
        assert capacity >= self.length, f"cache holds {self.length} tokens, asked for room for {capacity}"
        for store in (self.keys, self.values):
            for layer, old in enumerate(store):
                if old.shape[2] > capacity + capacity // 8 + BLOCK:
                    store[layer], self._places = _moved(old, self.length, capacity), None

    def select(self, rows: Tensor) -> None:
        """Keeps the rows `rows`, in that order; a row may be taken several times or not at all."""
        self._places = None
        for store in (self.keys, self.values):
            for layer, old in enumerate(store):
                store[layer] = old.new_empty(len(rows), *old.shape[1:])
                store[layer][:, :, : self.length] = old[rows, :, : self.length]

    def clone(self) -> "KVCache":
        """A copy of what is there, with as much room."""
        other = copy(self)
        other._places = None
        other.keys, other.values = (
            [_moved(old, self.length, old.shape[2]) for old in store] for store in (self.keys, self.values)
        )
        return other


def _grown(old: Tensor, length: int, end: int) -> Tensor:
    """`old` [B, H, K, head_dim] with room for `end` tokens and up to a block more; its first `length` are kept."""
    blocks = -(-max(end, length + length // 8) // BLOCK)  # an eighth at least, so that copying stays a fixed share
    return _moved(old, length, blocks * BLOCK)


def _moved(old: Tensor, length: int, capacity: int) -> Tensor:
    """The first `length` tokens of `old` in a store with room for `capacity`."""
    new = old.new_empty(*old.shape[:2], capacity, old.shape[3])
    new[:, :, :length] = old[:, :, :length]
    return new
