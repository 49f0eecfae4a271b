"""P-tuning v2: keys and values that stand before the first token in every layer, learned instead of read.

They are not rotated, every token sees them, and the text still begins at position 0:

    keys of a layer     prefix 0 .. P-1 | token 0 | token 1 | ...

Sizes: L layers, B rows, G heads of keys and values, P the prefix's length.
"""

from copy import copy

import torch
from torch import Tensor, nn

from glmkit.core.types import Cache, StoredCache


class PrefixEncoder(nn.Module):
    """A table of `num_prefix` rows, through `projection` if any, packed [layer | key, value | head | head_dim].

    The official recipe trains it in float32 over a frozen model, with dropout 0.1.
    """

    def __init__(self, embedding: nn.Embedding, projection: nn.Module, num_layers: int, head_dim: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = projection
        self.dropout = nn.Dropout(0.1)
        self.num_layers, self.head_dim = num_layers, head_dim

    def forward(self, batch: int) -> Tensor:
        """Keys and values [L, 2, B, G, P, head_dim] for `batch` rows."""
        table = self.projection(self.embedding.weight).expand(batch, -1, -1)  # [B, P, L * 2 * G * head_dim]
        table = self.dropout(table).unflatten(-1, (self.num_layers, 2, -1, self.head_dim))
        return table.permute(2, 3, 0, 4, 1, 5)


def prefix_encoder(num_prefix: int, width: int, num_layers: int, head_dim: int) -> PrefixEncoder:
    """The table alone; `width` is what the keys and values of all layers take."""
    return PrefixEncoder(nn.Embedding(num_prefix, width), nn.Identity(), num_layers, head_dim)


def projected_prefix_encoder(
    num_prefix: int, inner: int, hidden: int, width: int, num_layers: int, head_dim: int
) -> PrefixEncoder:
    """A table of rows of `inner` numbers that two layers widen: inner -> hidden -> `width`."""
    projection = nn.Sequential(nn.Linear(inner, hidden), nn.Tanh(), nn.Linear(hidden, width))
    return PrefixEncoder(nn.Embedding(num_prefix, inner), projection, num_layers, head_dim)


class PrefixedCache:
    """A cache that begins with a prefix; `length` counts the tokens behind it."""

    def __init__(self, cache: StoredCache, keys_and_values: Tensor) -> None:
        """`cache` is empty and has room for the prefix, `keys_and_values` [L, 2, B, G, P, head_dim], too."""
        self.cache, self.prefix = cache, keys_and_values.shape[4]
        for layer, (keys, values) in enumerate(keys_and_values.detach()):
            cache.append(layer, keys, values)
        cache.advance(self.prefix)

    @property
    def length(self) -> int:
        return self.cache.length - self.prefix

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        return self.cache.append(layer, keys, values)

    def advance(self, tokens: int) -> None:
        self.cache.advance(tokens)

    def cut(self, length: int) -> None:
        self.cache.cut(self.prefix + length)

    def fit(self, capacity: int) -> None:
        self.cache.fit(self.prefix + capacity)

    def select(self, rows: Tensor) -> None:
        self.cache.select(rows)

    @property
    def nbytes(self) -> int:
        return self.cache.nbytes

    @property
    def capacity(self) -> int:
        return self.cache.capacity - self.prefix

    def clone(self) -> "PrefixedCache":
        other = copy(self)
        other.cache = self.cache.clone()
        return other


class PrefixAlone:
    """Stands where a cache would: the prefix before the tokens of one forward, and nothing kept."""

    def __init__(self, keys_and_values: Tensor) -> None:
        self.keys_and_values = keys_and_values  # [L, 2, B, G, P, head_dim]
        self.length, self.prefix = 0, keys_and_values.shape[4]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        learned = self.keys_and_values[layer].to(keys.dtype)
        return torch.cat((learned[0], keys), dim=2), torch.cat((learned[1], values), dim=2)

    def advance(self, tokens: int) -> None:
        """Nothing is kept."""


def with_prefix(encoder: PrefixEncoder | None, cache: Cache | None, rows: int) -> Cache | None:
    """What attention reads before new tokens: the cache given, which holds the prefix already, or the prefix alone."""
    return PrefixAlone(encoder(rows)) if cache is None and encoder is not None else cache
