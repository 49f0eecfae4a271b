"""The optimizer of a run: AdamW with decoupled decay, or Muon for the matrices of the blocks beside it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from glmkit.core.config import check_settings
from glmkit.core.errors import UserError, argument
from glmkit.core.kinds import number
from glmkit.core.sharded import copy_whole, gathered, is_sharded

_NEWTON_SCHULZ_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class MuonConfig:
    """Momentum whose update is made orthogonal by five Newton-Schulz iterations and scaled to the size of AdamW's.

    `peak`: its learning rate where AdamW's is `schedule.peak`; both rise and fall together.
    """

    peak: float = 0.02
    momentum: float = 0.95

    def __post_init__(self) -> None:
        check_settings(self, {"peak": number(above=0), "momentum": number(low=0, below=1)}, "optimizer.muon.")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """`name` "muon": the matrices of the blocks by Muon, everything else (tables, norms, biases, heads) by AdamW.

    `beta1`, `beta2` and `eps` are AdamW's; `weight_decay` and `grad_clip` hold for both.
    """

    name: Literal["adamw", "muon"] = "adamw"
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-6
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    muon: MuonConfig = field(default_factory=MuonConfig)

    def __post_init__(self) -> None:
        beta, positive = number(low=0, below=1), number(above=0)
        kinds = {"beta1": beta, "beta2": beta, "eps": positive, "grad_clip": positive, "weight_decay": number(low=0)}
        check_settings(self, kinds, "optimizer.")


class ShardedMuon(torch.optim.Muon):
    """Muon over parameters of which a process holds a part: a matrix at a time is made whole in every process, so that
    an update has the bits of one process; the momentum stays in parts."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here is evaluated twice
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._update(matrix, matrix.grad, group)

    def _update(self, matrix: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        whole = nn.Parameter(gathered(matrix))
        whole.grad = gathered(gradient.lerp(momentum, group["momentum"]))
        options = {name: group[name] for name in ("lr", "weight_decay", "ns_steps", "adjust_lr_fn")}
        torch.optim.Muon([whole], momentum=0.0, nesterov=False, **options).step()
        copy_whole(matrix, whole)


class CombinedOptimizer(torch.optim.Optimizer):
    """Several optimizers, each of its own parameters, as one: it has the groups and the state of them all."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts
        for part in parts:
            part.state = self.state

    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here is evaluated twice
        for part in self.parts:
            part.step()


def make_optimizer(model: nn.Module, config: OptimizerConfig, peak: float) -> torch.optim.Optimizer:
    """The optimizer over the trainable parameters. `peak`: the schedule's highest rate, which is AdamW's.

    Each group takes the rate of the schedule times its "rate_scale", if it has one. Raises UserError for Muon where no
    matrix of a block is trained.
    """
    if config.name == "adamw":
        return adamw(model, config)
    matrices = block_matrices(model)
    if not matrices:
        raise UserError(
            "Muon is for the matrices of a model's blocks, and this run trains none: give "
            f"{argument('optimizer.name', 'adamw')}"
        )
    muon = (ShardedMuon if any(map(is_sharded, matrices)) else torch.optim.Muon)(
        [{"params": matrices, "rate_scale": config.muon.peak / peak}],
        lr=0.0,
        weight_decay=config.weight_decay,
        momentum=config.muon.momentum,
        ns_steps=_NEWTON_SCHULZ_STEPS,
        adjust_lr_fn="match_rms_adamw",
    )
    return CombinedOptimizer(muon, adamw(model, config, besides=matrices))


def block_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices of the blocks that are trained, in the order of the model."""
    blocks = next((part for name, part in model.named_modules() if name == "blocks"), nn.Module())
    return [parameter for parameter in blocks.parameters() if parameter.requires_grad and parameter.dim() == 2]


def optimizer_flops(model: nn.Module, config: OptimizerConfig) -> int:
    """Floating point operations of the matrix products in one step of the optimizer; AdamW has none.

    An iteration of Newton-Schulz on X [m, n] with m <= n computes A = X X^T, A A and (b A + c A A) X, of 2 m^2 n,
    2 m^3 and 2 m^2 n operations.
    """
    if config.name == "adamw":
        return 0
    sizes = (sorted(matrix.shape) for matrix in block_matrices(model))
    return sum(_NEWTON_SCHULZ_STEPS * (4 * m * m * n + 2 * m**3) for m, n in sizes)


def decays(parameter: nn.Parameter) -> bool:
    """Matrices and tables decay; norms and biases, which are vectors, do not (the original's groups)."""
    return parameter.dim() > 1


def adamw(model: nn.Module, config: OptimizerConfig, besides: Iterable[nn.Parameter] = ()) -> torch.optim.AdamW:
    """AdamW over the trainable parameters but those `besides` it, in two groups; the learning rate is set before each
    step."""
    others = {id(parameter) for parameter in besides}
    trainable = [p for p in model.parameters() if p.requires_grad and id(p) not in others]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if decays(p)], "weight_decay": config.weight_decay},
        {"params": [p for p in trainable if not decays(p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(config.beta1, config.beta2), eps=config.eps, fused=True)
