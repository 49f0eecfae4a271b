"""Keys and values of the tokens read so far."""

import torch
from torch import Tensor


class KVCache:
    """Room for `capacity` tokens in each layer, allocated once; `append` writes in place and copies nothing."""

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
        shape = (layers, batch, heads, capacity, head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Writes [B, H, T, head_dim] behind what is there; returns all keys and values of the layer so far (views)."""
        end = self.length + keys.shape[2]
        assert end <= self.keys.shape[3], f"cache holds {self.keys.shape[3]} tokens, asked for {end}"
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, tokens: int) -> None:
        """Counts `tokens` as read, once every layer has appended them."""
        self.length += tokens

    def select(self, rows: Tensor) -> None:
        """Keeps the rows `rows`, in that order; a row may be taken several times or not at all."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
