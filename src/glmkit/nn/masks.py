"""The one mask rule, in the form that torch's attention kernels take."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from glmkit.core.types import AttentionMask


class SDPAMask(NamedTuple):
    """What `scaled_dot_product_attention` needs to know: a bias to add to the scores [B, 1, T, K], or that the mask
    is plainly causal, or neither when every key is visible. One tensor serves every layer and head."""

    bias: Tensor | None
    causal: bool


def sdpa_mask(
    mask: AttentionMask, start: int, length: int, dtype: torch.dtype, device: torch.device, prefix: int = 0
) -> SDPAMask:
    """The mask for queries start .. start+length-1 over all keys so far, in the form the kernels run fastest on.

    Every query sees the `prefix` keys before those of the first token. Hidden keys get the lowest finite number
    instead of -inf: a padding query that sees nothing then stays finite, as in the original, and cannot spread NaN.
    """
    if mask.segments is None and not mask.begin.any():
        if length == 1 or bool((mask.context >= start + length).all()):
            return SDPAMask(None, False)
        if start + prefix == 0 and bool((mask.context <= 1).all()):
            return SDPAMask(None, True)
    visible = mask.visible(start, length, device)
    if prefix:
        visible = F.pad(visible, (prefix, 0), value=True)  # [B, 1, length, prefix + start + length]
    bias = torch.zeros(visible.shape, dtype=dtype, device=device)
    return SDPAMask(bias.masked_fill_(~visible, torch.finfo(dtype).min), False)
