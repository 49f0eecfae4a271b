"""How far a quantized model is from the one it was made of, on a text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.infill.geometry import Geometry
from glmkit.nn.finite import check_finite
from glmkit.text.tokenizer import Tokenizer

HALF = 128  # tokens of context, and tokens that are predicted after them
LEAST = 32  # tokens that a text must have


@dataclass(frozen=True)
class Passage:
    """Ids [1, T] with their positions and context. At the places `scored`, the next tokens `targets` are predicted."""

    ids: Tensor
    positions: Tensor
    context: int
    scored: slice
    targets: Tensor


Logits = Callable[[Passage], Tensor]  # of every token of a passage, [1, T, V]


@dataclass(frozen=True)
class Quality:
    """Of `tokens` predicted tokens: perplexity before and after, mean KL divergence from before to after in nats, and
    how often the most probable token stayed the same."""

    tokens: int
    perplexity: tuple[float, float]
    divergence: float
    agreement: float


def passages(tokenizer: Tokenizer, geometry: Geometry, max_positions: int, text: str, most: int = 8) -> list[Passage]:
    """The text in `most` passages at most, whose second half is predicted from the first.

    A model that reads its context both ways reads the first half so, and writes the second into a [gMASK] behind it;
    others go on from token to token. Raises UserError for a text that is too short to measure anything.
    """
    ids = tokenizer.encode(text)
    if len(ids) < LEAST:
        raise UserError(f"the text has {len(ids)} tokens; at least {LEAST} are needed to say anything about a model")
    width = min(2 * HALF, len(ids), max_positions - 4)
    starts = range(0, len(ids) - width + 1, width)
    return [_passage(tokenizer, geometry, ids[begin : begin + width]) for begin in starts][:most]


def _passage(tokenizer: Tokenizer, geometry: Geometry, ids: Sequence[int]) -> Passage:
    special, half = tokenizer.special, len(ids) // 2
    first, second = list(ids[:half]), list(ids[half:])
    if geometry.channels == 1:
        row = [special.gmask, special.sop, *first, *second]
        positions, context = geometry.read(np.array(row))
    else:
        row = [*([] if special.cls is None else [special.cls]), *first, special.gmask, special.sop, *second]
        context, places = len(row) - len(second) - 1, np.arange(len(row))
        positions = np.stack([np.where(places < context, places, context - 1), np.maximum(places - context + 1, 0)])
    scored = slice(len(row) - len(second) - 1, len(row) - 1)
    return Passage(torch.tensor([row]), torch.from_numpy(positions)[None], context, scored, torch.tensor(second))


def log_probs(model: nn.Module, logits: Logits, text: Sequence[Passage]) -> list[Tensor]:
    """log p of every token at the scored places of each passage, float32 [scored, V].

    `logits` computes those of `model`, which is named where they are not finite.
    """
    return [check_finite(logits(passage)[0, passage.scored].float(), model).log_softmax(-1).cpu() for passage in text]


def compare(text: Sequence[Passage], before: Sequence[Tensor], after: Sequence[Tensor]) -> Quality:
    """The quality of the second of two models from the `log_probs` of both."""
    targets = torch.cat([passage.targets for passage in text])
    a, b = torch.cat(list(before)), torch.cat(list(after))
    perplexity = tuple(float((-x.gather(1, targets[:, None]).mean()).exp()) for x in (a, b))
    return Quality(
        len(targets),
        (perplexity[0], perplexity[1]),
        float((a.exp() * (a - b)).sum(-1).mean()),
        float((a.argmax(-1) == b.argmax(-1)).float().mean()),
    )
