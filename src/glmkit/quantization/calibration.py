"""Calibration: what a model's layers are multiplied with on a text, and GPTQ with it, block after block.

    text -> block 0 (whole)  -> moments of its layers' inputs -> GPTQ -> block 0 (quantized) -> block 1 (whole) -> ...

Each block is quantized to what the blocks before it, already quantized, make of the text. In memory are the model,
which shrinks from block to block, the hidden states of the text, and the moments of one block.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.nn.accelerate import accelerate
from glmkit.quantization.evaluation import Logits, Passage
from glmkit.quantization.plan import Plan

LEAST = 256  # tokens to calibrate on: with fewer, correlations of inputs are chance
MOST = 64  # passages
Inputs = tuple[Any, ...]  # of a module's forward


@torch.no_grad()
def calibrate(model: nn.Module, logits: Logits, plan: Plan, text: Sequence[Passage]) -> None:
    """Quantizes the linear layers of `model`, in place, by `plan`; those of blocks with the moments of their inputs on
    `text`, which `logits` runs through the model. Raises UserError for a text of fewer than LEAST tokens."""
    tokens = sum(passage.ids.numel() for passage in text)
    if tokens < LEAST:
        raise UserError(f"the text to calibrate on has {tokens} tokens; at least {LEAST} are needed")
    blocks = model.get_submodule("blocks")
    dtype = next(blocks.parameters()).dtype
    hidden, arguments = _block_inputs(model, logits, text)
    for number, block in enumerate(blocks.children()):
        prefix = f"blocks.{number}."
        layers = linear_layers(block)
        moments = _second_moments(layers, partial(_run, block, hidden, arguments[number]))
        for name, layer in layers.items():
            quantized = plan.quantize(prefix + name, layer, layer.weight.detach(), moments.pop(name))
            if quantized is not None:
                block.set_submodule(name, quantized)
        hidden = _run(block, hidden, arguments[number])
    for name, layer in linear_layers(model).items():
        quantized = plan.quantize(name, layer, layer.weight.detach())
        if quantized is not None:
            model.set_submodule(name, quantized)
    accelerate(model, dtype)


def column_importance(model: nn.Module, logits: Logits, text: Sequence[Passage]) -> dict[str, Tensor]:
    """Name of each linear layer -> the mean square [in] of what its columns are multiplied with on the text."""
    sums: dict[str, Tensor] = {}

    def add(name: str, inputs: Inputs) -> None:
        square = inputs[0].detach().float().square().flatten(0, -2).mean(0).cpu()
        sums[name] = sums[name] + square if name in sums else square

    with _input_hooks(linear_layers(model), add):
        for passage in text:
            logits(passage)
    return {name: (total / len(text)).clamp(min=1e-12) for name, total in sums.items()}


def linear_layers(module: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of a module by name."""
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}


def _block_inputs(model: nn.Module, logits: Logits, text: Sequence[Passage]) -> tuple[list[Tensor], list[list[Inputs]]]:
    """The hidden states of each passage before the first block, and block -> passage -> its other arguments."""
    hidden: list[Tensor] = []
    blocks = dict(model.get_submodule("blocks").named_children())
    arguments: list[list[Inputs]] = [[] for _ in blocks]

    def keep(number: str, inputs: Inputs) -> None:
        if number == "0":
            hidden.append(inputs[0])
        arguments[int(number)].append(inputs[1:])

    with _input_hooks(blocks, keep):
        for passage in text:
            logits(passage)
    return hidden, arguments


def _run(block: nn.Module, hidden: Sequence[Tensor], arguments: Sequence[Inputs]) -> list[Tensor]:
    return [block(x, *others) for x, others in zip(hidden, arguments, strict=True)]


def _second_moments(layers: dict[str, nn.Linear], run: Callable[[], object]) -> dict[str, Tensor]:
    """Name of each layer -> the sum of x^T x [in, in] over its inputs x while `run` runs."""
    sums: dict[str, Tensor] = {}

    def add(name: str, inputs: Inputs) -> None:
        x = inputs[0].flatten(0, -2).float()
        sums[name] = sums[name].addmm_(x.T, x) if name in sums else x.T @ x

    with _input_hooks(layers, add):
        run()
    return sums


@contextmanager
def _input_hooks(modules: Mapping[str, nn.Module], on_inputs: Callable[[str, Inputs], None]) -> Iterator[None]:
    """While it lasts, `on_inputs` is called with the name and the inputs of each of `modules` that runs."""

    def register(name: str) -> torch.utils.hooks.RemovableHandle:
        return modules[name].register_forward_pre_hook(lambda _, inputs: on_inputs(name, inputs))

    handles = [register(name) for name in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
