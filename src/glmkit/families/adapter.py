"""Adapters: small directories that change a model without holding it, and name the one they were trained on.

DIR/adapter.json                 method, family, the base's directory and fingerprint (ours; others' adapters have none)
DIR/adapter_config.json          LoRA: what peft writes, and reads
DIR/adapter_model.safetensors
DIR/model.safetensors            P-tuning: the prefix, under its official names
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from glmkit.convert.weights import open_weights
from glmkit.core.errors import UserError, argument
from glmkit.families.adapter_files import ADAPTER, PREFIX, AdapterOf, find_adapter, has_files_of_peft, read_adapter
from glmkit.families.detect import CONFIG
from glmkit.families.load import Source

_WHOLE, _SAMPLE = 1 << 16, 64  # numbers: of tensors read whole, of those read from larger ones


def write_base(directory: Path, told: AdapterOf) -> None:
    """Writes what an adapter says of its base beside it."""
    (directory / ADAPTER).write_text(json.dumps(asdict(told), indent=1) + "\n", encoding="utf-8")


def adapter_at(path: Path) -> Path:
    """The adapter that `path` means: a directory of one, ours or somebody's, or the run that trained it.

    Raises UserError saying what is there instead.
    """
    if not path.is_dir():
        raise UserError(
            f"{path}: " + ("not a directory; give the one it is in" if path.exists() else "no such directory")
        )
    if has_files_of_peft(path):
        return path
    if (found := find_adapter(path)) is not None:
        return found
    model = f"is a model, no adapter; leave out {argument('adapter')}, or give it as the model"
    if (path / "model" / CONFIG).is_file():
        raise UserError(f"{path} {model}")
    if not any(key.startswith(PREFIX) for key in open_weights(path).keys()):  # noqa: SIM118 (not a mapping)
        raise UserError(f"{path} {model} (it has neither adapter_config.json nor weights of {PREFIX}*)")
    return path


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
