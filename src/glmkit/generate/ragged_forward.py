"""The model over tokens of several rows at once."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from glmkit.core.types import AttentionMask, LanguageModel
from glmkit.generate.prefix_cache import ReadRow, ReadToken
from glmkit.nn.accelerate import rows_alike
from glmkit.nn.ragged import RaggedCache

T = TypeVar("T")
Inputs = Sequence[tuple[ReadRow, Sequence[ReadToken]]]  # rows, and the tokens that go behind what they hold


class RaggedForward:
    """Reads the next tokens of rows, and says what comes behind them.

    `deterministic`: in passes of so many tokens that each gets, to the last bit, what it gets when it is read alone.
    """

    def __init__(self, model: LanguageModel, deterministic: bool) -> None:
        self.model, self.deterministic = model, deterministic

    @property
    def most(self) -> int | None:
        """Tokens of a pass; None: any number."""
        return rows_alike(self.model) if self.deterministic else None

    def hidden(self, prompts: Inputs, tokens: Inputs) -> Tensor:
        """Hidden states [N, D] of parts of prompts, and of a few tokens of other rows; those of a row side by side, in
        one pass over the weights."""
        if self.most is None:
            return self._pass([*prompts, *tokens])
        parts = [[one] for one in prompts] + _parts(tokens, lambda one: len(one[1]), self.most)
        return torch.cat([self._pass(part) for part in parts])

    def _pass(self, inputs: Inputs) -> Tensor:
        table = np.array([token for _, tokens in inputs for token in tokens], dtype=np.int64).T  # [1 + P, N]
        rows = [row for row, _ in inputs]
        cache = RaggedCache(
            [row.cache for row in rows], [len(tokens) for _, tokens in inputs], [row.context for row in rows]
        )
        device = next(iter(self.model.parameters())).device
        columns = torch.from_numpy(np.ascontiguousarray(table)).to(device)
        return self.model(columns[:1], columns[None, 1:], AttentionMask.prefix([0]), cache)[0]

    def logits(self, hidden: Sequence[Tensor]) -> Tensor:
        """Of hidden states [n, D] each: logits [N, V] in float32."""
        parts = _parts(hidden, len, self.most)
        return torch.cat([self.model.logits(torch.cat(part)) for part in parts]).float()


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
