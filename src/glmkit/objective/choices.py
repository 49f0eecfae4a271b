"""log p of several fillings of one blank: the context is read once, every choice beside it, none sees another.

    tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
    segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3
    targets                              ran eop   fell down eop   slept eop

Each choice stands at the blank, at steps 1, 2, ... What is written there already (`forced_prefix`) is read once too:

    tokens     [CLS] [gMASK] | sop He | fell over | fell down
    segments     0      0    |  0   0 |  1     1  |  2    2          forced_prefix: He fell
    targets                              over eop    down eop

Where there are no blanks a choice stands behind the context, whose last token takes the place of sop; it ends with eod.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.core.forked import computing
from glmkit.core.types import AttentionMask, Batch, LanguageModel
from glmkit.infill.position_schemes import EncodedPrompt, PositionScheme, encode_prompt, start_span
from glmkit.nn.finite import check_finite
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class ScoringRequest:
    """A context (ids), and the answers to be scored: the ids the model would write after `forced_prefix`, their end
    included where it counts; in the blank at index `blank` of the context, or behind its end if that is None."""

    context: Sequence[int]
    blank: int | None
    answers: Sequence[Sequence[int]]
    forced_prefix: Sequence[int] = ()

    def __len__(self) -> int:
        """Tokens that the row takes: the last of what is begun goes before each answer, instead of its last id."""
        return len(self.context) - (self.blank is None) + len(self.forced_prefix) + sum(map(len, self.answers))


@torch.inference_mode()
def choice_logprobs(
    model: LanguageModel,
    position_scheme: PositionScheme,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> list[list[list[float]]]:
    """For each context (ids) and each of its choices (ids): log p of every token and of the end, in the last blank of
    the context or, of an architecture without blanks, behind it.

    All contexts and choices go through the model in one batch. Raises UserError for a context without a blank or a
    choice without a token, NotFinite where the model's scores are NaN or infinite.
    """
    requests = []
    for row, (ids, group) in enumerate(zip(contexts, choices, strict=True), start=1):
        blanks = _blank_positions(position_scheme, special, ids, row)
        for number, choice in enumerate(group, start=1):
            if not len(choice):
                raise UserError(f"choice {number} of context {row} is empty: a blank holds one token at least")
        blank, end = (blanks[-1], special.eop) if blanks else (None, special.eod)
        requests.append(ScoringRequest(context=ids, blank=blank, answers=[[*choice, end] for choice in group]))
    computing()
    batch = choice_batch(position_scheme, special, requests)
    hidden, targets, _ = targets_of(model, batch.to(next(model.parameters()).device))
    logprobs = iter((-check_finite(token_losses(model, hidden, targets), model)).tolist())
    return [[[next(logprobs) for _ in answer] for answer in request.answers] for request in requests]


def choice_batch(position_scheme: PositionScheme, special: SpecialIds, requests: Sequence[ScoringRequest]) -> Batch:
    """The arrays drawn above, one row each, padded on the right."""
    shape = (len(requests), max(map(len, requests)))
    tokens, targets = np.full(shape, special.pad), np.full(shape, special.pad)
    weights, segments = np.zeros(shape, np.float32), np.full(shape, -1)
    positions = np.zeros((shape[0], position_scheme.channels, shape[1]), np.int64)
    context = []
    for row, request in enumerate(requests):
        read = _read_once(position_scheme, special, request)
        context.append(read.context)
        at = len(read.tokens) - 1
        tokens[row, :at], positions[row, :, :at], segments[row, :at] = read.tokens[:-1], read.positions[:, :-1], 0
        for number, answer in enumerate(request.answers, start=1):
            span = slice(at, at + len(answer))
            tokens[row, span], targets[row, span] = [read.tokens[-1], *answer[:-1]], answer
            weights[row, span], segments[row, span] = 1, number
            place, at = read.positions[:, -1], span.stop
            for step in range(span.start, span.stop):
                positions[row, :, step] = place
                place = position_scheme.advance(place)
    mask = AttentionMask(
        context=torch.tensor(context),
        begin=torch.zeros(len(requests), dtype=torch.long),
        segments=torch.from_numpy(segments),
    )
    return Batch(
        tokens=torch.from_numpy(tokens),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        positions=torch.from_numpy(positions),
        mask=mask,
    )


def _blank_positions(
    position_scheme: PositionScheme, special: SpecialIds, ids: Sequence[int], number: int
) -> list[int]:
    """Where the blanks of a context are; none where choices stand behind it."""
    try:
        return encode_prompt(position_scheme, ids, special).blank_positions
    except UserError as error:
        raise UserError(f"context {number} {error}") from None


def _read_once(position_scheme: PositionScheme, special: SpecialIds, request: ScoringRequest) -> EncodedPrompt:
    """The context with what is begun in its blank or behind it; the last token is the one every answer follows."""
    ids = np.asarray(request.context, dtype=np.int64)
    read = (
        EncodedPrompt(ids, *position_scheme.read(ids), [])
        if request.blank is None
        else start_span(position_scheme, ids, request.blank, special.sop)
    )
    places = [read.positions[:, -1]]
    for _ in request.forced_prefix:
        places.append(position_scheme.advance(places[-1]))
    return EncodedPrompt(
        np.append(read.tokens, np.asarray(request.forced_prefix, dtype=np.int64)),
        np.column_stack([read.positions[:, :-1], *places]),
        read.context,
        read.blank_positions,
    )
