"""log p of several fillings of one blank: the context is read once, every choice beside it, none sees another.

    tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
    segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3
    targets                              ran eop   fell down eop   slept eop

Each choice stands at the last blank of the context, at steps 1, 2, ...
"""

from collections.abc import Sequence

import numpy as np
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask, Batch, LanguageModel
from glmkit.infill.geometry import Geometry
from glmkit.infill.layout import prompt_layout
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
    """For each context (ids with a blank) and each of its choices (ids): log p of every token and of the end.

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
    sizes = [len(c) + sum(len(ids) + 1 for ids in group) for c, group in zip(contexts, choices, strict=True)]
    shape = (len(contexts), max(sizes))
    tokens, targets = np.full(shape, special.pad), np.full(shape, special.pad)
    weights, segments = np.zeros(shape, np.float32), np.full(shape, -1)
    positions = np.zeros((shape[0], geometry.channels, shape[1]), np.int64)
    context = []
    for row, (ids, group) in enumerate(zip(contexts, choices, strict=True)):
        blanks = [place for place, id in enumerate(ids) if id in special.masks]
        if not blanks:
            raise UserError(f"context {row + 1} has no blank to choose for; write [MASK] where one is")
        layout = prompt_layout(np.asarray(ids, dtype=np.int64))
        at = len(ids)
        tokens[row, :at], segments[row, :at] = ids, 0
        positions[row, :, :at] = geometry.positions(layout)
        context.append(geometry.context(layout))
        for number, choice in enumerate(group, start=1):
            if not len(choice):
                raise UserError(f"choice {number} of context {row + 1} is empty: a blank holds one token at least")
            here = slice(at, at + len(choice) + 1)
            tokens[row, here], targets[row, here] = [special.sop, *choice], [*choice, special.eop]
            weights[row, here], segments[row, here] = 1, number
            place = geometry.start(blanks[-1], len(ids))
            for step in range(here.start, here.stop):
                positions[row, :, step] = place
                place = geometry.advance(place)
            at = here.stop
    mask = AttentionMask(
        context=torch.tensor(context),
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
