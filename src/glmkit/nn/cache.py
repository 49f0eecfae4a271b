"""Keys and values of the tokens read so far."""

import torch
from torch import Tensor


class KVCache:
    """Room for `capacity` tokens in each layer, allocated once; `append` writes in place and copies nothing.

    A `prefix` [layers, 2, batch, heads, P, head_dim] of keys and values takes P places more; `length` counts tokens.
    """

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
        prefix: Tensor | None = None,
    ) -> None:
        self.prefix = 0 if prefix is None else prefix.shape[4]
        shape = (layers, batch, heads, self.prefix + capacity, head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0
        if prefix is not None:
            self.keys[..., : self.prefix, :] = prefix[:, 0].detach()
            self.values[..., : self.prefix, :] = prefix[:, 1].detach()

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Writes [B, H, T, head_dim] behind what is there; returns all keys and values of the layer so far (views)."""
        start = self.prefix + self.length
        end, room = start + keys.shape[2], self.keys.shape[3]
        assert end <= room, f"cache holds {room - self.prefix} tokens, asked for {end - self.prefix}"
        self.keys[layer, :, :, start:end] = keys
        self.values[layer, :, :, start:end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, tokens: int) -> None:
        """Counts `tokens` as read, once every layer has appended them."""
        self.length += tokens

    def select(self, rows: Tensor) -> None:
        """Keeps the rows `rows`, in that order; a row may be taken several times or not at all."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
