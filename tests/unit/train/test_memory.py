"""What is estimated of a step's memory against what its backward pass keeps."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from glmkit.core.types import AttentionMask, Batch
from glmkit.families.load import read
from glmkit.nn.quantized import QuantizedLinear
from glmkit.objective.loss import Loss
from glmkit.testing import tiny
from glmkit.train.memory import estimate
from glmkit.train.shard import checkpoint_blocks

ROWS, LENGTH = 4, 128


def kept(model: torch.nn.Module) -> int:
    """Bytes of what the backward pass of a step keeps besides the weights."""
    tokens = torch.arange(ROWS * LENGTH).reshape(ROWS, LENGTH) % 250
    positions = torch.arange(LENGTH).expand(ROWS, 1, LENGTH)
    batch = Batch(
        tokens=tokens,
        targets=tokens,
        weights=torch.ones(ROWS, LENGTH),
        positions=positions,
        mask=AttentionMask.prefix([0] * ROWS),
    )
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = Loss(model)(batch)
    loss.backward()
    return sum(storages.values())


def test_activations_are_about_what_the_backward_pass_keeps() -> None:
    model = tiny("chatglm2")
    expected = estimate(model.module, model.config, ROWS * LENGTH, torch.float32, checkpointed=False)
    assert 0.67 < expected.activations / kept(model.module.train()) < 1.5
    before = expected.activations
    checkpoint_blocks(model.module)
    assert estimate(model.module, model.config, ROWS * LENGTH, torch.float32, checkpointed=True).activations < before


def test_weights_and_moments_are_counted() -> None:
    model = tiny("chatglm2").module
    numbers = sum(parameter.numel() for parameter in model.parameters())
    whole = estimate(model, model.config, 8, torch.float32, checkpointed=False)
    assert (whole.held, whole.trained, whole.dequantized) == (4 * numbers, 12 * numbers, 0)
    assert whole.total == whole.held + whole.trained + whole.activations
    model.requires_grad_(False)
    assert estimate(model, model.config, 8, torch.float32, checkpointed=False).trained == 0


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_codes_are_counted_as_they_lie(quantize: str, tmp_path: Path) -> None:
    tiny("chatglm2").save(tmp_path / "model")
    model = read(tmp_path / "model", dtype=torch.float32, quantize=quantize, activations="exact").model
    codes = [part.quantized_weight for part in model.modules() if isinstance(part, QuantizedLinear)]
    held = sum(t.numel() * t.element_size() for code in codes for t in code if t is not None)
    held += sum(4 * parameter.numel() for parameter in model.parameters())
    assert estimate(model, model.config, 8, torch.float32, checkpointed=False).held == held
