"""Understanding a text as a whole: one vector for it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from glmkit.api.arguments import checked
from glmkit.api.core import Core
from glmkit.core.errors import UserError
from glmkit.infill.layout import prompt_layout
from glmkit.infill.position_schemes import EncodedPrompt
from glmkit.objective.read_request import ReadRequest, sum_of


class Reads(Core):
    """The ability to read texts."""

    def embed(self, texts: Sequence[str], *, pooling: Literal["mean", "last"] = "mean") -> Tensor:
        """One vector a text [N, D] in float32: the mean of the hidden states of its tokens, or that of the last.

        Raises UserError naming a text that is too long, NotFinite for a model that computes NaN or infinity.
        """
        checked(texts=texts, pooling=pooling)
        if not texts:
            return torch.empty(0, self.config.hidden_size)
        return torch.cat(self._read_texts(texts, pooling)).float()

    def _read_texts(self, texts: Sequence[str], pooling: Literal["mean", "last"]) -> list[Tensor]:
        """The pooled hidden state [1, D] of each text."""
        read = [self._whole(text, f"texts[{place}]") for place, text in enumerate(texts)]
        pooled = self.reader([_POOLINGS[pooling](text) for text in read])
        if pooling == "last":
            return pooled
        dtype = next(self.module.parameters()).dtype
        means = (sums.sum(0, keepdim=True) / len(text.tokens) for text, sums in zip(read, pooled, strict=True))
        return [mean.to(dtype) for mean in means]

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


def _mean(text: EncodedPrompt) -> ReadRequest:
    """Asks for sums, whose sum is that of all its tokens."""
    return replace(_last(text), places=np.arange(len(text.tokens)), reduce=sum_of)


def _last(text: EncodedPrompt) -> ReadRequest:
    return ReadRequest(
        tokens=text.tokens,
        positions=text.positions,
        context=text.context,
        places=np.array([len(text.tokens) - 1]),
        hidden=True,
    )


_POOLINGS = {"mean": _mean, "last": _last}
