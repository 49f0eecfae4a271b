"""log p of several fillings of one blank: the context is read once, every choice beside it, none sees another.

    tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
    segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3
    targets                              ran eop   fell down eop   slept eop

Each choice stands at the blank, at steps 1, 2, ... What is written there already (`stem`) is read once too:

    tokens     [CLS] [gMASK] | sop He | fell over | fell down
    segments     0      0    |  0   0 |  1     1  |  2    2          stem: He fell
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
from glmkit.infill.geometry import Geometry, Opened, begun, opened
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A context (ids), and the answers asked about: the ids the model would write after `stem`, their end included
    where it counts; in the blank at index `blank` of the context, or behind its end if that is None."""

    context: Sequence[int]
    blank: int | None
    answers: Sequence[Sequence[int]]
    stem: Sequence[int] = ()

    def __len__(self) -> int:
        """Tokens that the row takes: the last of what is begun goes before each answer, instead of its last id."""
        return len(self.context) - (self.blank is None) + len(self.stem) + sum(map(len, self.answers))


@torch.inference_mode()
def choice_logprobs(
    model: LanguageModel,
    geometry: Geometry,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> list[list[list[float]]]:
    """For each context (ids) and each of its choices (ids): log p of every token and of the end, in the last blank of
    the context or, of an architecture without blanks, behind it.

    All contexts and choices go through the model in one batch. Raises UserError for a context without a blank or a
    choice without a token.
    """
    asked = []
    for row, (ids, group) in enumerate(zip(contexts, choices, strict=True), start=1):
        anchors = _anchors(geometry, special, ids, row)
        for number, choice in enumerate(group, start=1):
            if not len(choice):
                raise UserError(f"choice {number} of context {row} is empty: a blank holds one token at least")
        blank, end = (anchors[-1], special.eop) if anchors else (None, special.eod)
        asked.append(Asked(context=ids, blank=blank, answers=[[*choice, end] for choice in group]))
    computing()
    batch = choice_batch(geometry, special, asked)
    hidden, targets, _ = targets_of(model, batch.to(next(model.parameters()).device))
    logprobs = iter((-token_losses(model, hidden, targets)).tolist())
    return [[[next(logprobs) for _ in answer] for answer in each.answers] for each in asked]


def choice_batch(geometry: Geometry, special: SpecialIds, asked: Sequence[Asked]) -> Batch:
    """The arrays drawn above, one row each, padded on the right."""
    shape = (len(asked), max(map(len, asked)))
    tokens, targets = np.full(shape, special.pad), np.full(shape, special.pad)
    weights, segments = np.zeros(shape, np.float32), np.full(shape, -1)
    positions = np.zeros((shape[0], geometry.channels, shape[1]), np.int64)
    context = []
    for row, each in enumerate(asked):
        read = _read_once(geometry, special, each)
        context.append(read.context)
        at = len(read.tokens) - 1
        tokens[row, :at], positions[row, :, :at], segments[row, :at] = read.tokens[:-1], read.positions[:, :-1], 0
        for number, answer in enumerate(each.answers, start=1):
            here = slice(at, at + len(answer))
            tokens[row, here], targets[row, here] = [read.tokens[-1], *answer[:-1]], answer
            weights[row, here], segments[row, here] = 1, number
            place, at = read.positions[:, -1], here.stop
            for step in range(here.start, here.stop):
                positions[row, :, step] = place
                place = geometry.advance(place)
    mask = AttentionMask(
        context=torch.tensor(context),
        begin=torch.zeros(len(asked), dtype=torch.long),
        segments=torch.from_numpy(segments),
    )
    return Batch(
        tokens=torch.from_numpy(tokens),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        positions=torch.from_numpy(positions),
        mask=mask,
    )


def _anchors(geometry: Geometry, special: SpecialIds, ids: Sequence[int], number: int) -> list[int]:
    """Where the blanks of a context are; none where choices stand behind it."""
    try:
        return opened(geometry, ids, special).anchors
    except UserError as error:
        raise UserError(f"context {number} {error}") from None


def _read_once(geometry: Geometry, special: SpecialIds, each: Asked) -> Opened:
    """The context with what is begun in its blank or behind it; the last token is the one every answer follows."""
    ids = np.asarray(each.context, dtype=np.int64)
    read = Opened(ids, *geometry.read(ids), []) if each.blank is None else begun(geometry, ids, each.blank, special.sop)
    places = [read.positions[:, -1]]
    for _ in each.stem:
        places.append(geometry.advance(places[-1]))
    return Opened(
        np.append(read.tokens, np.asarray(each.stem, dtype=np.int64)),
        np.column_stack([read.positions[:, :-1], *places]),
        read.context,
        read.anchors,
    )
