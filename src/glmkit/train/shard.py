"""A model over several processes by torch's FSDP2: each holds a part of every weight, of its gradient and its moments.

    block 1  block 2 ...  the rest (tables, last norm, head)      each is gathered as a whole, where it is needed
    [0|1]    [0|1]        [0|1]                                   processes 0 and 1: half of the rows of every weight

The weights of blocks are gathered in the type of the matrix products, which is what autocast would make of them; tables
and norms outside of blocks in float32, so that the residual stream is as in one process. Gradients are reduced in
float32, and summed: the loss is divided by all the weight of a step.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, OffloadPolicy, fully_shard
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from glmkit.core.errors import UserError
from glmkit.core.processes import Processes
from glmkit.core.sharded import gathered, is_sharded
from glmkit.train.parallel import Parallel, ParallelConfig, Single


def blocks(model: nn.Module) -> list[nn.Module]:
    """The blocks of a model of any family, in order."""
    return list(model.get_submodule("blocks").children())


def checkpoint_blocks(model: nn.Module) -> None:
    """Keeps only the input of each block for the backward pass and computes the rest again."""
    for block in blocks(model):
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def compile_blocks(model: nn.Module) -> None:
    """Compiles the forward and backward pass of each block, for batches of any shape: one graph serves them all."""
    for block in blocks(model):
        block.compile(dynamic=True)


def mesh_of(config: ParallelConfig, world: int) -> tuple[int, int]:
    """Groups, and processes in each. Raises UserError unless they make up the `world`."""
    group = max(1, world // config.replicate) if config.shard == -1 else config.shard
    if config.replicate * group != world:
        raise UserError(
            f"parallel.replicate={config.replicate} times parallel.shard={group} is not the number of processes, "
            f"{world}; leave out parallel.shard, and let parallel.replicate divide {world}"
        )
    return config.replicate, group


def parallelize(
    model: nn.Module, config: ParallelConfig, processes: Processes, dtype: torch.dtype, device: torch.device
) -> Parallel:
    """Shares a model out over the processes, which compute on a `device` each; alone, it stays as it is. `dtype` is
    that of its matrix products.

    A model without memory (on the meta device) has none afterwards either, but its parts have their shapes. Raises
    UserError for groups that do not make up the processes.
    """
    replicate, group = mesh_of(config, processes.world)
    if processes.world == 1:
        return Single()
    mesh = init_device_mesh(device.type, (replicate, group), mesh_dim_names=("replicate", "shard"))
    offload = CPUOffloadPolicy() if config.offload and device.type != "cpu" else OffloadPolicy()
    shard = partial(fully_shard, mesh=mesh if replicate > 1 else mesh["shard"], offload_policy=offload)
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in blocks(model):
        _cast_norms(block)
        shard(block, mp_policy=policy, reshard_after_forward=config.reshard)
    shard(model, mp_policy=MixedPrecisionPolicy(cast_forward_inputs=False))
    for part in _parts(model):
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)  # gloo knows no sum that is divided on the way
    return Sharded(processes, model, config, replicate)


def _cast_norms(block: nn.Module) -> None:
    """Lets norms take weights in the type of the products for inputs in float32: torch's on a CPU refuse to, in
    autocast too."""
    for part in block.modules():
        if type(part) in _NORMS:
            part.forward = partial(_NORMS[type(part)], part)


def _layer_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    weight, bias = (part if part is None else part.to(x.dtype) for part in (norm.weight, norm.bias))
    return F.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)


def _rms_norm(norm: nn.RMSNorm, x: Tensor) -> Tensor:
    weight = norm.weight if norm.weight is None else norm.weight.to(x.dtype)
    return F.rms_norm(x, norm.normalized_shape, weight, norm.eps)


_NORMS: Mapping[type[nn.Module], Callable[..., Tensor]] = {nn.LayerNorm: _layer_norm, nn.RMSNorm: _rms_norm}


@dataclass(frozen=True)
class Sharded:
    """The strategy of several processes."""

    processes: Processes
    model: nn.Module
    config: ParallelConfig
    replicas: int  # processes that hold the same part

    def synchronize(self, last: bool) -> None:
        for part in _parts(self.model):
            part.set_requires_gradient_sync(last, recurse=False)
            part.set_reshard_after_backward(last or self.config.reshard, recurse=False)

    def norm(self, gradients: Sequence[Tensor], total: Tensor) -> tuple[Tensor, Tensor]:
        square = nn.utils.get_total_norm(gradients).square() / self.replicas
        sums = self.processes.all_reduce(torch.stack([square.to(total), total]))
        return sums[0].sqrt().to(square.dtype), sums[1]

    @contextmanager
    def measuring(self, whole: bool) -> Iterator[None]:
        parts = _parts(self.model)
        if whole:
            for part in parts:
                part.set_reshard_after_forward(False, recurse=False)
                part.unshard()
        try:
            yield
        finally:
            for part in parts:
                part.reshard()
            if whole:
                for block in parts[1:]:  # the rest, which comes first, stays gathered from its forward pass on
                    block.set_reshard_after_forward(self.config.reshard, recurse=False)

    @contextmanager
    def gathered(self, names: Collection[str] | None) -> Iterator[None]:
        held = {
            (module, leaf): parameter
            for path, module in self.model.named_modules()
            for leaf, parameter in module._parameters.items()
            if parameter is not None and is_sharded(parameter) and (names is None or f"{path}.{leaf}" in names)
        }
        for (module, leaf), parameter in held.items():
            whole = gathered(parameter.detach())
            if self.processes.first:
                module._parameters[leaf] = nn.Parameter(whole.cpu(), requires_grad=parameter.requires_grad)
            del whole
        try:
            yield
        finally:
            for (module, leaf), parameter in held.items():
                module._parameters[leaf] = parameter


def _parts(model: nn.Module) -> list[FSDPModule]:
    """The parts that are gathered as a whole, the model itself first."""
    return [part for part in model.modules() if isinstance(part, FSDPModule)]
