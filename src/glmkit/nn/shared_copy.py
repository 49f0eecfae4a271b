"""A second module over the same weights, so that adapters can be applied to it and the first stays as it is."""

from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)
_OWN = ("_modules", "_parameters", "_buffers", "_forward_hooks", "_forward_pre_hooks")


def shared_copy(module: M) -> M:
    """A copy whose modules are its own and whose weights are those of `module`: the same tensors, packed ones too.

    What replaces a part of the copy leaves the original alone; what writes into a weight changes both.
    """
    twin = object.__new__(type(module))
    twin.__dict__ = dict(module.__dict__)
    for name in _OWN:
        twin.__dict__[name] = type(module.__dict__[name])(module.__dict__[name])
    for name, child in module._modules.items():
        twin._modules[name] = None if child is None else shared_copy(child)
    return twin
