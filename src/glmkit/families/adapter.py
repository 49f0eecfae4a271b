"""Adapters: small directories that change a model without holding it, and name the one they were trained on.

DIR/adapter.json                 method, family, the base's directory and fingerprint (ours; others' adapters have none)
DIR/adapter_config.json          LoRA: what peft writes, and reads
DIR/adapter_model.safetensors    (or .bin)
DIR/model.safetensors            P-tuning: the prefix, under its official names (or pytorch_model.bin)
DIR/checkpoint-3000/...          either, inside the folder of somebody's training
"""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from glmkit.conversion.choice import ORDER, check_inside
from glmkit.conversion.statemap import listed
from glmkit.conversion.weights import open_weights
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError, argument, short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import TEXT, optional
from glmkit.core.strict_json import read_json
from glmkit.families.hub import local
from glmkit.families.load import Source
from glmkit.families.prefix import is_of_prefix

ADAPTER, CONFIG = "adapter.json", "adapter_config.json"
SAFE, BIN = "adapter_model.safetensors", "adapter_model.bin"
_AGAIN = "; copy the adapter again"
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


def adapter_at(path: Path) -> Path:
    """The adapter that `path` means: one of ours as `find_adapter`, somebody's, or the only checkpoint of somebody's
    training. Raises UserError for what is none, saying what it is."""
    if not path.is_dir():
        raise UserError(
            f"{path}: " + ("not a directory; give the one it is in" if path.exists() else "no such directory")
        )
    if (adapter := find_adapter(path)) is not None or kind_of(path):
        return adapter or path
    inside = [item for item in path.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{1,18}", item.name)]
    steps = sorted((item for item in inside if kind_of(item)), key=lambda item: int(item.name.partition("-")[2]))
    if len(steps) == 1:
        return steps[0]
    if steps:
        raise UserError(
            f"{path} holds {listed([step.name for step in steps])}; give one of them, {steps[-1]} the newest"
        )
    if any(os.path.lexists(path / name) for name in (*ORDER, "config.json")):
        raise UserError(f"{path} is a model, not an adapter: give it as the model")
    if any(os.path.lexists(path / name) for name in (SAFE, BIN)):
        raise UserError(f"{path} has no {CONFIG}, which says what its weights are for; copy it too")
    raise UserError(f"{path} holds no adapter: neither {CONFIG} of LoRA nor a prefix of P-tuning")


def kind_of(path: Path) -> str:
    """ "LoRA" or "P-tuning" for a directory that holds such an adapter, "" for others.

    Every adapter of peft counts as LoRA here; `read_config` tells. A whole model is none, with a prefix or without.
    """
    if os.path.lexists(path / CONFIG):
        return "LoRA"
    if not any(os.path.lexists(path / name) for name in ORDER) or os.path.lexists(path / "special_tokens.json"):
        return ""
    keys = open_weights(path).keys()
    return "P-tuning" if keys and all(is_of_prefix(key) for key in keys) else ""


def refuse_adapter(path: Path, merged: bool = True) -> None:
    """Raises UserError for an adapter where a model is wanted, with the command that makes it one, and how to lay it
    over its model unless the model has to be a whole one (`merged`)."""
    adapter = find_adapter(path) or (path if path.is_dir() and kind_of(path) else None)
    if adapter is None:
        return
    kind, base = kind_of(adapter), named_base(adapter)
    if not merged and kind == "P-tuning":
        flag = argument("adapter", str(path))
        raise UserError(f"{path} holds only a prefix; load the base model and give {flag} (P-tuning)")
    there = base is not None and Path(base).is_dir()
    named = "a model that it does not name" if base is None else base if there else short(base)[1:-1]
    what = f"{path} is a {kind} adapter of {named}, not a model"
    first = f"merge it first: glmkit merge {path} OUT{'' if there else ' --base MODEL'}"
    if merged:
        raise UserError(f"{what}; {first}")
    flag = argument("adapter", str(path))
    raise UserError(f"{what}; give {f'{base} as the model' if there else 'the model'} and {flag}, or {first}")


def read_config(directory: Path) -> JsonObject:
    """The adapter_config.json of a directory. Raises CorruptFile."""
    check_inside(directory, CONFIG)
    return read_json(directory / CONFIG, _AGAIN, {"base_model_name_or_path": optional(TEXT)})


def read_adapter(directory: Path) -> AdapterOf | None:
    """What the adapter in `directory` says of its base; None for somebody else's, which does not tell."""
    path = directory / ADAPTER
    if not os.path.lexists(path):
        return None
    check_inside(directory, ADAPTER)
    return from_mapping(AdapterOf, read_json(path, _AGAIN), str(path))


def named_base(adapter: Path) -> str | None:
    """The model that an adapter says it was trained on: a directory or an id."""
    if (saved := read_adapter(adapter)) is not None:
        return saved.base
    named = read_config(adapter).get("base_model_name_or_path") if os.path.lexists(adapter / CONFIG) else None
    return named or None


def base_of(adapter: Path, remedy: str | None = None) -> Path:
    """The directory of the model that an adapter was trained on.

    Raises UserError when it is not there, or not named, which ends with `remedy`: how to name it.
    """
    base, remedy = named_base(adapter), remedy or f"give the model itself and {argument('adapter', str(adapter))}"
    if base is None:
        raise UserError(f"{adapter} does not say which model it was trained on; {remedy}")
    place = Path(base) if read_adapter(adapter) is None else local(Path(base))  # nothing is fetched at another's word
    if not place.is_dir():
        raise UserError(f"{adapter} is an adapter of {short(base)[1:-1]}, which is not there; {remedy}")
    return place


def check_base(adapter: Path, source: Source) -> None:
    """Raises UserError for an adapter that was trained on another model than `source`."""
    saved = read_adapter(adapter)
    if saved is None:
        return
    spec, place = source.detected.family, source.detected.directory
    if saved.family != spec.name:
        raise UserError(
            f"{adapter} is an adapter of family {saved.family}, {place} is of family {spec.name}: "
            f"use its base, {saved.base}"
        )
    if saved.fingerprint != fingerprint(source):
        raise UserError(f"{adapter} was trained on other weights than those of {place}: use its base, {saved.base}")


def fingerprint(source: Source) -> str:
    """A hash of the model's family, of the names and shapes of its weights, and of numbers from all of them.

    It is of what the files hold, so it does not depend on how the model is loaded.
    """
    digest = hashlib.sha256(source.detected.family.name.encode())
    for name in sorted(source.weights.keys()):
        entry = source.weights.entries[name]
        digest.update(f"{name}{tuple(entry.shape)}".encode())
        numbers = entry.read().reshape(-1)
        if len(numbers) > _WHOLE:
            numbers = numbers[torch.linspace(0, len(numbers) - 1, _SAMPLE, dtype=torch.float64).long()]
        digest.update(numbers.to(torch.float32).contiguous().numpy().tobytes())
        entry.release()
    return digest.hexdigest()
