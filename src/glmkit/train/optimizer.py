"""AdamW with decoupled decay, and which parameters decay."""

from dataclasses import dataclass

import torch
from torch import nn

from glmkit.core.config import check_settings
from glmkit.core.kinds import number


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-6
    weight_decay: float = 0.1
    grad_clip: float = 1.0

    def __post_init__(self) -> None:
        beta, positive = number(low=0, below=1), number(above=0)
        kinds = {"beta1": beta, "beta2": beta, "eps": positive, "grad_clip": positive, "weight_decay": number(low=0)}
        check_settings(self, kinds, "optimizer.")


def decays(parameter: nn.Parameter) -> bool:
    """Matrices and tables decay; norms and biases, which are vectors, do not (the original's groups)."""
    return parameter.dim() > 1


def adamw(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """The optimizer over the trainable parameters in two groups; the learning rate is set before each step."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if decays(p)], "weight_decay": config.weight_decay},
        {"params": [p for p in trainable if not decays(p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
