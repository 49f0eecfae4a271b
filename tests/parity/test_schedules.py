"""Learning rates, weight-decay groups and a short training run against the original's."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glmkit.core.types import AttentionMask, Batch
from glmkit.models.glm import GLM, GLMConfig
from glmkit.objective.loss import Loss
from glmkit.testing import DOUBLE_TOLERANCE, MODEL_TOLERANCE
from glmkit.train.optimizer import OptimizerConfig, adamw
from glmkit.train.schedule import ScheduleConfig, learning_rate
from glmkit.train.step import step_alone

from .original import build, rename, weights

NOT_OFFERED = {"exponential", "None"}  # flat in the original, which never wrote them: "constant" says it


def read(golden: Path, name: str) -> Any:
    return json.loads((golden / "schedules" / name).read_text(encoding="utf-8"))


def test_learning_rates(golden: Path) -> None:
    compared = set()
    for case in read(golden, "lr.json")["cases"]:
        if case["style"] in NOT_OFFERED:
            continue
        config = ScheduleConfig(
            peak=case["peak_lr"], shape=case["style"], warmup=case["warmup_fraction"], floor=case["decay_ratio"]
        )
        total = case["total_iters"]
        for step, rate in case["lr"].items():
            ours = learning_rate(config, int(step), total)
            if case["style"] == "linear" and int(step) > total:
                rate = config.peak * config.floor  # the original's line runs on through zero; ours stays
            assert ours == pytest.approx(rate, rel=DOUBLE_TOLERANCE), (case["name"], step)
        compared.add(case["style"])
    assert compared == {"linear", "cosine", "constant"}


def test_weight_decay_groups(golden: Path) -> None:
    groups = read(golden, "weight_decay.json")["models"]["plain"]
    config = GLMConfig(num_layers=2, hidden_size=8, num_heads=2, vocab_size=16, max_positions=4)
    model = GLM(config)
    decay, no_decay = adamw(model, OptimizerConfig(weight_decay=0.1)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)] for p in decay["params"]} == set(map(rename, groups["decay"]))
    assert {names[id(p)] for p in no_decay["params"]} == set(map(rename, groups["no_decay"]))
    assert decay["weight_decay"] == 0.1
    assert no_decay["weight_decay"] == groups["no_decay_weight_decay_value"]


def test_eight_training_steps(golden: Path) -> None:
    trajectory = read(golden, "trajectory.json")
    cases = load_file(golden / "model/cases.safetensors")
    batch = Batch(
        tokens=cases["a_token.tokens"],
        targets=cases["a_token.targets"],
        weights=cases["a_token.loss_mask"].float(),
        positions=cases["a_token.position_ids"],
        mask=AttentionMask.prefix(cases["a_token.sep"]),
    )
    model = build(weights(golden)).train()
    beta1, beta2 = trajectory["betas"]
    config = OptimizerConfig(
        beta1=beta1,
        beta2=beta2,
        eps=trajectory["eps"],
        weight_decay=trajectory["weight_decay"],
        grad_clip=trajectory["clip_grad"],
    )
    optimizer = adamw(model, config)
    schedule = ScheduleConfig(peak=trajectory["peak_lr"], shape="cosine", warmup=0.2, floor=0.1)
    assert trajectory["schedule"] == "cosine, total 10, warmup .2, decay_ratio .1"
    for step in trajectory["steps"]:
        rate = learning_rate(schedule, step["step"], 10)
        assert rate == pytest.approx(step["lr_used"], rel=DOUBLE_TOLERANCE)
        result = step_alone(
            Loss(model),
            optimizer,
            [batch],
            learning_rate=rate,
            grad_clip=config.grad_clip,
            dtype=torch.float32,
        )
        # Rounding grows from step to step; the goldens allow ten times as much after the third.
        tolerance = MODEL_TOLERANCE * (1 if step["step"] < 3 else 10)
        assert result.applied
        assert result.loss == pytest.approx(step["loss"], rel=tolerance), step
        assert result.grad_norm == pytest.approx(step["grad_norm_before_clip"], rel=tolerance), step
    norms = {rename(name): norm for name, norm in trajectory["parameter_norms_after"].items()}
    assert norms.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        assert parameter.norm().item() == pytest.approx(norms[name], rel=10 * MODEL_TOLERANCE), name
