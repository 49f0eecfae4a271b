"""Checkpoints come back exactly, old ones go, and a damaged one or a full disk is told in one line."""

import json
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import torch

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core.errors import CorruptFile, TrainingDiverged
from glmkit.core.types import AttentionMask, Batch
from glmkit.families import directory
from glmkit.families.glm import GLM_FAMILY
from glmkit.families.load import read
from glmkit.models.glm import GLM, GLMConfig, initialize
from glmkit.objective.loss import batch_loss
from glmkit.train.optimizer import OptimizerConfig, adamw

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
CONFIG = GLMConfig(num_layers=1, hidden_size=8, num_heads=2, vocab_size=32, max_positions=16)


class Run:
    """A model in training, with a store for its checkpoints."""

    def __init__(self, path: Path, seed: int = 0, keep_last: int = 2, device: str = "cpu") -> None:
        self.model = GLM(CONFIG)
        initialize(self.model, torch.Generator().manual_seed(seed))
        self.model.to(device)
        self.device = device
        self.optimizer = adamw(self.model, OptimizerConfig())
        self.store = CheckpointStore(path, keep_last)
        self.steps = 0

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            generator = torch.Generator().manual_seed(self.steps)
            tokens = torch.randint(0, 32, (2, 6), generator=generator)
            batch = Batch(
                tokens=tokens,
                targets=tokens.flip(1),
                weights=torch.ones(2, 6),
                positions=torch.arange(6).expand(2, 2, 6),
                mask=AttentionMask.prefix([3, 4]),
            )
            self.optimizer.zero_grad()
            batch_loss(self.model, batch.to(self.device)).backward()
            for group in self.optimizer.param_groups:
                group["lr"] = 0.01
            self.optimizer.step()
            self.steps += 1

    def save(self, rank: float | None = None) -> Path:
        state = {"step": self.steps, "data": {"epoch": 1, "waiting": [[0, 3]]}, "rank": rank}
        write = partial(
            directory.write, spec=GLM_FAMILY, config=CONFIG, model=self.model, tokenizer=None, run={"made": "here"}
        )
        return self.store.save(state, self.model, self.optimizer, write)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def names(run: Run) -> list[str]:
    return [path.name for path in run.store.all()]


@pytest.mark.parametrize("device", DEVICES)
def test_a_restored_run_goes_on_bit_for_bit(tmp_path: Path, device: str) -> None:
    run = Run(tmp_path, device=device)
    run.step(3)
    path = run.save()
    weights = run.weights()
    run.step(4)

    resumed = Run(tmp_path, seed=99, device=device)
    state = resumed.store.restore(path, resumed.model, resumed.optimizer)
    assert state["step"] == 3
    assert state["data"] == {"epoch": 1, "waiting": [[0, 3]]}
    assert same(resumed.weights(), weights)
    resumed.steps = 3
    resumed.step(4)
    assert same(resumed.weights(), run.weights())


def test_a_checkpoint_of_an_untrained_model_is_restored(tmp_path: Path) -> None:
    run = Run(tmp_path)
    path = run.save()
    resumed = Run(tmp_path, seed=99)
    resumed.store.restore(path, resumed.model, resumed.optimizer)
    run.step(2)
    resumed.step(2)
    assert same(resumed.weights(), run.weights())


@pytest.mark.filterwarnings("ignore:.*a meta parameter.*no-op")
@pytest.mark.parametrize("device", DEVICES)
def test_moments_and_step_counts_lie_where_their_parameters_do(tmp_path: Path, device: str) -> None:
    run = Run(tmp_path)
    run.step()
    elsewhere = Run(tmp_path, device=device)
    elsewhere.store.restore(run.save(), elsewhere.model, elsewhere.optimizer)
    for parameter in elsewhere.model.parameters():
        state = elsewhere.optimizer.state[parameter]
        assert {name: tensor.device.type for name, tensor in state.items()} == {
            "exp_avg": device,
            "exp_avg_sq": device,
            "step": device,
        }


def test_a_checkpoint_is_a_model_directory(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.step()
    loaded = read(run.save())
    assert loaded.config == CONFIG
    assert same(loaded.model.state_dict(), run.weights())
    assert same(read(tmp_path).model.state_dict(), run.weights()), "a run means its last checkpoint"


def test_the_latest_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    run = Run(tmp_path, keep_last=9)
    assert run.store.latest() is None
    assert run.store.all() == []
    for _ in range(3):
        run.step(4)
        path = run.save()
    assert run.store.latest() == path
    assert names(run) == ["step-00000004", "step-00000008", "step-00000012"]


def test_an_incomplete_directory_is_no_checkpoint(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.step()
    path = run.save()
    (tmp_path / "checkpoints" / "step-00000002").mkdir()
    assert run.store.latest() == path


def test_the_last_few_and_the_best_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, keep_last=2)
    for loss in (5.0, 3.0, 4.0, None, 3.5, 6.0):
        run.step()
        run.save(rank=loss)
    assert names(run) == ["step-00000002", "step-00000005", "step-00000006"]
    run.step()
    run.save(rank=2.0)
    assert names(run) == ["step-00000006", "step-00000007"], "the best is among the last"


def test_without_measurements_the_last_few_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, keep_last=1)
    for _ in range(3):
        run.step()
        run.save()
    assert names(run) == ["step-00000003"]


def test_saving_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.step()
    run.save(rank=9.0)
    path = run.save(rank=1.0)
    assert json.loads((path / "training/state.json").read_text())["rank"] == 1.0
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def restoring(run: Run, path: Path) -> str:
    fresh = Run(run.store.run, seed=99)
    with pytest.raises(CorruptFile) as raised:
        fresh.store.restore(path, fresh.model, fresh.optimizer)
    assert f"remove {path} to go on from the checkpoint before it" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", ["training/optimizer.safetensors", "model.safetensors"])
def test_an_altered_file_is_refused_with_its_checksum(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path)
    run.step()
    path = run.save()
    content = bytearray((path / name).read_bytes())
    content[-1] ^= 1
    (path / name).write_bytes(content)
    message = restoring(run, path)
    assert f"{path / name} is damaged: SHA-256 " in message
    assert " says " in message


@pytest.mark.parametrize(
    "name", ["training/optimizer.safetensors", "training/state.json", "model.safetensors", "config.json"]
)
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path)
    run.step()
    path = run.save()
    (path / name).unlink()
    assert Path(name).name in restoring(run, path)


@pytest.mark.parametrize("content", [b"", b'{"step": 1', b"\xff\xfe\x00", b"{}", b"[]"])
@pytest.mark.parametrize("name", ["training/state.json", "config.json"])
def test_a_damaged_table_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    run = Run(tmp_path)
    run.step()
    path = run.save()
    (path / name).write_bytes(content)
    restoring(run, path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    path = run.save()
    other = GLM(GLMConfig(num_layers=2, hidden_size=8, num_heads=2, vocab_size=32, max_positions=16))
    with pytest.raises(CorruptFile, match=r"lacks blocks\.1\."):
        run.store.restore(path, other, adamw(other, OptimizerConfig()))


FULL_DISK = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from tests.unit.checkpoint.test_store import Run

    run = Run(Path(sys.argv[1]))
    run.step()
    run.save()
    run.step()
    for room in (100, (run.store.latest() / "model.safetensors").stat().st_size):  # moments are twice the weights
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            run.save()
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    """
)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    """First not even the weights fit, then they do but the moments do not."""
    checkout = Path(__file__).parents[3]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    survivor = tmp_path / "checkpoints" / "step-00000001"
    messages = done.stdout.splitlines()
    assert len(messages) == 2
    for message in messages:
        assert message.startswith(f"UserError: could not save {survivor.with_name('step-00000002')}: ")
        assert "File too large" in message
        assert message.endswith(f"the last good checkpoint is {survivor}")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [survivor.name]
    run = Run(tmp_path, seed=99)
    assert run.store.restore(survivor, run.model, run.optimizer)["step"] == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("what", ["blocks.0.mlp.up.weight", "blocks.0.mlp.up.weight/exp_avg_sq"])
def test_numbers_that_are_none_are_no_checkpoint(tmp_path: Path, what: str, value: float) -> None:
    run = Run(tmp_path)
    run.step()
    survivor = run.save()
    run.step()
    name, _, moment = what.partition("/")
    parameter = run.model.get_parameter(name)
    with torch.no_grad():
        (run.optimizer.state[parameter][moment] if moment else parameter)[0, 0] = value
    with pytest.raises(TrainingDiverged, match=rf"^step 2: the weight {what} holds (NaN|infinity)") as raised:
        run.save()
    assert f"the last good checkpoint is {survivor}" in str(raised.value)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [survivor.name]
