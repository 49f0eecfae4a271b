"""How much memory a step of training takes, from the shapes of a model alone: what is printed before a run starts.

held          weights as they are in memory, quantized ones too
trained       gradient and two moments of AdamW for each number that is trained, in float32
activations   what the backward pass needs: of each block what its layers read and write; of blocks that are worked
              out again what they read, and one of them whole; logits and their gradient, in float32
"""

from dataclasses import dataclass

import torch
from torch import nn

from glmkit.families.spec import ModelConfig
from glmkit.kernels.linear import ROWS as DEQUANTIZED
from glmkit.nn.quantized import QuantizedLinear
from glmkit.objective.loss import ROWS

_FLOAT, _COPIES = 4, 4  # bytes; of rows that are dequantized


@dataclass(frozen=True)
class Estimate:
    """Bytes of each part."""

    held: int
    trained: int
    activations: int
    dequantized: int

    @property
    def total(self) -> int:
        return self.held + self.trained + self.activations + self.dequantized

    def __str__(self) -> str:
        parts = {
            "weights": self.held,
            "gradients and moments": self.trained,
            "activations": self.activations,
            "quantized rows dequantized": self.dequantized,
        }
        summary = " + ".join(f"{size / 2**30:.2f} {name}" for name, size in parts.items() if size)
        return f"{self.total / 2**30:.2f} GiB ({summary})"


def estimate(
    model: nn.Module, config: ModelConfig, tokens: int, dtype: torch.dtype, checkpointed: bool, targets: int = ROWS
) -> Estimate:
    """Of a step over `tokens` tokens at once, of which `targets` at most are predicted; matrix products in `dtype`."""
    held = sum(map(_bytes, model.parameters())) + sum(_buffers(part) for part in model.modules())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    blocks = list(model.get_submodule("blocks").children())
    width, layers = config.hidden_size, len(blocks)
    block = sum(_through(part) for part in blocks[0].modules()) * dtype.itemsize
    kept = layers * width * _FLOAT + block if checkpointed else layers * (block + 4 * width * _FLOAT)
    logits = 2 * min(tokens, targets, ROWS) * config.vocab_size * _FLOAT
    columns = max((part.in_features for part in model.modules() if isinstance(part, QuantizedLinear)), default=0)
    return Estimate(held, 3 * _FLOAT * trained, tokens * kept + logits, _COPIES * DEQUANTIZED * columns * _FLOAT)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _buffers(part: nn.Module) -> int:
    return sum(_bytes(buffer) for buffer in part.buffers(recurse=False))


def _through(part: nn.Module) -> int:
    """The numbers that a layer reads and writes for a token; 0 of what is no linear layer."""
    if not isinstance(part, nn.Linear | QuantizedLinear):
        return 0
    return part.in_features + part.out_features
