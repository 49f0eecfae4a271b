"""The model over tokens of several rows at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, IntArray, LanguageModel, StoredCache
from glmkit.kernels.library import isa
from glmkit.nn.accelerate import rows_alike
from glmkit.nn.lora import Adapter, with_adapters
from glmkit.nn.ragged import RaggedCache

TILE = 16  # tokens that the kernels multiply together

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Ids and positions [1 + P, N] that go behind what the cache of a row holds, if it has one; `context` and
    `segments` are as in glmkit.nn.ragged.RowTokens."""

    table: IntArray
    cache: StoredCache | None
    context: int
    adapter: Adapter | None
    segments: IntArray | None = None

    def __len__(self) -> int:
        return self.table.shape[1]


class RaggedForward:
    """Reads the next tokens of rows, and says what comes behind them.

    `deterministic`: in passes of so many tokens that each gets, to the last bit, what it gets when it is read alone;
    `most` are the tokens of such a pass (None: any number).
    """

    def __init__(self, model: LanguageModel, deterministic: bool) -> None:
        self.model, self.deterministic = model, deterministic
        self.most = rows_alike(model) if deterministic else None
        on_cpu = compute_device(model).type == "cpu"
        self._many_cost_little = not on_cpu or isa() == "amx"  # there are units for products of matrices

    def room_beside(self, others: int, most: int) -> int:
        """How many tokens of prompts go beside so many others in a pass, `most` at most. Where many tokens take much
        longer than few they fill a tile, so that the others do not wait long."""
        if self.deterministic or self._many_cost_little:
            return most
        room = -others % TILE
        return min(most, room if room >= TILE // 4 else room + TILE)

    def hidden(self, prompts: Sequence[Part], tokens: Sequence[Part]) -> Tensor:
        """Hidden states [N, D] of parts of prompts, and of a few tokens of other rows; those of a row side by side, in
        one pass over the weights."""
        if self.most is None:
            return self._pass([*prompts, *tokens])
        few = _parts(tokens, len, self.most)
        return torch.cat([*(self._pass([one]) for one in prompts), *(self._pass(part, apart=True) for part in few)])

    def _pass(self, parts: Sequence[Part], apart: bool = False) -> Tensor:
        device = compute_device(self.model)
        columns = torch.from_numpy(np.concatenate([part.table for part in parts], axis=1)).to(device)
        model = with_adapters(self.model, [(part.adapter, len(part)) for part in parts], device, apart)
        return model(columns[:1], columns[None, 1:], AttentionMask.prefix([0]), RaggedCache(parts))[0]

    def logits(self, hidden: Sequence[tuple[Adapter | None, Tensor]]) -> Tensor:
        """Of hidden states [n, D] of sequences, each with its adapter: logits [N, V]."""
        results = []
        for part in _parts(hidden, lambda one: len(one[1]), self.most):
            states = torch.cat([one for _, one in part])
            counts = [(adapter and adapter.outside, len(one)) for adapter, one in part]
            results.append(with_adapters(self.model, counts, states.device, self.deterministic).logits(states))
        return torch.cat(results)


def _parts(items: Sequence[T], size: Callable[[T], int], most: int | None) -> list[list[T]]:
    """The items in order, in parts of `most` tokens at most (an item has no more)."""
    if most is None:
        return [list(items)]
    parts: list[list[T]] = []
    room = 0
    for item in items:
        if (room := room - size(item)) < 0:
            parts.append([])
            room = most - size(item)
        parts[-1].append(item)
    return parts
