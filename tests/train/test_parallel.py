"""Several processes train as one: the same gradients, checkpoints for any number of processes, processes that die."""

import math
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

import glmkit
from glmkit.core.errors import UserError
from glmkit.objective.loss import Loss
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import read_log
from glmkit.train.optimizer import OptimizerConfig, make_optimizer
from glmkit.train.parallel import ParallelConfig, Single
from glmkit.train.pretrain import pretrain
from glmkit.train.shard import mesh_of
from glmkit.train.step import StepResult, train_step
from glmkit.train.trainer import Spikes

from .conftest import Stop, StopAtSave, as_flags, elsewhere, wait_for
from .parallel_worker import CASES, batch, gradients, model_of, updates

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]


def run(world: int, *arguments: str, restarts: int = 0) -> subprocess.Popen[str]:
    """A module started by torchrun in so many processes, in a group of its own."""
    return subprocess.Popen(
        [*TORCHRUN, f"--nproc_per_node={world}", f"--max_restarts={restarts}", "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finished(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=600)
    assert process.returncode == 0, text[-4000:]
    return text


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """The same step by 1, 2 and 3 processes."""
    out = tmp_path_factory.mktemp("gradients")
    gradients(out)
    for world in (2, 3):
        finished(run(world, "tests.train.parallel_worker", "gradients", str(out)))
    return {world: torch.load(out / f"{world}.pt", weights_only=True) for world in (1, 2, 3)}


@pytest.mark.slow
@pytest.mark.parametrize("replicated", [False, True])
@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(("family", "method"), CASES)
def test_a_step_is_the_same_by_any_number_of_processes(
    family: str, method: str, world: int, replicated: bool, steps: dict[int, Any]
) -> None:
    """Five micro-batches of different weight, which the processes do not divide; sharded, and replicated."""
    alone, shared = steps[1][f"{family}, {method}, False"], steps[world][f"{family}, {method}, {replicated}"]
    assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-6)
    assert shared["norm"] == pytest.approx(alone["norm"], rel=1e-5)
    assert shared["gradients"].keys() == alone["gradients"].keys()
    for name, gradient in alone["gradients"].items():
        torch.testing.assert_close(shared["gradients"][name], gradient, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.slow
def test_gradients_are_reduced_once_a_step(steps: dict[int, Any]) -> None:
    """Of two or three micro-batches only the last reduces: once for each block and once for the rest, and one sum more
    for loss and norm. Blocks are gathered for the forward and for the backward pass, the rest for both together."""
    for world, rounds in ((2, 3), (3, 2)):
        sharded, replicated = (steps[world][f"glm, full, {copies}"] for copies in (False, True))
        parts = sharded["parts"]
        gatherings = rounds * (2 * (parts - 1) + 1)
        wanted = {"_allgather_base_": gatherings, "_reduce_scatter_base_": parts, "allreduce_": 1}
        assert sharded["collectives"] == wanted
        assert replicated["collectives"] == {"allreduce_": parts + 1}


@pytest.mark.slow
def test_muon_updates_with_the_bits_of_one_process(tmp_path: Path) -> None:
    """Of three processes too, whose parts of a matrix are not alike."""
    updates(tmp_path)
    for world in (2, 3):
        finished(run(world, "tests.train.parallel_worker", "updates", str(tmp_path)))
    alone, *shared = (torch.load(tmp_path / f"{world}.pt", weights_only=True) for world in (1, 2, 3))
    for weights in shared:
        for name, weight in alone.items():
            assert torch.equal(weights[name], weight), name


@pytest.mark.slow
def test_moments_lie_in_several_files_of_each_process(tmp_path: Path) -> None:
    """So that a process writes them with little memory beside its own; what is read is what was written."""
    finished(run(2, "tests.train.parallel_worker", "moments", str(tmp_path)))
    files = [path.name for path in (tmp_path / "checkpoints/step-00000001/training").glob("*.safetensors")]
    assert all(len([name for name in files if name.startswith(f"shard-0000{rank}")]) > 2 for rank in (1, 2)), files


@pytest.mark.slow
def test_shards_lie_on_the_device_of_the_run(tmp_path: Path) -> None:
    finished(run(2, "tests.train.parallel_worker", "where", str(tmp_path)))


def pretraining(config: PretrainConfig, world: int, restarts: int = 0) -> subprocess.Popen[str]:
    return run(world, "glmkit.cli.main", "pretrain", "glm-nano", *as_flags(config), restarts=restarts)


def kill_at(process: subprocess.Popen[str], checkpoint: Path) -> None:
    """Kills torchrun and all of its processes as soon as the checkpoint is there."""
    wait_for(checkpoint, process)
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        one.kill()
    process.wait()


def trajectory(path: Path) -> dict[int, tuple[float, int]]:
    """Loss and tokens by step, of a step that was made twice as it was the last time."""
    return {event["step"]: (event["loss"], event["tokens"]) for event in read_log(path) if event["kind"] == "step"}


@pytest.mark.slow
def test_a_run_goes_on_in_any_number_of_processes(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    """4 processes killed, 2 killed, 3 to the end: with dropout, and the examples of one process in the same steps."""
    config = elsewhere(tiny_run, tmp_path / "any", micro_batch_size=2, steps=60, save_every=10, log_every=1)
    config = elsewhere(config, tmp_path / "any", resume="auto", validation_every=60)
    pretrain(alone := elsewhere(config, tmp_path / "alone"))
    for world, step in ((4, 10), (2, 30)):
        kill_at(pretraining(config, world), tmp_path / f"any/checkpoints/step-{step:08d}")
    finished(pretraining(config, 3))
    one, several = trajectory(Path(alone.output)), trajectory(tmp_path / "any")
    assert several.keys() == one.keys() == set(range(1, 61))
    for step, (loss, tokens) in one.items():
        assert several[step][1] == tokens
        assert several[step][0] == pytest.approx(loss, abs=1e-3), step
    for name, tensor in glmkit.load(alone.output).module.state_dict().items():
        torch.testing.assert_close(
            glmkit.load(tmp_path / "any").module.state_dict()[name], tensor, atol=2e-3, rtol=1e-2, msg=name
        )


@pytest.mark.slow
def test_a_killed_process_is_started_again(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    """One of two is killed behind a checkpoint: torchrun starts both again, and they end as if nothing had happened."""
    config = elsewhere(tiny_run, tmp_path / "killed", steps=60, save_every=10, validation_every=60, resume="auto")
    finished(pretraining(elsewhere(config, tmp_path / "left"), 2))
    process = pretraining(config, 2, restarts=3)
    wait_for(tmp_path / "killed/checkpoints/step-00000010", process)
    os.kill(children(process.pid)[1], signal.SIGKILL)
    finished(process)
    models = [(tmp_path / name / "model/model.safetensors").read_bytes() for name in ("left", "killed")]
    assert models[0] == models[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        ("--no_key=1", "no_key"),
        ("--batch_size=1", "batch_size 1 is less than the 2 processes"),
        ("--parallel.replicate=3", "parallel.replicate=3 times parallel.shard=1 is not the number of processes, 2"),
    ],
)
def test_a_mistake_is_said_once_and_not_made_again(tiny_run: PretrainConfig, mistake: str, line: str) -> None:
    flags = [*as_flags(elsewhere(tiny_run, Path(tiny_run.output), micro_batch_size=1)), mistake]
    process = run(2, "glmkit.cli.main", "pretrain", "glm-nano", *flags, restarts=3)
    text, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert text.count("glmkit: ") == 1, text[-4000:]
    assert line in text
    assert not Path(tiny_run.output).exists()


def children(parent: int) -> list[int]:
    return [process.pid for process in psutil.Process(parent).children()]


def test_spikes_leave_the_weights_as_they_are() -> None:
    spikes = Spikes(6.0, deque(maxlen=Spikes.REMEMBERED))
    for number in range(Spikes.REMEMBERED // 2):
        assert spikes.limit == math.inf
        spikes.observe(StepResult(1.0, 1.0 + number % 2, True, True))
    assert spikes.limit == pytest.approx(1.5 + 6 * 0.5)
    spikes.observe(StepResult(1.0, 9.0, True, False))
    assert (spikes.skipped, spikes.limit) == (1, pytest.approx(4.5))
    assert Spikes(0.0, spikes.norms).limit == math.inf


def test_a_step_beyond_the_limit_changes_nothing() -> None:
    model = model_of("glm", "full")
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = make_optimizer(model, OptimizerConfig(), 1e-2)
    settings: dict[str, Any] = {"weight": 1.0, "learning_rate": 1e-2, "grad_clip": 1.0, "dtype": torch.float32}
    settings |= {"parallel": Single(), "seed": 0}
    loss = Loss(model)  # type: ignore[arg-type]
    step = train_step(loss, optimizer, [batch(0, model)], norm_limit=1e-6, **settings)
    assert (step.finite, step.applied) == (True, False)
    assert all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    assert train_step(loss, optimizer, [batch(0, model)], **settings).applied
    assert not all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())


def test_a_run_that_skips_spikes_goes_on_with_the_same_bits(tiny_run: PretrainConfig, tmp_path: Path) -> None:
    config = elsewhere(tiny_run, tmp_path / "whole", skip_spikes=3.0)
    whole = pretrain(config)
    with pytest.raises(Stop):
        pretrain(part := elsewhere(config, tmp_path / "part"), lambda trainer, done: [StopAtSave()])
    again = pretrain(elsewhere(part, tmp_path / "part", resume="auto"))
    assert (whole / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


def test_groups_that_do_not_make_up_the_processes() -> None:
    assert mesh_of(ParallelConfig(), 4) == (1, 4)
    assert mesh_of(ParallelConfig(replicate=2), 4) == (2, 2)
    with pytest.raises(UserError, match=r"parallel\.replicate=3 times parallel.shard=1 is not the number .* 4"):
        mesh_of(ParallelConfig(replicate=3), 4)
    with pytest.raises(UserError, match=r"parallel\.shard must be"):
        ParallelConfig(shard=0)
