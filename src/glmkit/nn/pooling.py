"""One vector for a text: of hidden states [B, T, D], where `real` [B, T] says which are no padding, on either side."""

import torch
from torch import Tensor


def last(hidden: Tensor, real: Tensor) -> Tensor:
    """The hidden state of each row's last real token [B, D]; in a causal model the only one that has seen them all."""
    places = torch.arange(real.shape[1], device=real.device)
    ends = torch.where(real, places, -1).amax(dim=1)
    return hidden[torch.arange(len(hidden), device=hidden.device), ends]
