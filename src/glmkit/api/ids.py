"""Reads the arguments of `Model.logits`, which may be tensors, arrays or lists, as int64 tensors of a known shape.

Sizes: B rows, T tokens, P position channels (numbers that say where a token stands: two of a GLM).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError, short
from glmkit.core.kinds import WHOLE_64

_MAX_NESTING = 4  # lists in lists, of which T, P and B are three


def read_ids(token_ids: object, vocabulary: int) -> Tensor:
    """Ids [B, T], one at least. Raises UserError for other shapes and for ids outside the vocabulary."""
    ids = _integers(token_ids, "token_ids", "[B, T]")
    if ids.dim() != 2 or not ids.numel():
        raise UserError(f"token_ids must be rows of ids, [B, T], got shape {list(ids.shape)}")
    if (wrong := ids[(ids < 0) | (ids >= vocabulary)]).numel():
        raise UserError(f"token_ids: id {int(wrong[0])} is not in the vocabulary: ids are from 0 to {vocabulary - 1}")
    return ids


def read_positions(positions: object, rows: int, tokens: int, channels: int) -> Tensor:
    """Positions [B, P, T], or [1, P, T] for all rows alike; of one channel [T] and [B, T] are taken, too.

    Of several channels what has fewer dimensions could mean several things, so it is refused.
    """
    wanted = f"[{rows}, {channels}, {tokens}] for these ids"
    places = _integers(positions, "positions", wanted)
    given = list(places.shape)
    if channels == 1 and places.dim() == 1:
        places = places[None]
    if channels == 1 and places.dim() == 2:
        places = places[:, None]
    if places.dim() != 3 or len(places) not in (1, rows) or places.shape[1:] != (channels, tokens):
        raise UserError(f"positions must be [B, P, T], {wanted}, got {given}")
    return places.expand(rows, -1, -1)


def check_positions(places: Tensor, last: int) -> None:
    """Raises UserError for a position beyond `last`, the highest that the model has."""
    if (wrong := places[(places < 0) | (places > last)]).numel():
        raise UserError(f"positions must be from 0 to {last} in this model, got {int(wrong[0])}")


def read_bounds(bounds: object, name: str, rows: int, last: int) -> Tensor:
    """A place in each row [B], from 0 to `last`, such as where its context ends; one number is that of all rows. On
    the CPU."""
    numbers = _integers(bounds, name, f"one, or one for each of {rows} rows").cpu()
    if numbers.dim() > 1 or numbers.numel() not in (1, rows):
        raise UserError(f"{name} must be one number, or one for each of {rows} rows, got {list(numbers.shape)}")
    if (wrong := numbers[(numbers < 0) | (numbers > last)]).numel():
        raise UserError(f"{name} must be from 0 to {last} for these ids, got {int(wrong[0])}")
    return numbers.expand(rows)


def _integers(value: object, name: str, shape: str) -> Tensor:
    """`value` as int64. Raises UserError unless it is whole numbers in rows of one length."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        value = torch.from_numpy(value.astype(np.int64))
    if isinstance(value, Tensor):
        if value.dtype == torch.bool or value.is_floating_point() or value.is_complex():
            raise UserError(f"{name} must be whole numbers, {shape}, got a tensor of {str(value.dtype)[6:]}")
        return value.long()
    level: list[Any] = [value]
    sizes: list[int] = []
    while True:
        level = [part.tolist() if isinstance(part, Tensor | np.ndarray) else part for part in level]
        if not level or len(sizes) == _MAX_NESTING or not all(isinstance(part, list | tuple) for part in level):
            break
        lengths = sorted({len(part) for part in level})
        if len(lengths) > 1:
            raise UserError(f"{name} has rows of {lengths[0]} and of {lengths[1]} numbers; all need one length")
        sizes += lengths
        level = [one for part in level for one in part]
    for one in level:
        if WHOLE_64.find(one) is not None:
            raise UserError(f"{name} must be whole numbers, {shape}, got {short(one)}")
    return torch.tensor([int(one) for one in level], dtype=torch.long).view(sizes)
