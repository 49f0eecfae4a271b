"""A model quantised block after block, each to what the blocks before it, already quantised, make of a text.

    text -> block 0 (whole)  -> moments of its layers' inputs -> codes -> block 0 (codes) -> block 1 (whole) -> ...

In memory are the model, which shrinks from block to block, what the blocks hand on of the text, and the moments of one
block.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glmkit.api.core import Core
from glmkit.api.quality import Passage, linears, listening
from glmkit.core.errors import UserError
from glmkit.families.quantise import Plan, ready

LEAST = 256  # tokens to calibrate on: with fewer, what inputs have in common is chance
MOST = 64  # passages


@torch.no_grad()
def calibrate(model: Core, plan: Plan, text: Sequence[Passage]) -> None:
    """Quantises the linear layers of `model`, in place, by `plan`; those of blocks with the moments of their inputs on
    `text`. Raises UserError for a text of fewer than LEAST tokens."""
    tokens = sum(some.ids.numel() for some in text)
    if tokens < LEAST:
        raise UserError(f"the text to calibrate on has {tokens} tokens; at least {LEAST} are needed")
    module = model.module
    dtype = next(module.blocks.parameters()).dtype
    inputs, others = _calls(model, text)
    for number, block in enumerate(module.blocks):
        prefix = f"blocks.{number}."
        layers = linears(block)
        moments = _moments(layers, partial(_run, block, inputs, others[number]))
        for name, layer in layers.items():
            made = plan.quantise(prefix + name, layer, layer.weight.detach(), moments.pop(name))
            if made is not None:
                block.set_submodule(name, made)
        inputs = _run(block, inputs, others[number])
    for name, layer in linears(module).items():
        made = plan.quantise(name, layer, layer.weight.detach())
        if made is not None:
            module.set_submodule(name, made)
    ready(module, dtype)


def _calls(model: Core, text: Sequence[Passage]) -> tuple[list[Tensor], list[list[tuple[Any, ...]]]]:
    """What each passage brings to the first block, and block -> passage -> what else the block is called with."""
    inputs: list[Tensor] = []
    others: list[list[tuple[Any, ...]]] = [[] for _ in model.module.blocks]

    def note(number: str, given: tuple[Any, ...]) -> None:
        if number == "0":
            inputs.append(given[0])
        others[int(number)].append(given[1:])

    with listening(dict(model.module.blocks.named_children()), note):
        for some in text:
            model.logits(some.ids, some.positions, some.context)
    return inputs, others


def _run(block: nn.Module, inputs: Sequence[Tensor], others: Sequence[tuple[Any, ...]]) -> list[Tensor]:
    return [block(x, *given) for x, given in zip(inputs, others, strict=True)]


def _moments(layers: dict[str, nn.Linear], run: Callable[[], object]) -> dict[str, Tensor]:
    """Name of each layer -> the sum of x^T x [in, in] over its inputs x while `run` runs."""
    sums: dict[str, Tensor] = {}

    def note(name: str, given: tuple[Any, ...]) -> None:
        x = given[0].flatten(0, -2).float()
        sums[name] = sums[name].addmm_(x.T, x) if name in sums else x.T @ x

    with listening(layers, note):
        run()
    return sums
