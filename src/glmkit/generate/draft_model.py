"""Drafts by a small model of the same tokenizer, in place of prompt look-up (glmkit.generate.prompt_lookup).

It reads what has been read and written, and writes its own most probable tokens behind that:

    read so far     The keys are in the          draft: drawer of the

The model itself reads them in one pass, and what it samples at each place is what is written: a draft changes how fast
tokens come, not which, nor how probable each is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glmkit.core.types import AttentionMask, IntArray, LanguageModel, StoredCache
from glmkit.generate.prompt_lookup import ALLOWANCE, DRAFT_COST, INITIAL_CREDIT, MAX_DRAFT
from glmkit.generate.session import DecodeConfig
from glmkit.infill.position_schemes import EncodedPrompt

Placed = tuple[int, IntArray]  # an id and its positions [P]


@dataclass(frozen=True)
class DraftModel:
    """`cost` of a token of `model`, in units of one of the model that it drafts for."""

    model: LanguageModel
    cost: float

    def drafter(self, prompt: EncodedPrompt, config: DecodeConfig) -> "ModelDrafter":
        """For a sequence behind `prompt`, or in its blanks."""
        return ModelDrafter(self, prompt, config)


class ModelDrafter:
    """The drafts of one sequence. It keeps account as prompt look-up does: a draft token costs reading it twice, an
    accepted one earns a token, and a text that the small model cannot foresee is soon left alone."""

    def __init__(self, draft: DraftModel, prompt: EncodedPrompt, config: DecodeConfig) -> None:
        self._draft, self._config, self._context = draft, config, prompt.context
        self._unread: list[Placed] = list(zip(prompt.tokens.tolist(), prompt.positions.T, strict=True))
        self._cache: StoredCache | None = None
        self._drafted: list[Placed] = []  # neither accepted nor rejected so far
        self._length = MAX_DRAFT // 2
        self._credit = INITIAL_CREDIT

    def observe(self, id: int, position: IntArray) -> None:
        """The next token of the text is `id`."""
        self._credit = min(self._credit + ALLOWANCE, MAX_DRAFT)
        if self._drafted:
            (draft, place), *rest = self._drafted
            if draft == id and np.array_equal(place, position):
                self._credit, self._drafted = self._credit + 1, rest
                self._length = self._length if rest else min(MAX_DRAFT, self._length + 2)
            else:
                self._length, self._drafted = max(1, self._length - len(rest) - 1), []
        self._unread.append((id, position))

    def draft_tokens(self, most: int) -> list[int]:
        """What may come next, `most` tokens at most."""
        cost = DRAFT_COST + self._draft.cost
        length = min(self._length, most, int(self._credit / cost))
        if length < 1:
            return []
        self._drafted, self._length = [], length
        self._credit -= cost * length
        cache = self._cache = self._cache or self._draft.model.new_cache(1, len(self._unread) + MAX_DRAFT)
        read, self._unread = self._unread, []
        kept = cache.length + len(read)
        for _ in range(length):
            id = self._next(read, cache)
            read = [(id, self._config.position_scheme.advance(read[-1][1]))]
            self._drafted += read
        cache.cut(kept)
        return [id for id, _ in self._drafted]

    @torch.inference_mode()
    def _next(self, tokens: Sequence[Placed], cache: StoredCache) -> int:
        """The most probable token behind these, which are read."""
        model = self._draft.model
        device = next(iter(model.parameters())).device
        ids = torch.tensor([[id for id, _ in tokens]], device=device)
        places = torch.from_numpy(np.stack([place for _, place in tokens], axis=1)[None]).to(device)
        hidden = model(ids, places, AttentionMask.prefix([self._context]), cache)
        logits = model.logits(hidden[0, -1])[: self._config.vocab_size].clone()
        logits[self._config.never_ids] = float("-inf")
        return int(logits.argmax())
