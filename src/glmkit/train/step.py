"""One optimizer step: micro-batches in, new weights out."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from glmkit.core.sharded import compute_device, local
from glmkit.data.steps import Weighted
from glmkit.train.parallel import Parallel, Single

_NEAR = 0.999  # of the limit of a norm: below it no rounding makes a norm reach it
_MIX = 0x9E3779B97F4A7C15  # the golden ratio in 64 bits: seeds of micro-batches lie far apart


@dataclass(frozen=True)
class StepResult:
    loss: float  # weighted mean over all tokens of the step that count
    grad_norm: float  # before clipping
    finite: bool  # loss and gradient
    applied: bool  # False when they were not finite, or the norm beyond its limit: then the weights are as they were


def train_step(
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Weighted],
    *,
    weight: float,
    learning_rate: float,
    grad_clip: float,
    norm_limit: float = math.inf,
    dtype: torch.dtype,
    parallel: Parallel,
    seed: int,
) -> StepResult:
    """Accumulates the gradient of the mean loss over the `batches` of every process, clips it, and steps.

    `weight`: of all targets of the step, in all processes. The mean weighs every one alike, so how a step is cut into
    micro-batches or processes does not matter. Beyond `norm_limit` a gradient changes nothing. Dropout is drawn by
    `seed` and the number of a micro-batch among those of all processes, so it does not depend on who computes which.
    """
    device = compute_device(loss)
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), dtype=torch.float64, device=device)
    with autocast(device, dtype):  # around all micro-batches: weights are cast once
        for number, batch in enumerate(batches):
            parallel.synchronize(last=number + 1 == len(batches))
            torch.manual_seed(_seed(seed, number * parallel.processes.world + parallel.processes.rank))
            value = loss(batch.to(device)) / weight
            value.backward()
            total += value.detach()
    gradients = [local(parameter.grad) for parameter in loss.parameters() if parameter.grad is not None]
    norm, total = parallel.norm(gradients, total)
    loss_value, norm_value = torch.stack([total, norm.to(total.dtype)]).tolist()  # the only wait for the device
    finite = math.isfinite(loss_value) and math.isfinite(norm_value)
    if applied := finite and norm_value <= norm_limit:
        if norm_value > _NEAR * grad_clip:  # else every gradient would be multiplied by 1
            factor = (grad_clip / (norm + 1e-6)).clamp(max=1.0)  # as torch's clip_grads_with_norm_
            for gradient in gradients:
                gradient.mul_(factor.to(gradient.device))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group.get("rate_scale", 1.0)
        optimizer.step()
    return StepResult(loss_value, norm_value, finite, applied)


def step_alone(
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Weighted],
    *,
    learning_rate: float,
    dtype: torch.dtype,
    grad_clip: float = 1.0,
) -> StepResult:
    """A step of the only process."""
    return train_step(
        loss,
        optimizer,
        batches,
        weight=weight_of(batches),
        learning_rate=learning_rate,
        grad_clip=grad_clip,
        dtype=dtype,
        parallel=Single(),
        seed=0,
    )


def weight_of(batches: Sequence[Weighted]) -> float:
    """How much the targets of some batches count."""
    return sum(float(batch.weights.sum()) for batch in batches)


def _seed(step: int, number: int) -> int:
    return step if number == 0 else (step + number * _MIX) % 2**64


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Matrix products in `dtype`; weights, norms, softmax and loss stay in float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
