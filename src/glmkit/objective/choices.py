"""log p of several fillings of one blank: the context is read once, every choice beside it, none sees another.

    tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
    segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3
    targets                              ran eop   fell down eop   slept eop

Each choice stands at the last blank of the context, at steps 1, 2, ... Where there are no blanks it stands behind the
context, whose last token takes the place of sop, and ends with eod.
"""

from collections.abc import Sequence

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask, Batch, LanguageModel
from glmkit.infill.geometry import Geometry, Opened, opened
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.special import SpecialIds


@torch.inference_mode()
def choice_logprobs(
    model: LanguageModel,
    geometry: Geometry,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> list[list[list[float]]]:
    """For each context and each of its choices (ids): log p of every token and of the end.

    All contexts and choices go through the model in one batch. Raises UserError for a context without a blank or a
    choice without a token.
    """
    batch = choice_batch(geometry, special, contexts, choices)
    hidden, targets, _ = targets_of(model, batch.to(next(model.parameters()).device))
    logprobs = iter((-token_losses(model, hidden, targets)).tolist())
    return [[[next(logprobs) for _ in range(len(choice) + 1)] for choice in group] for group in choices]


def choice_batch(
    geometry: Geometry,
    special: SpecialIds,
    contexts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Sequence[int]]],
) -> Batch:
    """The arrays drawn above, one row a context, padded on the right."""
    read = [_open(geometry, special, ids, number) for number, ids in enumerate(contexts, start=1)]
    sizes = [len(c.tokens) - 1 + sum(len(ids) + 1 for ids in group) for c, group in zip(read, choices, strict=True)]
    shape = (len(contexts), max(sizes))
    tokens, targets = np.full(shape, special.pad), np.full(shape, special.pad)
    weights, segments = np.zeros(shape, np.float32), np.full(shape, -1)
    positions = np.zeros((shape[0], geometry.channels, shape[1]), np.int64)
    for row, (one, group) in enumerate(zip(read, choices, strict=True)):
        at = len(one.tokens) - 1
        tokens[row, :at], segments[row, :at] = one.tokens[:-1], 0
        positions[row, :, :at] = one.positions[:, :-1]
        end = special.eop if one.anchors else special.eod
        for number, choice in enumerate(group, start=1):
            if not len(choice):
                raise UserError(f"choice {number} of context {row + 1} is empty: a blank holds one token at least")
            here = slice(at, at + len(choice) + 1)
            tokens[row, here], targets[row, here] = [one.tokens[-1], *choice], [*choice, end]
            weights[row, here], segments[row, here] = 1, number
            place = one.positions[:, -1]
            for step in range(here.start, here.stop):
                positions[row, :, step] = place
                place = geometry.advance(place)
            at = here.stop
    mask = AttentionMask(
        context=torch.tensor([one.context for one in read]),
        begin=torch.zeros(len(contexts), dtype=torch.long),
        segments=torch.from_numpy(segments),
    )
    return Batch(
        tokens=torch.from_numpy(tokens),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        positions=torch.from_numpy(positions),
        mask=mask,
    )


def _open(geometry: Geometry, special: SpecialIds, ids: Sequence[int], number: int) -> Opened:
    try:
        return opened(geometry, ids, special, blank=-1)
    except UserError as error:
        raise UserError(f"context {number} {error}") from None
