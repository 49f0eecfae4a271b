"""What a model is asked to predict: each objective turns a chunk of text and random numbers into a Layout.

| objective | blanks | mark |
|---|---|---|
| TokenBlanks | Poisson(3) spans over 15 % of the tokens | [MASK] |
| SingleBlank | one Poisson(3) span | [MASK] |
| SentenceBlanks | whole sentences, 15 % of the tokens | [sMASK] |
| DocumentBlank | one suffix, or one inner span, of 50 to 100 % of the tokens | [gMASK] |
| MaskedLM | baseline: 15 % of single tokens, in place (BERT) | [MASK] |
| LeftToRight | baseline: nothing blanked, next token (GPT) | |

All keep the same rules: the first token ([CLS]) and a prompt are never blanked, nor is the last token (the document's
end, or where the text was cut), but by a suffix, which runs to the end, and by a sentence that the cut ended; any text
with another token gives an example.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glmkit.core.types import IntArray
from glmkit.infill.layout import Blanked, Layout, blank_layouts, blanked, causal_layout, masked_layout, suffix_layout
from glmkit.infill.spans import choose_sentences, draw_lengths, length_cdf, place, sentence_spans
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk of a document: what its family puts first ([CLS]), tokens, and the document's end if it is `complete`.

    Tokens before index `first` (at least 1: what stands first, then perhaps a prompt) are never predicted.
    """

    tokens: IntArray
    first: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What objectives need to know of a tokenizer."""

    special: SpecialIds
    size: int
    sentence_ends: np.ndarray  # bool [size]


class Objective(Protocol):
    """Draws what to predict in a chunk that has at least one token that may be blanked.

    Blanks are returned as they are drawn, to be written out together by `write_out`.
    """

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked | Layout: ...


def write_out(drawn: Sequence[Blanked | Layout], special: SpecialIds) -> list[Layout]:
    """The layouts of what objectives drew, in the same order."""
    blanks = [draw for draw in drawn if isinstance(draw, Blanked)]
    written = iter(blank_layouts(blanks, special.eop) if blanks else [])
    return [next(written) if isinstance(draw, Blanked) else draw for draw in drawn]


LONGEST = 39  # tokens of a short blank, as in the original


@dataclass(frozen=True, kw_only=True)
class TokenBlanks:
    """Short spans all over the text (paper 2.1); `shuffle=False` writes them back from left to right (ablation)."""

    ratio: float = 0.15
    mean_length: float = 3.0
    longest: int = LONGEST
    shuffle: bool = True

    def spans(self, chunk: Chunk, rng: np.random.Generator) -> IntArray:
        end = len(chunk.tokens) - 1
        wanted = int(self.ratio * (len(chunk.tokens) - chunk.first + 1))
        lengths = draw_lengths(rng, length_cdf(self.mean_length, self.longest), wanted, end - chunk.first)
        return place(rng, lengths, chunk.first, end)

    def order(self, count: int, rng: np.random.Generator) -> IntArray:
        return rng.permutation(count) if self.shuffle else np.arange(count)

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked:
        spans = self.spans(chunk, rng)
        return blanked(chunk.tokens, spans, self.order(len(spans), rng), vocabulary.special, vocabulary.special.mask)


@dataclass(frozen=True, kw_only=True)
class SentinelBlanks(TokenBlanks):
    """Ablation: every blank has a mark of its own (T5's way), which tells the model what to write next."""

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked:
        spans = self.spans(chunk, rng)
        masks, starts = vocabulary.special.sentinels(len(spans))
        return Blanked(chunk.tokens, spans, self.order(len(spans), rng), np.array(masks), np.array(starts))


@dataclass(frozen=True, kw_only=True)
class SingleBlank(TokenBlanks):
    """Exactly one span of Poisson length."""

    def spans(self, chunk: Chunk, rng: np.random.Generator) -> IntArray:
        end = len(chunk.tokens) - 1
        lengths = draw_lengths(rng, length_cdf(self.mean_length, self.longest), 1, end - chunk.first)
        return place(rng, lengths, chunk.first, end)


@dataclass(frozen=True, kw_only=True)
class SentenceBlanks:
    """Whole sentences (paper 2.1, multi-task). Text without a sentence of its own is blanked as one."""

    ratio: float = 0.15

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked:
        end = len(chunk.tokens) - chunk.complete  # a sentence may end where the text was cut
        sentences = sentence_spans(vocabulary.sentence_ends[chunk.tokens], chunk.first, end, chunk.complete)
        if not len(sentences):
            sentences = np.array([[chunk.first, end]])
        spans = choose_sentences(rng, sentences, int(self.ratio * (len(chunk.tokens) - chunk.first + 1)))
        return blanked(chunk.tokens, spans, rng.permutation(len(spans)), vocabulary.special, vocabulary.special.smask)


@dataclass(frozen=True, kw_only=True)
class DocumentBlank:
    """A long blank (paper 2.1, multi-task): the end of the text, or with probability `inner` a span inside it."""

    shortest: float = 0.5
    inner: float = 0.5

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked | Layout:
        size, room = len(chunk.tokens), len(chunk.tokens) - 1 - chunk.first
        length = int(rng.integers(int(self.shortest * size), max(int(self.shortest * size), size - 2), endpoint=True))
        length = min(max(length, 1), room)
        if rng.random() >= self.inner:
            return suffix_layout(chunk.tokens, size - length, vocabulary.special, chunk.first)
        spans = place(rng, np.array([length]), chunk.first, size - 1)
        return blanked(chunk.tokens, spans, np.array([0]), vocabulary.special, vocabulary.special.gmask)


@dataclass(frozen=True, kw_only=True)
class MaskedLM:
    """Baseline: single tokens predicted in place; of them 80 % are masked, 10 % replaced, 10 % kept (BERT)."""

    ratio: float = 0.15

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Layout:
        room = len(chunk.tokens) - 1 - chunk.first
        count = max(1, min(room, int(self.ratio * (len(chunk.tokens) - chunk.first + 1))))
        places = np.sort(chunk.first + rng.permutation(room)[:count])
        corrupted = chunk.tokens.copy()
        fate = rng.random(count)
        corrupted[places[fate < 0.8]] = vocabulary.special.mask
        replaced = places[fate >= 0.9]
        corrupted[replaced] = rng.integers(0, vocabulary.size, len(replaced))
        return masked_layout(chunk.tokens, corrupted, places)


@dataclass(frozen=True, kw_only=True)
class LeftToRight:
    """Baseline: the next token, from the left alone."""

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Layout:
        return causal_layout(chunk.tokens, chunk.first)


@dataclass(frozen=True)
class Mixture:
    """One of several objectives for each example, drawn with their shares (they need not sum to 1)."""

    parts: tuple[tuple[float, Objective], ...]

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked | Layout:
        shares = np.cumsum([share for share, _ in self.parts])
        chosen = int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))
        return self.parts[chosen][1](chunk, vocabulary, rng)
