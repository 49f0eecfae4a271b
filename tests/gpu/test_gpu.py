"""On a GPU: the numbers of the processor, runs that go on with the same bits, and two devices as one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.generate.sampling import SamplingParams
from glmkit.objective.loss import Loss, language_model
from glmkit.testing import tiny
from glmkit.train.config import PretrainConfig
from glmkit.train.logs import read_log
from glmkit.train.pretrain import pretrain
from tests.train.conftest import Stop, StopAtSave, as_flags, elsewhere, tiny_run
from tests.train.parallel_worker import batch

__all__ = ["tiny_run"]  # the fixture
FAMILIES = ["glm", "neoglm", "chatglm", "chatglm2"]
DEVICES = torch.cuda.device_count()

pytestmark = pytest.mark.skipif(not DEVICES, reason="no GPU on this machine")


@pytest.fixture(autouse=True)
def _exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.fixture
def run_on_gpu(tiny_run: PretrainConfig) -> PretrainConfig:
    return replace(tiny_run, device="cuda")


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_processor(family: str) -> None:
    m, ids = tiny(family), [[5, 6, 7, 8, 9, 10, 11]]
    there = tiny(family).to("cuda")
    torch.testing.assert_close(there.logits(ids).cpu(), m.logits(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["neoglm", "chatglm2"])
def test_what_is_written_is_what_the_processor_writes(family: str) -> None:
    greedy = SamplingParams(temperature=0)
    here, there = tiny(family), tiny(family).to("cuda")
    assert there.generate("abcde", 24, greedy) == here.generate("abcde", 24, greedy)


@pytest.mark.parametrize("family", ["glm", "chatglm2"])
def test_gradients_are_those_of_the_processor(family: str) -> None:
    gradients = {}
    for device in ("cpu", "cuda"):
        model = tiny(family).module.train().to(device)
        Loss(language_model(model))(batch(0, model).to(torch.device(device))).backward()
        gradients[device] = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    assert gradients["cuda"].keys() == gradients["cpu"].keys()
    for name, gradient in gradients["cpu"].items():
        torch.testing.assert_close(gradients["cuda"][name], gradient, atol=1e-4, rtol=1e-3, msg=name)


def test_a_run_goes_on_as_if_it_had_not_stopped(run_on_gpu: PretrainConfig, tmp_path: Path) -> None:
    pretrain(elsewhere(run_on_gpu, tmp_path / "whole"))
    part = elsewhere(run_on_gpu, tmp_path / "part")
    with pytest.raises(Stop):
        pretrain(part, lambda trainer, done: [StopAtSave()])
    pretrain(replace(part, resume="auto"))
    assert losses(tmp_path / "part") == pytest.approx(losses(tmp_path / "whole"), abs=1e-4)


def losses(run: Path) -> list[float]:
    return [record["loss"] for record in read_log(run) if record["kind"] == "step"]


@pytest.mark.skipif(DEVICES < 2, reason="one GPU only: processes have one each")
def test_two_devices_train_as_one(run_on_gpu: PretrainConfig, tmp_path: Path) -> None:
    pretrain(elsewhere(run_on_gpu, tmp_path / "one"))
    config = elsewhere(run_on_gpu, tmp_path / "two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "glmkit.cli.main", "pretrain", "glm-nano", *as_flags(config)]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=600)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)


def test_a_device_that_is_not_there_is_named(run_on_gpu: PretrainConfig) -> None:
    with pytest.raises(UserError, match=f"no device 'cuda:{DEVICES}'"):
        pretrain(replace(run_on_gpu, device=f"cuda:{DEVICES}"))
