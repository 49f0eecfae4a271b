"""Reads requests in closed batches, one row each: what training measures itself by.

Rows of like length go together, padded on the right. The engine (glmkit.generate.active_read) reads the same without
padding, beside whatever else is at work.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from glmkit.core.forked import computing
from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, LanguageModel
from glmkit.nn.finite import check_finite
from glmkit.objective.loss import ROWS
from glmkit.objective.read_request import ReadRequest, as_wanted, unwatched

TOKENS = 8192  # of a batch, padding included


@torch.inference_mode()
def read_padded(
    model: LanguageModel,
    pad: int,
    requests: Sequence[ReadRequest],
    on_done: Callable[[int], None] = unwatched,
    most: int | None = None,
) -> list[Tensor]:
    """The result of each request, as `Reader` says. Raises NotFinite for a model that computes NaN or infinity."""
    computing()
    results: dict[int, Tensor] = {}
    for group in batches([len(request.tokens) for request in requests], rows=most):
        read = _read(model, pad, [requests[number] for number in group])
        results |= {number: check_finite(one, model) for number, one in zip(group, read, strict=True)}
        on_done(len(group))
    return [results[number] for number in range(len(requests))]


def batches(sizes: Sequence[int], tokens: int = TOKENS, rows: int | None = None) -> Iterator[list[int]]:
    """The numbers of rows in groups of like size, each of at most `rows`, and `tokens` tokens with its padding (or of
    one row)."""
    group: list[int] = []
    for number in np.argsort(sizes, kind="stable")[::-1].tolist():
        if group and ((len(group) + 1) * sizes[group[0]] > tokens or len(group) == rows):
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _read(model: LanguageModel, pad: int, requests: Sequence[ReadRequest]) -> list[Tensor]:
    """The results of a batch."""
    shape = len(requests), max(len(request.tokens) for request in requests)
    tokens, segments = np.full(shape, pad), np.full(shape, -1)
    positions = np.zeros((shape[0], len(requests[0].positions), shape[1]), np.int64)
    for row, request in enumerate(requests):
        length = len(request.tokens)
        tokens[row, :length], positions[row, :, :length] = request.tokens, request.positions
        segments[row, :length] = 0 if request.segments is None else request.segments
    device = compute_device(model)
    context = torch.tensor([request.context for request in requests])
    apart = any(request.segments is not None for request in requests)
    mask = AttentionMask(
        context=context,
        begin=torch.zeros_like(context),
        segments=torch.from_numpy(segments).to(device) if apart else None,
    )
    hidden = model(torch.from_numpy(tokens).to(device), torch.from_numpy(positions).to(device), mask)
    rows = np.repeat(np.arange(len(requests)), [len(request.places) for request in requests])
    states = hidden[rows, np.concatenate([request.places for request in requests])]
    parts = states.split([len(request.places) for request in requests])
    return [_reduced(model, request, part) for request, part in zip(requests, parts, strict=True)]


def _reduced(model: LanguageModel, request: ReadRequest, states: Tensor) -> Tensor:
    results = []
    for at in range(0, max(1, len(states)), ROWS):
        part = states[at : at + ROWS]
        values = part if request.hidden else model.logits(part)
        results.append(as_wanted(request, values, slice(at, at + len(part))))
    return torch.cat(results)
