"""Drafts by a small model of the same tokenizer, in place of prompt look-up (glmkit.generate.prompt_lookup).

It reads what has been read and written, and writes its own most probable tokens behind that:

    read so far     The keys are in the          draft: drawer of the

The model itself reads them in one pass, and what it samples at each place is what is written: a draft changes how fast
tokens come, not which, nor how probable each is. Each sequence has a cache of the small model of its own, from its
first draft on; what that has not read yet, a long prompt say, it reads a chunk a step, so that nobody beside it waits
long.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, IntArray, LanguageModel, StoredCache
from glmkit.generate.prompt_lookup import DRAFT_COST, MAX_DRAFT, DraftAccount
from glmkit.generate.session import DecodeConfig
from glmkit.infill.position_schemes import EncodedPrompt

MOST_ROWS = 4  # written together with drafts; beside more of them the draft model takes longer than it saves
CHUNK = 512  # tokens read in one step, where their context allows

Placed = tuple[int, IntArray]  # an id and its positions [P]


@dataclass(frozen=True)
class DraftModel:
    """`cost` of a token of `model`, in units of one of the model that it drafts for. It reads `max_tokens` at most: a
    longer text goes on without drafts."""

    model: LanguageModel
    cost: float
    max_tokens: int = sys.maxsize

    def drafter(self, prompt: EncodedPrompt, config: DecodeConfig) -> "ModelDrafter":
        """For a sequence behind `prompt`, or in its blanks."""
        return ModelDrafter(self, prompt, config)


class ModelDrafter:
    """The drafts of one sequence, on an account as prompt look-up keeps it: a draft token is read by both models."""

    def __init__(self, draft: DraftModel, prompt: EncodedPrompt, config: DecodeConfig) -> None:
        self._draft, self._config, self._context = draft, config, prompt.context
        self._text: list[Placed] = list(zip(prompt.tokens.tolist(), prompt.positions.T, strict=True))
        self.cache: StoredCache | None = None  # of the beginning of the text; whoever takes it away has it read again
        self._drafted: list[Placed] = []  # neither accepted nor rejected so far
        self._account = DraftAccount(DRAFT_COST + draft.cost)

    def observe(self, id: int, position: IntArray) -> None:
        """The next token of the text is `id`."""
        drafted = self._drafted.pop(0) if self._drafted else None
        accepted = drafted is not None and drafted[0] == id and np.array_equal(drafted[1], position)
        self._account.observe(accepted)
        if accepted and not self._drafted:
            self._account.length = min(MAX_DRAFT, self._account.length + 2)
        elif drafted is not None and not accepted:
            self._account.reject(len(self._drafted))
            self._drafted = []
        self._text.append((id, position))

    def draft_tokens(self, most: int, rows: int = 1) -> list[int]:
        """What may come next, `most` tokens at most. All of the `rows` that are written together wait for it."""
        self._account.cost = DRAFT_COST + rows * self._draft.cost
        length = self._account.room(min(most, self._draft.max_tokens - len(self._text)))
        if length < 1:
            return []
        self._drafted = []
        cache = self.cache = self.cache or self._draft.model.new_cache(1, len(self._text) + MAX_DRAFT)
        end = max(cache.length + CHUNK, self._context)
        read = self._text[cache.length : end]
        if end < len(self._text):
            self._read(read, cache)
            return []
        self._account.pay(length)
        for _ in range(length):
            id = self._next(read, cache)
            read = [(id, self._config.position_scheme.advance(read[-1][1]))]
            self._drafted += read
        cache.cut(len(self._text))
        return [id for id, _ in self._drafted]

    def _next(self, tokens: Sequence[Placed], cache: StoredCache) -> int:
        """The most probable token behind these, which are read."""
        logits = self._draft.model.logits(self._read(tokens, cache))[: self._config.vocab_size].clone()
        logits[self._config.never_ids] = float("-inf")
        return int(logits.argmax())

    def _read(self, tokens: Sequence[Placed], cache: StoredCache) -> Tensor:
        """Reads tokens into the cache; the hidden state [D] of the last."""
        model = self._draft.model
        device = compute_device(model)
        ids = torch.tensor([[id for id, _ in tokens]], device=device)
        places = torch.from_numpy(np.stack([place for _, place in tokens], axis=1)[None]).to(device)
        return model(ids, places, AttentionMask.prefix([self._context]), cache)[0, -1]
