"""Tensors of which a process holds a shard (torch's DTensor), beside plain ones, which every process holds whole."""

import sys
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn
    from torch.distributed.tensor import DTensor

    from glmkit.core.types import LanguageModel


def is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether this process holds a part of the tensor alone."""
    module = sys.modules.get("torch.distributed.tensor")  # there is none where nothing imported it
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: all of a plain one. What is written to it reaches the tensor."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def compute_device(module: "nn.Module | LanguageModel") -> torch.device:
    """Where a module computes: with its parameters, or where shards lie elsewhere (`parallel.offload`) on the devices
    they are gathered on."""
    first = next(module.parameters())
    return torch.device(first.device_mesh.device_type) if is_sharded(first) else first.device


def gathered(tensor: Tensor) -> Tensor:
    """The whole tensor, in every process; all of them must ask for it."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


@torch.no_grad()
def copy_whole(place: Tensor, whole: Tensor) -> None:
    """Puts a whole tensor into a place of its shape; of a sharded one every process keeps its own part."""
    if not is_sharded(place):
        place.copy_(whole)
        return
    from torch.distributed.tensor import distribute_tensor

    # Every process has read the same values: nothing is sent.
    part = distribute_tensor(whole, place.device_mesh, place.placements, src_data_rank=None)
    local(place).copy_(local(part))
