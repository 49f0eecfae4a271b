"""The next token of each row of a batch, brought to the host in one copy."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glmkit.generate.samplers import BatchChoice, Sampler


class NextToken(NamedTuple):
    """An id that was chosen, its log p over all ids (not finite where any score is not), and the most probable ids."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def next_tokens(logits: Tensor, masked: Tensor, samplers: Sequence[Sampler], top: int) -> list[NextToken]:
    """By the logits [B, V] of each row; `masked` are the same with -inf where an id may not be chosen. The samplers
    have not observed what they chose."""
    choice = BatchChoice(samplers, masked)
    total = logits.logsumexp(-1, keepdim=True)
    others = (logits - total).topk(min(top, logits.shape[1])) if top else ()
    table = _to_host(choice, logits, total, *others)
    while unsettled := [row for row, (again, *_) in enumerate(table) if again]:
        choice.widen(unsettled)
        table = _to_host(choice, logits, total, *others)
    chosen = []
    for _, id, logprob, *best in table:
        half = len(best) // 2
        chosen.append(NextToken(int(id), logprob, tuple(zip(map(int, best[half:]), best[:half], strict=True))))
    return chosen


def _to_host(choice: BatchChoice, logits: Tensor, total: Tensor, *others: Tensor) -> list[list[float]]:
    """Of each row whether its id is unsettled, the id, its log p, and `others` [B, N], in one copy. Ids are exact in
    float32 below 2**24."""
    ids = choice.ids[:, None]
    unsettled = torch.zeros_like(total) if choice.unsettled is None else choice.unsettled[:, None].float()
    columns = [unsettled, ids.float(), logits.gather(1, ids) - total, *(column.float() for column in others)]
    return torch.cat(columns, dim=1).tolist()
