"""GLM's sizes, its first weights, dropout, and what a config refuses."""

import math
from dataclasses import replace

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.core.types import AttentionMask
from glmkit.models.glm import GLM, GLMConfig, initialize

CONFIG = GLMConfig(num_layers=8, hidden_size=64, num_heads=4, vocab_size=500, max_positions=40)


@pytest.fixture(scope="module")
def glm() -> GLM:
    model = GLM(CONFIG)
    initialize(model, torch.Generator().manual_seed(0))
    return model


def test_the_parameters_are_those_of_the_paper(glm: GLM) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in glm.named_parameters()}
    tables = {
        "embedding.words.weight": (500, 64),
        "embedding.positions.weight": (41, 64),
        "embedding.steps.weight": (41, 64),
    }
    block = 12 * 64 * 64 + 13 * 64
    assert tables.items() <= shapes.items()
    assert sum(p.numel() for p in glm.parameters()) == (500 + 82) * 64 + 8 * block + 2 * 64
    assert set(glm.state_dict()) == set(shapes), "the output matrix is the word table and is not stored twice"


def test_first_weights_have_the_originals_spread(glm: GLM) -> None:
    for name, parameter in glm.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            writes_to_the_residual = ".attention.out." in name or ".mlp.down." in name
            wanted = 0.02 / math.sqrt(2 * 8) if writes_to_the_residual else 0.02
            error = wanted / math.sqrt(2 * parameter.numel())
            assert abs(parameter.std().item() - wanted) < 5 * error, name
            assert abs(parameter.mean().item()) < 5 * wanted / math.sqrt(parameter.numel()), name


def test_first_weights_follow_the_seed() -> None:
    built = [GLM(replace(CONFIG, num_layers=1)) for _ in range(3)]
    for model, seed in zip(built, (1, 1, 2), strict=True):
        initialize(model, torch.Generator().manual_seed(seed))
    first, again, other = (model.blocks[0].mlp.up.weight for model in built)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dropout_is_for_training_alone() -> None:
    model = GLM(replace(CONFIG, dropout=0.5))
    initialize(model, torch.Generator().manual_seed(0))
    inputs = torch.arange(10)[None], torch.arange(10).expand(1, 2, 10), AttentionMask.prefix([4])
    model.train()
    assert not torch.equal(model(*inputs), model(*inputs))
    model.eval()
    assert torch.equal(model(*inputs), model(*inputs))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"num_layers": 0}, "num_layers must be a whole number from 1 to 10,000, got 0"),
        ({"vocab_size": -5}, "vocab_size must be a whole number from 1 to 16,777,216, got -5"),
        ({"num_heads": 5}, "hidden_size 64 must be a multiple of num_heads 5: heads are equally wide"),
        ({"dropout": 1.0}, "dropout must be a finite number of at least 0 and less than 1, got 1.0"),
        ({"gelu": "relu"}, "gelu must be one of tanh, erf, got 'relu'"),
        ({"positions": "rotary"}, "positions must be one of two-channel, one-channel, detached, got 'rotary'"),
    ],
)
def test_a_config_refuses_what_cannot_be(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as raised:
        replace(CONFIG, **changed)  # type: ignore[arg-type]
    assert str(raised.value) == said
