"""Which tokens to blank: span lengths and places (paper section 2.1; the original's statistics are the oracle).

Spans are int64 [K, 2], rows [start, end) in text order, with at least one kept token between neighbours.
"""

from functools import lru_cache

import numpy as np

from glmkit.core.types import IntArray


@lru_cache
def length_cdf(mean: float, longest: int) -> np.ndarray:
    """Cumulative probabilities of a Poisson(`mean`) length restricted to 1 .. `longest`: float64 [longest]."""
    lengths = np.arange(1, longest + 1)
    log_factorials = np.cumsum(np.log(lengths))
    probabilities = np.exp(lengths * np.log(mean) - mean - log_factorials)
    cdf = np.cumsum(probabilities / probabilities.sum())
    cdf[-1] = 1.0  # against rounding: every uniform number below 1 has a length
    return cdf


def draw_lengths(rng: np.random.Generator, cdf: np.ndarray, wanted: int, room: int) -> IntArray:
    """Lengths drawn until they sum to `wanted` or more, in random order; int64 [K], K >= 1.

    If they cannot stand in `room` tokens with one token between neighbours, the last are left out, and a single
    span longer than the room is shortened to it: no text is ever given up because its spans do not fit.
    """
    lengths = cdf.searchsorted(rng.random(wanted // 2 + 8)) + 1
    while (sums := lengths.cumsum())[-1] < wanted:
        lengths = np.concatenate([lengths, cdf.searchsorted(rng.random(wanted)) + 1])
    count = int(sums.searchsorted(wanted)) + 1  # the first that reaches `wanted` is the last
    while count > 1 and sums[count - 1] + count - 1 > room:
        count -= 1
    return np.minimum(lengths[rng.permutation(count)], room)


def place(rng: np.random.Generator, lengths: IntArray, begin: int, end: int) -> IntArray:
    """Places the lengths, in order, inside tokens begin .. end-1: starts are sorted independent uniforms, gaps >= 1.

    With slack s = tokens left over, draw K offsets from 0 .. s, sort, and put one kept token between neighbours:

        begin |--offset0--|span0|-|--offset1-offset0--|span1|-|-- ... --| end
    """
    count = len(lengths)
    ends = lengths.cumsum()
    slack = (end - begin) - int(ends[-1]) - (count - 1)
    offsets = (rng.random(count) * (slack + 1)).astype(np.int64)
    offsets.sort()
    spans = np.empty((count, 2), dtype=np.int64)
    spans[:, 1] = begin + offsets + np.arange(count) + ends
    spans[:, 0] = spans[:, 1] - lengths
    return spans


def sentence_spans(ends: np.ndarray, begin: int, end: int, complete: bool) -> IntArray:
    """The sentences of tokens begin .. end-1: maximal runs whose last token ends a sentence; int64 [S, 2].

    `ends` marks the tokens that end a sentence. What follows the last one is no sentence when the document is
    `complete` (a trailing fragment), and is one when the text was cut there.
    """
    stops = begin + np.flatnonzero(ends[begin:end]) + 1
    if not complete and (not len(stops) or stops[-1] < end):
        stops = np.append(stops, end)
    starts = np.concatenate([[begin], stops[:-1]])[: len(stops)]
    return np.stack([starts, stops], axis=1).astype(np.int64)


def choose_sentences(rng: np.random.Generator, sentences: IntArray, wanted: int) -> IntArray:
    """Sentences in random order until they hold `wanted` tokens or more, returned in text order."""
    shuffled = sentences[rng.permutation(len(sentences))]
    sums = np.cumsum(shuffled[:, 1] - shuffled[:, 0])
    chosen = shuffled[: int(np.searchsorted(sums, wanted)) + 1]
    return chosen[np.argsort(chosen[:, 0])]
