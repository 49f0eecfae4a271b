"""How far a quantised model is from the one it was made of, on a text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glmkit.api.core import Core
from glmkit.core.errors import UserError
from glmkit.nn.finite import check_finite

HALF = 128  # tokens that are read before, and tokens that are predicted behind
LEAST = 32  # tokens that a text must have


@dataclass(frozen=True)
class Passage:
    """Ids [1, T] with their positions and context; the model is judged where `scored` says, on what comes next."""

    ids: Tensor
    positions: Tensor
    context: int
    scored: slice
    targets: Tensor


@dataclass(frozen=True)
class Quality:
    """Of `tokens` predicted tokens: perplexity before and after, mean KL divergence from before to after in nats, and
    how often the most probable token stayed the same."""

    tokens: int
    perplexity: tuple[float, float]
    divergence: float
    agreement: float


def passages(model: Core, text: str, most: int = 8) -> list[Passage]:
    """The text in `most` passages at most, whose second half is predicted from the first.

    A model that reads its context both ways reads the first half so, and writes the second into a [gMASK] behind it;
    others go on from token to token. Raises UserError for a text too short to say anything.
    """
    tokenizer = model.tokenizer
    ids = tokenizer.encode(text)
    if len(ids) < LEAST:
        raise UserError(f"the text has {len(ids)} tokens; at least {LEAST} are needed to say anything about a model")
    width = min(2 * HALF, len(ids), model.config.max_positions - 4)
    return [_passage(model, ids[begin : begin + width]) for begin in range(0, len(ids) - width + 1, width)][:most]


def _passage(model: Core, ids: Sequence[int]) -> Passage:
    special, half = model.tokenizer.special, len(ids) // 2
    first, second = list(ids[:half]), list(ids[half:])
    if model.geometry.channels == 1:
        row = [special.gmask, special.sop, *first, *second]
        positions, context = model.geometry.read(np.array(row))
    else:
        row = [*([] if special.cls is None else [special.cls]), *first, special.gmask, special.sop, *second]
        context, places = len(row) - len(second) - 1, np.arange(len(row))
        positions = np.stack([np.where(places < context, places, context - 1), np.maximum(places - context + 1, 0)])
    scored = slice(len(row) - len(second) - 1, len(row) - 1)
    return Passage(torch.tensor([row]), torch.from_numpy(positions)[None], context, scored, torch.tensor(second))


def predictions(model: Core, text: Sequence[Passage]) -> list[Tensor]:
    """log p of every token at the scored places of each passage, float32 [scored, V]."""
    return [
        check_finite(model.logits(some.ids, some.positions, some.context)[0, some.scored].float(), model.module)
        .log_softmax(-1)
        .cpu()
        for some in text
    ]


def compare(text: Sequence[Passage], before: Sequence[Tensor], after: Sequence[Tensor]) -> Quality:
    """What `predictions` of two models say of the second."""
    targets = torch.cat([some.targets for some in text])
    a, b = torch.cat(list(before)), torch.cat(list(after))
    perplexity = tuple(float((-x.gather(1, targets[:, None]).mean()).exp()) for x in (a, b))
    return Quality(
        len(targets),
        (perplexity[0], perplexity[1]),
        float((a.exp() * (a - b)).sum(-1).mean()),
        float((a.argmax(-1) == b.argmax(-1)).float().mean()),
    )


def importance(model: Core, text: Sequence[Passage]) -> dict[str, Tensor]:
    """Name of each linear layer -> the mean square [in] of what its columns are multiplied with on the text."""
    sums: dict[str, Tensor] = {}

    def note(name: str, given: tuple[Any, ...]) -> None:
        square = given[0].detach().float().square().flatten(0, -2).mean(0).cpu()
        sums[name] = sums[name] + square if name in sums else square

    with listening(linears(model.module), note):
        for some in text:
            model.logits(some.ids, some.positions, some.context)
    return {name: (total / len(text)).clamp(min=1e-12) for name, total in sums.items()}


def linears(module: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of a module by name."""
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}


@contextmanager
def listening(parts: Mapping[str, nn.Module], note: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """While it lasts, `note` is told the name of each of `parts` that runs, and what it is called with."""

    def listen(name: str) -> torch.utils.hooks.RemovableHandle:
        return parts[name].register_forward_pre_hook(lambda _, given: note(name, given))

    handles = [listen(name) for name in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
