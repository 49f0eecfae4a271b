"""The serialized order of a blanked text: corrupted text first, then each span as `sop span` -> `span eop`.

    text      The | cat | sat | on | the | mat           spans [1,3) and [4,5), order (1, 0)

    tokens              The [M] on [M] mat | sop the | sop cat sat
    targets                                | the eop | cat sat eop
    weights              0   0   0  0   0  |  1   1  |  1   1   1
    position_ids         0   1   2  3   4  |  3   3  |  1   1   1      the token's place in the corrupted text
    block_position_ids   0   0   0  0   0  |  1   2  |  1   2   3      0 there, then 1, 2, ... inside a span
    context = 5

Nothing on the left tells how long a blank is: every span takes its positions from one place and counts from 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmkit.core.types import FloatArray, IntArray
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One serialized document before an architecture gives it positions; arrays of length T."""

    tokens: IntArray
    targets: IntArray
    weights: FloatArray
    position_ids: IntArray
    block_position_ids: IntArray
    context: int


@dataclass(frozen=True)
class Blanked:
    """A text and what is blanked in it, before it is written out.

    `order` is a permutation of 0 .. K-1, the order in which the spans are written back; `masks` and `starts` are
    the mask and the start token of the first, second, ... span written back.
    """

    tokens: IntArray  # [N]
    spans: IntArray  # [K, 2], in text order, [start, end)
    order: IntArray  # [K]
    masks: IntArray  # [K]
    starts: IntArray  # [K]


def blanked(tokens: IntArray, spans: IntArray, order: IntArray, special: SpecialIds, mask: int) -> Blanked:
    """Every span with the same `mask` and the same start token, as GLM is trained."""
    return Blanked(tokens, spans, order, np.full(len(spans), mask), np.full(len(spans), special.sop))


def blank_layouts(texts: Sequence[Blanked], eop: int) -> list[Layout]:
    """The layouts of blanked texts. Targets in the corrupted text repeat its tokens and weigh nothing.

    All texts are worked on as one long one, since each numpy call costs more than the few tokens it moves.
    """
    sizes, counts = np.array([len(t.tokens) for t in texts]), np.array([len(t.spans) for t in texts])
    spans = np.concatenate([t.spans for t in texts]) + _starts(sizes).repeat(counts)[:, None]
    order = np.concatenate([t.order for t in texts]) + _starts(counts).repeat(counts)
    tokens = np.concatenate([t.tokens for t in texts])
    begins, lengths = spans[:, 0], spans[:, 1] - spans[:, 0]

    # Part A: the first token of a span becomes its mask, the others disappear.
    lost = lengths - 1
    lost_before = _starts(lost)
    gone = np.zeros(len(tokens), dtype=np.bool_)
    gone[np.arange(lost.sum()) + (begins + 1 - lost_before).repeat(lost)] = True
    corrupted = tokens.copy()
    corrupted[begins[order]] = np.concatenate([t.masks for t in texts])
    corrupted = corrupted[~gone]
    owner = np.arange(len(texts)).repeat(counts)  # the text each span belongs to
    contexts = sizes - np.bincount(owner, weights=lost, minlength=len(texts)).astype(np.int64)
    places = begins - lost_before - _starts(contexts)[owner]

    # Part B: one piece a span, one token longer than it, in the order given.
    begins, pieces = begins[order], lengths[order] + 1
    ends = pieces.cumsum()
    firsts = ends - pieces
    step = np.arange(1, ends[-1] + 1) - firsts.repeat(pieces)
    read = tokens[step + (begins - 2).repeat(pieces)]
    read[firsts] = np.concatenate([t.starts for t in texts])
    predict = np.empty_like(read)
    predict[:-1] = read[1:]
    predict[ends - 1] = eop

    # Part A and Part B of each text side by side.
    generated = np.bincount(owner, weights=lengths + 1, minlength=len(texts)).astype(np.int64)
    totals = contexts + generated
    into_a = np.arange(len(corrupted)) + (_starts(totals) - _starts(contexts)).repeat(contexts)
    into_b = np.arange(len(read)) + (_starts(totals) + contexts - _starts(generated)).repeat(generated)
    out_tokens, out_targets, position_ids, block_position_ids = np.zeros(
        (4, len(corrupted) + len(read)), dtype=np.int64
    )
    weights = np.zeros(len(out_tokens), dtype=np.float32)
    out_tokens[into_a] = out_targets[into_a] = corrupted
    position_ids[into_a] = np.arange(len(corrupted)) - _starts(contexts).repeat(contexts)
    out_tokens[into_b], out_targets[into_b], position_ids[into_b] = read, predict, places[order].repeat(pieces)
    block_position_ids[into_b], weights[into_b] = step, 1
    cuts = [slice(end - size, end) for size, end in zip(totals.tolist(), totals.cumsum().tolist(), strict=True)]
    return [
        Layout(
            tokens=out_tokens[cut],
            targets=out_targets[cut],
            weights=weights[cut],
            position_ids=position_ids[cut],
            block_position_ids=block_position_ids[cut],
            context=context,
        )
        for cut, context in zip(cuts, contexts.tolist(), strict=True)
    ]


def _starts(sizes: IntArray) -> IntArray:
    """Where each of several parts begins when they stand one after the other."""
    return sizes.cumsum() - sizes


def suffix_layout(tokens: IntArray, division: int, special: SpecialIds, first: int = 0) -> Layout:
    """Everything from `division` on is generated after [gMASK]. It runs to the end of the text it was cut from, so
    it has no eop: a complete document ends with its own end token, a cut one goes on. Tokens before index `first`
    (a prompt) are not scored.

        tokens    a b [gMASK] | sop c d       targets   c d eod       (text a b c d eod, division 2)
    """
    size = len(tokens)
    index = np.arange(
        size + 2
    )  # the corrupted text has division + 1 tokens, the suffix and its start size - division + 1
    text = np.concatenate([tokens[:division], [special.gmask, special.sop], tokens[division:]])
    block_position_ids = np.maximum(index - division, 0)[:-1]
    return Layout(
        tokens=text[:-1],
        targets=np.concatenate([text[: division + 1], tokens[division:]]),
        weights=((block_position_ids > 0) & (index[:-1] - 1 >= first)).astype(np.float32),
        position_ids=np.minimum(index[:-1], division),
        block_position_ids=block_position_ids,
        context=division + 1,
    )


def masked_layout(tokens: IntArray, corrupted: IntArray, places: IntArray) -> Layout:
    """Masked language modelling: `corrupted` is read both ways and `tokens` are predicted at `places`, in place."""
    weights = np.zeros(len(tokens), dtype=np.float32)
    weights[places] = 1
    size = len(tokens)
    return Layout(
        tokens=corrupted,
        targets=tokens,
        weights=weights,
        position_ids=np.arange(size),
        block_position_ids=np.zeros(size, np.int64),
        context=size,
    )


def causal_layout(tokens: IntArray, first: int) -> Layout:
    """Left-to-right modelling: every token from index `first` on is predicted from those before it; no context."""
    size = len(tokens) - 1
    weights = (np.arange(1, size + 1) >= first).astype(np.float32)
    return Layout(
        tokens=tokens[:-1],
        targets=tokens[1:],
        weights=weights,
        position_ids=np.arange(size),
        block_position_ids=np.zeros(size, np.int64),
        context=0,
    )


def prompt_layout(tokens: IntArray) -> Layout:
    """A corrupted text whose blanks are still to be written: context and nothing else."""
    size = len(tokens)
    zeros = np.zeros(size, dtype=np.int64)
    return Layout(
        tokens=tokens,
        targets=tokens,
        weights=np.zeros(size, dtype=np.float32),
        position_ids=np.arange(size),
        block_position_ids=zeros,
        context=size,
    )


def answer_layout(context: IntArray, blank: int, answer: Sequence[int], sop: int) -> Layout:
    """What to write into one blank of a corrupted text, at index `blank`; `answer` ends where writing ends (eop).

    tokens    [CLS] It [MASK] . | sop ran          answer  ran eop, blank 2
    targets   [CLS] It [MASK] . | ran eop
    """
    size, count = len(context), len(answer)
    return Layout(
        tokens=np.concatenate([context, [sop], np.asarray(answer[:-1], dtype=np.int64)]),
        targets=np.concatenate([context, np.asarray(answer, dtype=np.int64)]),
        weights=np.repeat(np.array([0, 1], dtype=np.float32), [size, count]),
        position_ids=np.concatenate([np.arange(size), np.full(count, blank)]),
        block_position_ids=np.concatenate([np.zeros(size, dtype=np.int64), np.arange(1, count + 1)]),
        context=size,
    )
