"""How far a quantized model is from the one it was made of, on a text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.infill.position_schemes import PositionScheme, encode_prompt
from glmkit.nn.finite import check_finite
from glmkit.text.prompts import PromptFormat

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


def passages(
    ids: Sequence[int], prompt: PromptFormat, position_scheme: PositionScheme, max_positions: int, most: int = 8
) -> list[Passage]:
    """The text `ids` in `most` passages at most, whose second half is predicted from the first.

    A model that reads its context both ways reads the first half so, and writes the second into a [gMASK] behind it;
    others go on from token to token. Raises UserError for a text that is too short to measure anything.
    """
    if len(ids) < LEAST:
        raise UserError(f"the text has {len(ids)} tokens; at least {LEAST} are needed to say anything about a model")
    width = min(2 * HALF, len(ids), max_positions - 4)
    starts = range(0, len(ids) - width + 1, width)
    return [_passage(prompt, position_scheme, ids[begin : begin + width]) for begin in starts][:most]


def _passage(prompt: PromptFormat, position_scheme: PositionScheme, ids: Sequence[int]) -> Passage:
    half = len(ids) // 2
    read = encode_prompt(position_scheme, prompt.continuation(ids[:half]), prompt.special)
    positions = [read.positions[:, -1]]
    for _ in ids[half:]:
        positions.append(position_scheme.advance(positions[-1]))
    row = np.concatenate([read.tokens, ids[half:]])
    places = np.column_stack([read.positions[:, :-1], *positions])
    scored = slice(len(read.tokens) - 1, len(row) - 1)
    return Passage(
        torch.from_numpy(row)[None], torch.from_numpy(places)[None], read.context, scored, torch.tensor(ids[half:])
    )


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
