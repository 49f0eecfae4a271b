"""log p of several fillings of one blank: the context is read once, every choice beside it, none sees another.

    tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
    segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3
    targets                              ran eop   fell down eop   slept eop

Each choice stands at the blank, at steps 1, 2, ... What is written there already (`stem`) is read once too:

    tokens     [CLS] [gMASK] | sop He | fell over | fell down
    segments     0      0    |  0   0 |  1     1  |  2    2          stem: He fell
    targets                              over eop    down eop

Where there is no blank the answers stand behind the context, whose last token takes the place of sop.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask, Batch, LanguageModel
from glmkit.infill.geometry import Geometry, Opened, opened
from glmkit.infill.layout import prompt_layout
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A context (ids) with a blank at index `blank` (None: what is asked about goes on from its end), and the answers
    asked about: the ids the model would write after `stem`, their end included where it counts."""

    context: Sequence[int]
    blank: int | None
    answers: Sequence[Sequence[int]]
    stem: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.context) + len(self.stem) + sum(map(len, self.answers))


@torch.inference_mode()
def choice_logprobs(
    model: LanguageModel,
    geometry: Geometry,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> list[list[list[float]]]:
    """For each context (ids) and each of its choices (ids): log p of every token and of the end, in the last blank of
    the context; where nothing is blank, behind it.

    All contexts and choices go through the model in one batch. Raises UserError for a context without a blank or a
    choice without a token.
    """
    asked = []
    for row, (ids, group) in enumerate(zip(contexts, choices, strict=True), start=1):
        anchors = _open(geometry, special, ids, row).anchors
        if not all(len(choice) for choice in group):
            raise UserError(f"a choice of context {row} is empty: a blank holds one token at least")
        blank, end = (anchors[-1], special.eop) if anchors else (None, special.eod)
        asked.append(Asked(context=ids, blank=blank, answers=[[*choice, end] for choice in group]))
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
        one = _begun(geometry, special, each)
        at = len(one.tokens) - 1
        positions[row, :, :at] = one.positions[:, :-1]
        context.append(one.context)
        *stem, last = int(one.tokens[-1]), *each.stem
        place = one.positions[:, -1]
        tokens[row, :at], segments[row, : at + len(stem)] = one.tokens[:-1], 0
        tokens[row, at : at + len(stem)] = stem
        for _ in stem:
            positions[row, :, at] = place
            place, at = geometry.advance(place), at + 1
        for number, answer in enumerate(each.answers, start=1):
            here = slice(at, at + len(answer))
            tokens[row, here], targets[row, here] = [last, *answer[:-1]], answer
            weights[row, here], segments[row, here] = 1, number
            step = place
            for _ in answer:
                positions[row, :, at] = step
                step, at = geometry.advance(step), at + 1
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


def _begun(geometry: Geometry, special: SpecialIds, asked: Asked) -> Opened:
    """The context and, last, the token after which the answers are written."""
    if asked.blank is None:
        return opened(geometry, asked.context, special)
    layout = prompt_layout(np.asarray(asked.context, dtype=np.int64))
    start = geometry.start(asked.blank, len(asked.context))
    return Opened(
        np.append(layout.tokens, special.sop),
        np.column_stack([geometry.positions(layout), start]),
        geometry.context(layout),
        [asked.blank],
    )


def _open(geometry: Geometry, special: SpecialIds, ids: Sequence[int], number: int) -> Opened:
    try:
        return opened(geometry, ids, special, blank=-1)
    except UserError as error:
        raise UserError(f"context {number} {error}") from None
