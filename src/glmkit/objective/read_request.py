"""What is to be read, and what is asked of it; nothing is written.

tokens     [CLS] He [MASK] . <eod> | sop ran | sop fell down | sop slept
segments     0   0    0    0   0   |  1   1  |  2   2    2   |  3    3       none sees another but the first
places                                5   6     7   8    9     10   11       behind which something is asked
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.core.types import Example, IntArray

Reduce = Callable[[Tensor, slice], Tensor]  # logits [n, V] of the model's type, or hidden states, of some of the places

CACHED_ROWS = 16  # of logits that a processor's cache holds while they are gone through several times


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadRequest:
    """Tokens [T] at `positions` [P, T], the first `context` of which are seen both ways.

    `segments` [T]: 0 for what all see, then 1, 2, ... for what stands behind it side by side; None where all of it is
    one text. Of each of the `places` [n], in order, the logits that follow it are asked for, or its `hidden` state;
    `reduce` makes them smaller, a few of the places at a time, and what it returns is put behind each other.
    `priority`, `owner`, `adapter` and `name` are as in `glmkit.generate.request.Request`.
    """

    tokens: IntArray
    positions: IntArray
    context: int
    places: IntArray
    segments: IntArray | None = None
    hidden: bool = False
    reduce: Reduce | None = None
    priority: int = 0
    owner: str = ""
    adapter: str | None = None
    name: str = "the text"
    keep: ClassVar[bool] = False  # nobody goes on from it


def as_wanted(request: ReadRequest, values: Tensor, which: slice) -> Tensor:
    """What a request asks of the logits [n, V] or hidden states [n, D] of some of its places."""
    if request.reduce is not None:
        return request.reduce(values, which)
    return values if request.hidden else values.float()


class Reader(Protocol):
    """What reads requests and returns the result of each, `most` of them at a time. `on_done` is called with how many
    were read just now."""

    def __call__(
        self, requests: Sequence[ReadRequest], on_done: Callable[[int], None] = ..., most: int | None = ...
    ) -> list[Tensor]: ...


def unwatched(count: int) -> None:
    """What counts what nobody watches."""


@dataclass(frozen=True)
class TargetScores:
    """log p of each of the `targets` [n], and whether it was the most probable token, of several alike the first:
    [n, 2] in float32."""

    targets: IntArray

    def __call__(self, logits: Tensor, which: slice) -> Tensor:
        targets = torch.from_numpy(self.targets[which]).to(logits.device)
        rows = CACHED_ROWS if logits.device.type == "cpu" else max(1, len(logits))
        parts = zip(logits.split(rows), targets.split(rows), strict=True)
        return torch.cat([_target_scores(some.float(), ids) for some, ids in parts])


@dataclass(frozen=True)
class LabelScores:
    """log p of each of the `labels` [K], over the whole vocabulary: [n, K]."""

    labels: Sequence[int]

    def __call__(self, logits: Tensor, which: slice) -> Tensor:
        return logits.float().log_softmax(-1)[:, list(self.labels)]


@dataclass(frozen=True)
class TopScores:
    """As `TargetScores`, and behind it the `top` highest log p and their ids: [n, 2 + 2 top] in float64."""

    targets: IntArray
    top: int

    def __call__(self, logits: Tensor, which: slice) -> Tensor:
        scores = TargetScores(self.targets)(logits, which)
        best = logits.float().log_softmax(-1).topk(min(self.top, logits.shape[1]))
        return torch.cat((scores.double(), best.values.double(), best.indices.double()), dim=1)


def _target_scores(logits: Tensor, targets: Tensor) -> Tensor:
    losses = F.cross_entropy(logits, targets, reduction="none")
    best = logits.gather(1, targets[:, None])[:, 0] == logits.amax(-1)  # argmax takes several times as long,
    best[best.clone()] = logits[best].argmax(-1) == targets[best]  # and tells which of several alike is the one
    return torch.stack((-losses, best.float()), dim=1)


def sum_of(hidden: Tensor, which: slice) -> Tensor:
    """The sum of hidden states [n, D], in float32: [1, D]."""
    return hidden.float().sum(0, keepdim=True)


def of_example(example: Example) -> ReadRequest:
    """Asks for log p of the targets of a training example that count, as `TargetScores`."""
    (places,) = example.weights.nonzero()
    return ReadRequest(
        tokens=example.tokens,
        positions=example.positions,
        context=example.context,
        places=places,
        reduce=TargetScores(example.targets[places]),
    )
