"""What a step is said to cost every process, against steps that are made: memory of tensors, collectives."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.core.processes import ALONE
from glmkit.families.registry import family_of, preset
from glmkit.recipes.pretraining import RECIPES
from glmkit.train.mesh_cost import mesh_cost
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.parallel import ParallelConfig

from .memory_worker import CASES, measure, settings
from .test_parallel import finished, run

NAMES = {"allreduce_": "all_reduce", "_allgather_base_": "all_gather", "_reduce_scatter_base_": "reduce_scatter"}


def test_memory_of_one_process_is_what_its_tensors_take() -> None:
    case = (2, True, False, "float32")
    cost = mesh_cost(settings(case, 1), 1, torch.float32)
    assert measure(case, ALONE)["peak"] == pytest.approx(cost.memory.peak, rel=0.15)
    assert (cost.collectives, cost.sent) == ({}, 0)


@pytest.mark.slow
def test_memory_and_collectives_of_two_processes(tmp_path: Path) -> None:
    """Sharded, accumulated, with weights that stay, replicated, and in bfloat16."""
    finished(run(2, "tests.train.memory_worker", str(tmp_path / "measured.json")))
    measured = json.loads((tmp_path / "measured.json").read_text())
    assert len(measured) == len(CASES)
    for case in CASES:
        cost = mesh_cost(settings(case, 2), 2, getattr(torch, case[3]))
        for process in measured[str(case)]:
            assert process["peak"] == pytest.approx(cost.memory.peak, rel=0.15), case
            counts = {NAMES[name]: count for name, count in process["collectives"].items()}
            assert counts | {"all_reduce": counts["all_reduce"] + 1} == cost.collectives, case  # the trainer's own


def test_parts_and_traffic_by_hand() -> None:
    """Two groups of four: a quarter of everything; a ring passes on three quarters within, a half twice between."""
    config = replace(RECIPES["glm-base"](), parallel=ParallelConfig(replicate=2), batch_size=128)
    cost = mesh_cost(config, 8, torch.bfloat16)
    model = family_of(config.model).build(config.model)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    inside = sum(parameter.numel() for parameter in model.blocks.parameters())
    assert (cost.parameters, cost.rounds, cost.world) == (numbers, 1, 8)
    assert cost.memory.state == pytest.approx(16 * numbers / 4, rel=1e-4)  # rows are rounded up
    assert cost.memory.accumulated == 0
    gathered = 2 * 2 * inside + 4 * (numbers - inside)
    assert cost.sent == round((gathered + 4 * numbers) * 3 / 4 + 2 * 4 * numbers / 4 / 2)
    assert cost.checkpoint == (4 * numbers, 8 * numbers)


def test_muon_keeps_one_moment_of_its_matrices() -> None:
    config = replace(RECIPES["neoglm-base"](), batch_size=8, micro_batch_size=1)
    muon, adamw = (
        mesh_cost(replace(config, optimizer=OptimizerConfig(name=name)), 8, torch.bfloat16)
        for name in ("muon", "adamw")
    )
    assert muon.memory.moments < 0.7 * adamw.memory.moments
    assert muon.checkpoint[1] < adamw.checkpoint[1]
    assert muon.collectives["all_gather"] > adamw.collectives["all_gather"]


def test_more_processes_than_rows_are_refused() -> None:
    config = replace(RECIPES["glm-base"](), model=preset("glm-nano"), batch_size=16)
    with pytest.raises(UserError, match="batch_size 16 is less than the 32 processes"):
        mesh_cost(config, 32, torch.bfloat16)
