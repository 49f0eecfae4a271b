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
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask, Batch
from glmkit.infill.position_schemes import EncodedPrompt, PositionScheme, encode_prompt, start_span
from glmkit.objective.read_request import Reader, ReadRequest, TargetScores
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


def choice_logprobs(
    read: Reader,
    position_scheme: PositionScheme,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> list[list[list[float]]]:
    """For each context (ids) and each of its choices (ids): log p of every token and of the end, in the last blank of
    the context or, of an architecture without blanks, behind it.

    Raises UserError for a context without a blank or a choice without a token, NotFinite where the model's scores are
    NaN or infinite.
    """
    requests = []
    for row, (ids, group) in enumerate(zip(contexts, choices, strict=True), start=1):
        blanks = _blank_positions(position_scheme, special, ids, row)
        for number, choice in enumerate(group, start=1):
            if not len(choice):
                raise UserError(f"choice {number} of context {row} is empty: a blank holds one token at least")
        blank, end = (blanks[-1], special.eop) if blanks else (None, special.eod)
        requests.append(ScoringRequest(context=ids, blank=blank, answers=[[*choice, end] for choice in group]))
    results = read([of_choices(position_scheme, special, request) for request in requests])
    return [
        [part.tolist() for part in Tensor.split(result[:, 0], list(map(len, request.answers)))]
        for request, result in zip(requests, results, strict=True)
    ]


def of_choices(position_scheme: PositionScheme, special: SpecialIds, request: ScoringRequest) -> ReadRequest:
    """The row drawn above, and log p of each token of each answer asked for, as `TargetScores`."""
    read = _read_once(position_scheme, special, request)
    at = len(read.tokens) - 1
    tokens, segments = [*read.tokens[:-1].tolist()], [0] * at
    places = [read.positions[:, :-1]]
    targets: list[int] = []
    for number, answer in enumerate(request.answers, start=1):
        tokens += [read.tokens[-1], *answer[:-1]][: len(answer)]
        segments += [number] * len(answer)
        targets += answer
        place = read.positions[:, -1]
        for _ in answer:
            places.append(place[:, None])
            place = position_scheme.advance(place)
    return ReadRequest(
        tokens=np.array(tokens, dtype=np.int64),
        positions=np.concatenate(places, axis=1),
        context=read.context,
        segments=np.array(segments, dtype=np.int64),
        places=np.arange(at, len(tokens)),
        reduce=TargetScores(np.array(targets, dtype=np.int64)),
    )


def choice_batch(position_scheme: PositionScheme, special: SpecialIds, requests: Sequence[ScoringRequest]) -> Batch:
    """The arrays drawn above, one row each, padded on the right."""
    shape = (len(requests), max(map(len, requests)))
    tokens, targets = np.full(shape, special.pad), np.full(shape, special.pad)
    weights, segments = np.zeros(shape, np.float32), np.full(shape, -1)
    positions = np.zeros((shape[0], position_scheme.channels, shape[1]), np.int64)
    context = []
    for row, request in enumerate(requests):
        read = of_choices(position_scheme, special, request)
        length = len(read.tokens)
        context.append(read.context)
        tokens[row, :length], positions[row, :, :length], segments[row, :length] = (
            read.tokens,
            read.positions,
            read.segments,
        )
        targets[row, read.places] = [id for answer in request.answers for id in answer]
        weights[row, read.places] = 1
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
