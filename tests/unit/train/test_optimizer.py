"""What the optimizer trains and what it refuses."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from glmkit.core.errors import UserError
from glmkit.train.optimizer import MuonConfig, OptimizerConfig, adamw, make_optimizer, optimizer_flops


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


class Model(nn.Module):
    """A table, and a block with two matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4))])


def test_muon_trains_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    model = Model()
    first = {name: parameter.clone() for name, parameter in model.named_parameters()}
    config = OptimizerConfig(name="muon", weight_decay=0.5, muon=MuonConfig(peak=0.1, momentum=0.9))
    optimizer = make_optimizer(model, config, peak=0.02)
    for group in optimizer.param_groups:
        group["lr"] = 0.02 * group.get("rate_scale", 1.0)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    kinds = {name: {*optimizer.state[parameter]} for name, parameter in model.named_parameters()}
    matrices = {"blocks.0.1.weight", "blocks.0.2.weight"}
    assert {name for name, kind in kinds.items() if kind == {"momentum_buffer"}} == matrices
    assert all(kind == {"exp_avg", "exp_avg_sq", "step"} for name, kind in kinds.items() if name not in matrices)
    for name in matrices:
        # Of the gradient U S V^T the step is U V^T, as long as AdamW's: 0.2 sqrt(8) of each unit; the iteration in
        # bfloat16 gets within a third of it.
        step = (first[name] * (1 - 0.1 * 0.5) - model.get_parameter(name)).detach()
        u, _, v = torch.linalg.svd(model.get_parameter(name).grad, full_matrices=False)
        sizes = (u.T @ step @ v.T) / (0.1 * 0.2 * 8**0.5)
        assert torch.allclose(sizes, torch.eye(4), atol=0.4), (name, sizes)


def test_the_arithmetic_of_muon_is_that_of_its_products() -> None:
    model = Model()
    # Both matrices are 4 x 8 or lie on their side: X X^T makes 16 numbers of 8 products and 8 sums each, A A 16 of 4,
    # and (b A + c A A) X 32 of 4.
    iteration = 16 * 2 * 8 + 16 * 2 * 4 + 32 * 2 * 4
    assert optimizer_flops(model, OptimizerConfig(name="muon")) == 2 * 5 * iteration == 6400
    assert optimizer_flops(model, OptimizerConfig()) == 0
    model.blocks[0][1].requires_grad_(False)
    assert optimizer_flops(model, OptimizerConfig(name="muon")) == 5 * iteration


def test_muon_multiplies_as_often_as_is_counted() -> None:
    model, config = Model(), OptimizerConfig(name="muon")
    optimizer = make_optimizer(model, config, peak=0.02)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with FlopCounterMode(display=False) as counted:
        optimizer.step()
    assert counted.get_total_flops() == optimizer_flops(model, config)


def test_muon_without_matrices_to_train_is_refused() -> None:
    model = Model()
    model.blocks.requires_grad_(False)
    for one in (model, nn.Linear(2, 2)):
        with pytest.raises(UserError) as raised:
            make_optimizer(one, OptimizerConfig(name="muon"), peak=0.02)
        assert str(raised.value) == (
            "Muon is for the matrices of a model's blocks, and this run trains none: give optimizer.name='adamw'"
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beta1": 1.0}, "optimizer.beta1 must be a finite number of at least 0 and less than 1, got 1.0"),
        ({"beta2": -0.1}, "optimizer.beta2 must be a finite number of at least 0 and less than 1, got -0.1"),
        ({"eps": 0.0}, "optimizer.eps must be a finite number greater than 0, got 0.0"),
        ({"grad_clip": 0.0}, "optimizer.grad_clip must be a finite number greater than 0, got 0.0"),
        ({"name": "sgd"}, "optimizer.name must be one of adamw, muon, got 'sgd'"),
        ({"weight_decay": -0.1}, "optimizer.weight_decay must be a finite number of at least 0, got -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as raised:
        OptimizerConfig(**settings)
    assert str(raised.value) == said
