"""Continuous prompts (P-tuning, Liu et al. 2021): learned vectors in place of words the vocabulary has.

ids        [CLS] p p it rains p [MASK] .        p: ids from the size of the word table on, in order
vectors    word  0 1 word ...  2  word           a vector of the encoder where p stands
"""

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["lstm", "mlp", "none"]


class PromptEncoder(nn.Module):
    """`count` vectors [count, D]: free ones ("none"), or free ones made to depend on each other by an MLP or a
    two-layer bidirectional LSTM with an MLP behind it (the original's PromptSpell)."""

    def __init__(self, count: int, size: int, kind: Kind = "lstm") -> None:
        super().__init__()
        self.kind = kind
        self.vectors = nn.Embedding(count, size)
        if kind == "lstm":
            self.lstm = nn.LSTM(size, size, num_layers=2, bidirectional=True, batch_first=True)
        if kind != "none":
            width = 2 * size if kind == "lstm" else size
            self.mlp = nn.Sequential(nn.Linear(width, size), nn.ReLU(), nn.Linear(size, size))

    @torch.no_grad()
    def initialize(self, words: Tensor, generator: torch.Generator) -> None:
        """Starts from random ones of the first 5000 words (the original's way), the layers at their own defaults."""
        chosen = torch.randint(0, min(5000, len(words)), (len(self.vectors.weight),), generator=generator)
        self.vectors.weight.copy_(words[chosen.to(words.device)])

    def forward(self) -> Tensor:
        x = self.vectors.weight
        if self.kind == "lstm":
            x = self.lstm(x[None])[0][0]
        return x if self.kind == "none" else self.mlp(x)


class PromptedWords(nn.Module):
    """A word table whose ids go on where the words end: those are prompts. The words themselves stay the table."""

    def __init__(self, words: nn.Embedding, prompt: PromptEncoder) -> None:
        super().__init__()
        self.words, self.prompt = words, prompt

    @property
    def weight(self) -> Tensor:
        return self.words.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors [..., D] of `tokens` [...]."""
        rows = self.words.num_embeddings
        vectors = self.prompt().to(self.words.weight.dtype)[(tokens - rows).clamp(min=0)]
        return torch.where((tokens >= rows)[..., None], vectors, self.words(tokens.clamp(max=rows - 1)))
