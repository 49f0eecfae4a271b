"""Scores that are not finite, and why, as far as the model itself tells."""

import torch
from torch import Tensor, nn

from glmkit.core.errors import NotFinite, argument
from glmkit.core.types import LanguageModel


def check_finite(values: Tensor, model: LanguageModel | nn.Module) -> Tensor:
    """`values`, which `model` computed, if all of them are finite. Waits for an accelerator, so it is for whole
    batches of scores, not for every token. Raises NotFinite."""
    if not torch.isfinite(values).all():
        raise not_finite(model)
    return values


@torch.no_grad()
def not_finite(model: LanguageModel | nn.Module) -> NotFinite:
    """What to raise of a model whose scores are NaN or infinite: with what probably made them so, and what to try."""
    tensors = [(name, one) for name, one in model.state_dict().items() if one.is_floating_point()]
    damaged = next((name for name, one in tensors if not torch.isfinite(one).all()), None)
    cause = "" if damaged is None else f": its weight {damaged} holds such numbers"
    if next(model.parameters()).dtype == torch.float16:
        remedy = (
            f"float16 holds nothing beyond 65,504; load it with {argument('dtype', 'bfloat16')} or "
            f"{argument('dtype', 'float32')}"
        )
    elif damaged is not None:
        remedy = "the file that holds it is damaged, or the training diverged: copy it again or take another checkpoint"
    else:
        remedy = f"load it with {argument('dtype', 'float32')}; in that its weights are not those of a trained model"
    return NotFinite(f"the model's scores are not finite (NaN or infinity){cause}; {remedy}")
