"""Losses over the scores of an example's answers, of which one is right. Each returns one value an example.

    scores [E, K]   the answer's log p, or log p of its label word; -inf where an example has fewer answers
    gold   [E]      the right one

The names and forms are the original's (THUDM/GLM, finetune_glm.py): `mix` is cross entropy and the gold's own -log p.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(scores: Tensor, gold: Tensor) -> Tensor:
    return F.cross_entropy(scores, gold, reduction="none")


def generative(scores: Tensor, gold: Tensor) -> Tensor:
    return -_of_gold(scores, gold)


def mix(scores: Tensor, gold: Tensor) -> Tensor:
    return cross_entropy(scores, gold) + generative(scores, gold)


def hinge(scores: Tensor, gold: Tensor) -> Tensor:
    """How much every wrong answer comes within 1 of the right one."""
    margins = F.relu(1 + scores - _of_gold(scores, gold)[:, None])
    return margins.sum(1) - 1  # the gold's own margin


def adapet(scores: Tensor, gold: Tensor) -> Tensor:
    """log p of the wrong answers less that of the right one."""
    present = scores.masked_fill(scores.isinf(), 0)
    return present.sum(1) - 2 * _of_gold(scores, gold)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "generative": generative,
    "mix": mix,
    "hinge": hinge,
    "adapet": adapet,
}


def table(scores: Tensor, counts: Sequence[int]) -> Tensor:
    """Scores of all answers [C], example by example, as [E, K] with -inf where an example has fewer than K."""
    return torch.nn.utils.rnn.pad_sequence(list(scores.split(list(counts))), True, float("-inf"))


def _of_gold(scores: Tensor, gold: Tensor) -> Tensor:
    return scores.gather(1, gold[:, None])[:, 0]
