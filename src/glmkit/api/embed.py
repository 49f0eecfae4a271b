"""Understanding a text as a whole: one vector for it."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from glmkit.api.arguments import checked
from glmkit.api.core import Core
from glmkit.core.errors import UserError
from glmkit.core.forked import computing
from glmkit.generate.session import left_padded
from glmkit.infill.layout import prompt_layout
from glmkit.infill.position_schemes import EncodedPrompt
from glmkit.nn.finite import check_finite
from glmkit.nn.pooling import last, mean

_TOGETHER = 16  # texts


class Reads(Core):
    """The ability to read texts."""

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], *, pooling: Literal["mean", "last"] = "mean") -> Tensor:
        """One vector a text [N, D] in float32: the mean of the hidden states of its tokens, or that of the last.

        Raises UserError naming a text that is too long, NotFinite for a model that computes NaN or infinity.
        """
        checked(texts=texts, pooling=pooling)
        pooled = [_POOLINGS[pooling](hidden, real) for hidden, real in self._hidden(texts)]
        if not pooled:
            return torch.empty(0, self.config.hidden_size)
        return check_finite(torch.cat(pooled).float(), self.module)

    @torch.inference_mode()
    def _hidden(self, texts: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
        """Hidden states [B, T, D] of a few texts at a time, and which of them are no padding [B, T]."""
        computing()
        device = next(self.module.parameters()).device
        read = [self._whole(text, f"texts[{place}]") for place, text in enumerate(texts)]
        for first in range(0, len(read), _TOGETHER):
            tokens, places, mask = left_padded(read[first : first + _TOGETHER], self.tokenizer.special.pad)
            hidden = self.module(torch.from_numpy(tokens).to(device), torch.from_numpy(places).to(device), mask)
            real = torch.arange(tokens.shape[1]) >= mask.begin[:, None]
            yield hidden, real.to(device)

    def _whole(self, text: str, name: str) -> EncodedPrompt:
        """A text as it stands in training: of a GLM [CLS] text <eod>, read both ways."""
        tokenizer, limit = self.tokenizer, self.config.max_positions
        ids = np.array(self.prompt_format.document(tokenizer.encode(text)))
        if len(ids) > limit:
            raise UserError(f"{name} has {len(ids)} tokens, the model reads at most {limit}; shorten it")
        if ids[-1] == tokenizer.special.sop:  # what ChatGLM-6B reads both ways ends before it
            return EncodedPrompt(ids, *self.position_scheme.read(ids), [])
        layout = prompt_layout(ids)
        return EncodedPrompt(ids, self.position_scheme.positions(layout), self.position_scheme.context(layout), [])


_POOLINGS = {"mean": mean, "last": last}
