"""The table of docs/cluster.md is what `--dry-run` computes: python -m tests.cli.test_cluster_page prints it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glmkit.families.registry import family_of, preset
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.train.config import PretrainConfig
from glmkit.train.mesh_cost import MeshCost, mesh_cost
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.parallel import ParallelConfig

DOCS = Path(__file__).parents[2] / "docs"
SIZES = (
    *("glm-base", "glm-large", "glm-roberta-large", "glm-large-chinese", "glm-410m", "glm-515m", "glm-2b"),
    *("glm-10b", "glm-10b-chinese", "chatglm-6b", "chatglm2-6b", "neoglm-base", "neoglm-large"),
)
MESHES = ((1, 1), (1, 8), (1, 64), (16, 64))  # groups, processes in each
TOKENS = 4096  # of text in the one micro-batch that a process reads a step


def cost(name: str, replicate: int, shard: int) -> MeshCost:
    model = preset(name)
    family, length = family_of(model).name, 2048 if name.startswith("chatglm") else 512
    rows, world = TOKENS // length, replicate * shard
    config = PretrainConfig(
        model=model,
        seq_length=length,
        batch_size=rows * world,
        micro_batch_size=rows,
        checkpoint_activations=True,
        parallel=ParallelConfig(replicate=replicate),
        objective=ObjectiveConfig() if family != "chatglm2" else ObjectiveConfig(token=0, causal=1),
    )
    if family == "neoglm":
        config = replace(config, optimizer=OptimizerConfig(name="muon"))
    return mesh_cost(config, world, torch.bfloat16)


def row(name: str) -> str:
    costs = [cost(name, *mesh) for mesh in MESHES]
    memory = [f"{item.memory.peak / 2**30:.1f}" for item in costs]
    sent = [f"{item.sent / 2**30:.1f}" for item in costs[1:]]
    size = f"{costs[0].parameters / 1e6:,.0f}M"
    return f"| {name} | {size} | {' | '.join(memory)} | {' | '.join(sent)} | {sum(costs[0].checkpoint) / 2**30:.1f} |"


@pytest.mark.parametrize("page", ["cluster.md", "cluster.zh.md"])
def test_the_table_is_what_is_computed(page: str) -> None:
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith(tuple(f"| {name} |" for name in SIZES))]
    assert shown == [row(name) for name in SIZES]


if __name__ == "__main__":
    print("\n".join(map(row, SIZES)))
