"""log p of spans given the corrupted text (paper, equations 1 and 2).

The training objective is the expectation over the orders of the spans of sum_i log p(span_i | corrupted text, spans
before it); for one order the sum is exact, over several sampled orders the mean has a standard error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.types import IntArray
from glmkit.infill.layout import Blanked, blank_layouts
from glmkit.infill.position_schemes import PositionScheme, example
from glmkit.objective.read_request import Reader, of_example
from glmkit.text.special import SpecialIds


@dataclass(frozen=True)
class LogProb:
    """`value`: log p in nats (their mean over the orders). `stderr`: its standard error, None for a single order.
    `by_order`: the log p of each order, `by_span` of each span (in text order) averaged over the orders."""

    value: float
    stderr: float | None
    by_order: list[float]
    by_span: list[float]

    def __float__(self) -> float:
        return self.value


def span_logprob(
    read: Reader,
    position_scheme: PositionScheme,
    special: SpecialIds,
    prompt: Sequence[int],
    spans: Sequence[Sequence[int]],
    orders: Sequence[Sequence[int]],
) -> LogProb:
    """log p of `spans` (ids, one for each blank of `prompt`, in text order), end tokens included, in each order.

    An order is a permutation of 0 .. K-1. Raises UserError when spans and blanks do not match or a span is empty.
    """
    blanks = [i for i, id in enumerate(prompt) if id in special.masks]
    if len(blanks) != len(spans):
        raise UserError(f"the text has {len(blanks)} blanks and {len(spans)} spans were given; give one for each blank")
    if not blanks:
        raise UserError("the text has no blank; write [MASK] where one is")
    if any(len(span) == 0 for span in spans):
        raise UserError("a span is empty: a blank holds one token at least")
    for order in orders:
        if sorted(order) != list(range(len(spans))):
            raise UserError(f"order {list(order)} is not a permutation of 0 .. {len(spans) - 1}")
    text, places = filled_in(prompt, blanks, spans)
    masks = np.array([prompt[blank] for blank in blanks])
    starts = np.full(len(spans), special.sop)
    requests = []
    for order in orders:
        permutation = np.asarray(order, dtype=np.int64)
        blanked = Blanked(text, places, permutation, masks[permutation], starts)
        (layout,) = blank_layouts([blanked], special.eop)
        requests.append(of_example(example(layout, position_scheme)))
    by_order, by_span = [], np.zeros(len(spans))
    for order, result in zip(orders, read(requests), strict=True):
        logprobs = result[:, 0].double().cpu().numpy()
        pieces = np.split(logprobs, np.cumsum([len(spans[i]) + 1 for i in order])[:-1])
        by_order.append(float(logprobs.sum()))
        by_span[np.asarray(order, dtype=np.int64)] += [piece.sum() for piece in pieces]
    mean = float(np.mean(by_order))
    stderr = None if len(orders) == 1 else float(np.std(by_order, ddof=1)) / math.sqrt(len(orders))
    return LogProb(mean, stderr, by_order, (by_span / len(orders)).tolist())


def filled_in(
    prompt: Sequence[int], blanks: Sequence[int], spans: Sequence[Sequence[int]]
) -> tuple[IntArray, IntArray]:
    """The whole text, and where its spans stand in it: [N], [K, 2]."""
    text: list[int] = []
    places = []
    last = 0
    for blank, span in zip(blanks, spans, strict=True):
        text += prompt[last:blank]
        places.append((len(text), len(text) + len(span)))
        text += span
        last = blank + 1
    return np.array([*text, *prompt[last:]], dtype=np.int64), np.array(places, dtype=np.int64)
