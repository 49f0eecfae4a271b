"""One optimizer step: micro-batches in, new weights out."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from glmkit.data.steps import Weighted
from glmkit.train.parallel import Processes

_NEAR = 0.999  # of the limit of a norm: below it no rounding makes a norm reach it


@dataclass(frozen=True)
class StepResult:
    loss: float  # weighted mean over all tokens of the step that count
    grad_norm: float  # before clipping
    applied: bool  # False when loss or gradient was not finite: then the weights are as they were


def train_step(
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Weighted],
    *,
    learning_rate: float,
    grad_clip: float,
    dtype: torch.dtype,
    processes: Processes,
) -> StepResult:
    """Accumulates the gradient of the mean loss over `batches` of every process, clips it, and steps.

    The mean weighs every target of the step alike, so how it is cut into micro-batches or processes does not matter.
    """
    device = next(loss.parameters()).device
    weight = processes.all_reduce_sum(sum(float(batch.weights.sum()) for batch in batches))
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    with autocast(device, dtype):  # around all micro-batches: weights are cast once
        for number, batch in enumerate(batches, start=1):
            with _hold_gradients(loss, number < len(batches)):
                value = loss(batch.to(device)) / weight
                (value * processes.world).backward()  # the wrapper averages over processes; the mean is over all tokens
            total += float(value.detach())
    total = processes.all_reduce_sum(total)
    gradients = [parameter.grad for parameter in loss.parameters() if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    finite = torch.tensor([total, norm]).isfinite().all().item()
    if finite:
        if norm > _NEAR * grad_clip:  # else every gradient would be multiplied by 1
            nn.utils.clip_grads_with_norm_(loss.parameters(), grad_clip, norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group.get("rate_scale", 1.0)
        optimizer.step()
    return StepResult(total, float(norm), bool(finite))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Matrix products in `dtype`; weights, norms, softmax and loss stay in float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def _hold_gradients(loss: nn.Module, hold: bool) -> AbstractContextManager[object]:
    return loss.no_sync() if hold and isinstance(loss, nn.parallel.DistributedDataParallel) else nullcontext()
