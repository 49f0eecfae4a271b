"""A run small enough to repeat: prepared text and a config that trains on it in a second or two."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from glmkit.cli.pretrain import FIXED
from glmkit.core.config import to_mapping
from glmkit.families.registry import preset
from glmkit.train.config import PretrainConfig
from glmkit.train.schedule import ScheduleConfig


@pytest.fixture
def tiny_run(prepared: Path, tmp_path: Path) -> PretrainConfig:
    return PretrainConfig(
        data=str(prepared),
        output=str(tmp_path / "run"),
        model=replace(preset("glm-nano"), dropout=0.1),
        steps=12,
        seq_length=32,
        batch_size=8,
        micro_batch_size=4,
        schedule=ScheduleConfig(peak=1e-3),
        validation=0.1,
        validation_every=6,
        validation_examples=20,
        save_every=3,
        log_every=2,
        precision="float32",
        device="cpu",
    )


def elsewhere(config: PretrainConfig, output: Path, **changes: object) -> PretrainConfig:
    """The same run with another output directory."""
    return replace(config, output=str(output), **changes)


def wait_for(path: Path, *processes: "subprocess.Popen[str]") -> None:
    """Returns when there is something at `path`; until then the processes must be at work."""
    end = time.monotonic() + 300
    while not path.exists():
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.05)


class Stop(Exception):
    """A run that ends in the middle."""


class StopAtSave:
    """Stops a run behind its first checkpoint."""

    def on_step(self, record: object) -> None: ...
    def on_measure(self, step: int, measures: object) -> None: ...
    def on_save(self, path: Path) -> None:
        raise Stop

    def close(self) -> None: ...


def as_flags(config: PretrainConfig) -> list[str]:
    """The config as a user gives it on the command line; the recipe is glm-nano."""
    values = flat(to_mapping(config))
    return [f"--{key}={value}" for key, value in values.items() if value != "" and key not in FIXED]


def flat(values: dict[str, object], before: str = "") -> dict[str, object]:
    results: dict[str, object] = {}
    for key, value in values.items():
        results |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return results
