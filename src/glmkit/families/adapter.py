"""Adapters: small directories that change a model without holding it, and name the one they were trained on.

DIR/adapter.json                 method, family, the base's directory and fingerprint (ours; others' adapters have none)
DIR/adapter_config.json          LoRA: what peft writes, and reads
DIR/adapter_model.safetensors
DIR/model.safetensors            P-tuning: the prefix, under its official names
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.families.detect import read_table
from glmkit.families.hub import local
from glmkit.families.load import Source

ADAPTER = "adapter.json"
_WHOLE, _SAMPLE = 1 << 16, 64  # numbers: of tensors read whole, of those read from larger ones


@dataclass(frozen=True, kw_only=True)
class AdapterOf:
    """What an adapter says of its base."""

    method: Literal["lora", "ptuning"]
    family: str
    base: str
    fingerprint: str

    def write(self, directory: Path) -> None:
        (directory / ADAPTER).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def find_adapter(path: Path) -> Path | None:
    """The adapter in `path`: itself, or of a training run the finished one or the last checkpoint. None for others."""
    places = (path, path / "model", *sorted((path / "checkpoints").glob("step-*"), reverse=True))
    return next((place for place in places if (place / ADAPTER).is_file()), None)


def read_adapter(directory: Path) -> AdapterOf | None:
    """What the adapter in `directory` says of its base; None for somebody else's, which does not tell."""
    path = directory / ADAPTER
    return from_mapping(AdapterOf, read_table(path), str(path)) if path.is_file() else None


def base_of(adapter: Path) -> Path:
    """The directory of the model that an adapter was trained on. Raises UserError when it is not there."""
    told = read_adapter(adapter)
    assert told is not None, "only adapters of ours are found by their base"
    if not local(Path(told.base)).is_dir():
        raise UserError(
            f"{adapter} is an adapter of {told.base}, which is not there; give the model itself and --adapter {adapter}"
        )
    return Path(told.base)


def check_base(adapter: Path, source: Source) -> None:
    """Raises UserError for an adapter that was trained on another model than `source`."""
    told = read_adapter(adapter)
    if told is None:
        return
    spec, place = source.found.family, source.found.directory
    if told.family != spec.name:
        raise UserError(
            f"{adapter} is an adapter of family {told.family}, {place} is of family {spec.name}: "
            f"use its base, {told.base}"
        )
    if told.fingerprint != fingerprint(source):
        raise UserError(f"{adapter} was trained on other weights than those of {place}: use its base, {told.base}")


def fingerprint(source: Source) -> str:
    """A hash of the model's family, of the names and shapes of its weights, and of numbers from all of them.

    It is of what the files hold, so it does not depend on how the model is loaded.
    """
    digest = hashlib.sha256(source.found.family.name.encode())
    for name in sorted(source.weights.keys()):
        entry = source.weights.entries[name]
        digest.update(f"{name}{tuple(entry.shape)}".encode())
        numbers = entry.read().reshape(-1)
        if len(numbers) > _WHOLE:
            numbers = numbers[torch.linspace(0, len(numbers) - 1, _SAMPLE, dtype=torch.float64).long()]
        digest.update(numbers.to(torch.float32).contiguous().numpy().tobytes())
        entry.release()
    return digest.hexdigest()
