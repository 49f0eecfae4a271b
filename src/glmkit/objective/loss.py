"""The loss of weighted tokens. Logits exist only where a target counts, and never for more than `ROWS` of them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from glmkit.core.types import Batch, LanguageModel

ROWS = 2048
_STEP = 64  # rows are padded to a multiple: for every new number of rows oneDNN makes, and keeps, kernels of their own


def language_model(module: nn.Module) -> LanguageModel:
    """The module as losses read it. Raises TypeError for one that is no language model."""
    if not isinstance(module, LanguageModel):
        raise TypeError(f"a {type(module).__name__} is no language model: it has no logits or no cache")
    return module


def batch_loss(model: LanguageModel, batch: Batch, smoothing: float = 0.0) -> Tensor:
    """The sum over all tokens of weight times -log p(target), natural logarithm; a scalar in float32.

    `smoothing` s: the target has probability 1 - s, and s is spread over all rows of the vocabulary (the original's).
    """
    hidden, targets, weights = targets_of(model, batch)
    return (token_losses(model, hidden, targets, smoothing) * weights).sum()


class Loss(nn.Module):
    """A language model with its loss in one forward."""

    def __init__(self, model: LanguageModel, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.smoothing = model, smoothing

    def forward(self, batch: Batch) -> Tensor:
        return batch_loss(self.model, batch, self.smoothing)


def targets_of(model: LanguageModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Runs the model; of the N tokens that count: hidden states [N, D], targets [N], weights [N]."""
    hidden = model(batch.tokens, batch.positions, batch.mask)  # [B, T, D]
    counts = batch.weights > 0
    return hidden[counts], batch.targets[counts], batch.weights[counts]


def token_losses(model: LanguageModel, hidden: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """-log p of each target [N] after the hidden states [N, D]; float32 [N].

    Beyond `ROWS` targets the logits are worked out piece by piece, and again in the backward pass instead of kept.
    """
    if len(hidden) <= ROWS:
        return _losses(model, hidden, targets, smoothing)
    pieces = zip(hidden.split(ROWS), targets.split(ROWS), strict=True)
    return torch.cat([checkpoint(_losses, model, h, t, smoothing, use_reentrant=False) for h, t in pieces])


@torch.no_grad()
def token_scores(model: LanguageModel, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-log p of each target, float32 [N], and whether it was the most probable token, bool [N]."""
    losses, hits = [], []
    for h, t in zip(hidden.split(ROWS), targets.split(ROWS), strict=True):
        logits = model.logits(h).float()
        losses.append(F.cross_entropy(logits, t, reduction="none"))
        hits.append(logits.argmax(-1) == t)
    return torch.cat(losses), torch.cat(hits)


def _losses(model: LanguageModel, hidden: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    count, more = len(targets), -len(targets) % _STEP
    logits = model.logits(F.pad(hidden, (0, 0, 0, more))).float()
    return F.cross_entropy(logits, F.pad(targets, (0, more)), reduction="none", label_smoothing=smoothing)[:count]
