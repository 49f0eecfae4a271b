"""AdamW with decoupled decay, and which parameters decay."""

from dataclasses import dataclass

import torch
from torch import nn

from glmkit.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-6
    weight_decay: float = 0.1
    grad_clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"optimizer.{name} must be at least 0 and less than 1, got {getattr(self, name)}")
        for name in ("eps", "grad_clip"):
            if getattr(self, name) <= 0:
                raise UserError(f"optimizer.{name} must be positive, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise UserError(f"optimizer.weight_decay must not be negative, got {self.weight_decay}")


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
