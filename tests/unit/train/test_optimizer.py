"""What the optimizer trains and what it refuses."""

import pytest
from torch import nn

from glmkit.core.errors import UserError
from glmkit.train.optimizer import OptimizerConfig, adamw


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    decay, no_decay = adamw(model, OptimizerConfig()).param_groups
    assert [id(p) for p in decay["params"]] == [id(model[2].weight)]
    assert {id(p) for p in no_decay["params"]} == {id(model[1].weight), id(model[1].bias), id(model[2].bias)}


def test_settings_reach_the_optimizer() -> None:
    config = OptimizerConfig(beta1=0.8, beta2=0.95, eps=1e-7, weight_decay=0.2)
    optimizer = adamw(nn.Linear(2, 2), config)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0]
    assert optimizer.defaults["betas"] == (0.8, 0.95)
    assert optimizer.defaults["eps"] == 1e-7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beta1": 1.0}, "optimizer.beta1 must be a finite number of at least 0 and less than 1, got 1.0"),
        ({"beta2": -0.1}, "optimizer.beta2 must be a finite number of at least 0 and less than 1, got -0.1"),
        ({"eps": 0.0}, "optimizer.eps must be a finite number greater than 0, got 0.0"),
        ({"grad_clip": 0.0}, "optimizer.grad_clip must be a finite number greater than 0, got 0.0"),
        ({"weight_decay": -0.1}, "optimizer.weight_decay must be a finite number of at least 0, got -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(UserError) as raised:
        OptimizerConfig(**settings)
    assert str(raised.value) == said
