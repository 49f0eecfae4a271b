"""Which directories hold an adapter, of what kind, and of which model it says it is.

| in the directory | it is |
|---|---|
| adapter.json | one of ours: LoRA or a prefix of P-tuning |
| adapter_config.json or adapter_model.*, and no model's weights | one of peft, of the kind that it names |
| weights that are a prefix_encoder's alone | a prefix of P-tuning, as the official scripts leave it |
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from glmkit.convert.choice import ORDER, check_own_file
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError, argument, short
from glmkit.core.kinds import TEXT, optional
from glmkit.core.strict_json import read_json

ADAPTER = "adapter.json"  # what ours say of their base
CONFIG = "adapter_config.json"  # what peft writes, and reads
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")  # in the order in which peft looks
PREFIX = "transformer.prefix_encoder."  # before the names of a prefix's weights
_REMEDY = "; copy the adapter again"
_TEXTS = {"peft_type": optional(TEXT), "base_model_name_or_path": optional(TEXT)}


@dataclass(frozen=True, kw_only=True)
class AdapterOf:
    """What an adapter of ours says of its base."""

    method: Literal["lora", "ptuning"]
    family: str
    base: str
    fingerprint: str


def find_adapter(path: Path) -> Path | None:
    """The adapter in `path`: itself, or of a training run the finished one or the last checkpoint. None for others, a
    prefix that has no adapter.json among them (`is_prefix` tells)."""
    if os.path.lexists(path / ADAPTER) or (has_files_of_peft(path) and not has_model_weights(path)):
        return path
    places = (path / "model", *sorted((path / "checkpoints").glob("step-*"), reverse=True))
    return next((place for place in places if os.path.lexists(place / ADAPTER)), None)


def has_files_of_peft(path: Path) -> bool:
    """Whether an adapter as peft writes it lies in `path`, be it beside the weights of a model."""
    return _has_any(path, (CONFIG, *WEIGHTS))


def has_model_weights(path: Path) -> bool:
    """Whether weights as transformers names them lie in `path`."""
    return _has_any(path, ORDER)


def _has_any(path: Path, names: Iterable[str]) -> bool:
    return any(os.path.lexists(path / name) for name in names)


def is_prefix(keys: Iterable[str]) -> bool:
    """Whether weights of these names are a prefix of P-tuning and nothing else."""
    names = list(keys)
    return bool(names) and all(name.startswith(PREFIX) for name in names)


def read_adapter(directory: Path) -> AdapterOf | None:
    """What the adapter in `directory` says of its base; None for somebody else's. Raises CorruptFile."""
    path = directory / ADAPTER
    if not os.path.lexists(path):
        return None
    check_own_file(path)
    return from_mapping(AdapterOf, read_json(path, _REMEDY), str(path))


def read_config(directory: Path) -> dict[str, Any]:
    """The table in adapter_config.json. Raises CorruptFile for one that is missing, damaged or outside."""
    path = directory / CONFIG
    if os.path.lexists(path):
        check_own_file(path)
    return read_json(path, _REMEDY, _TEXTS)


def kind_of(directory: Path) -> str:
    """What an adapter's directory holds, in words: "a LoRA adapter". Raises CorruptFile."""
    if (told := read_adapter(directory)) is not None:
        return "a LoRA adapter" if told.method == "lora" else "a P-tuning prefix"
    if not has_files_of_peft(directory):
        return "a P-tuning prefix"
    name = read_config(directory).get("peft_type")
    return "a LoRA adapter" if name == "LORA" else f"an adapter of peft's kind {short(name)}"


def base_named(directory: Path) -> str | None:
    """What an adapter's directory says its model is: a directory, or a name that may mean nothing here."""
    if (told := read_adapter(directory)) is not None:
        return told.base
    if not os.path.lexists(directory / CONFIG):
        return None
    return read_config(directory).get("base_model_name_or_path") or None


def base_of(adapter: Path, remedy: str) -> Path:
    """The directory of the model that an adapter was trained on, if it is here.

    Raises UserError, saying that it is not and ending with `remedy`.
    """
    name = base_named(adapter)
    if name is None:
        raise UserError(f"{adapter} is {kind_of(adapter)}, which does not say of which model; {remedy}")
    if not Path(name).is_dir():
        raise UserError(f"{adapter} is {kind_of(adapter)} of {name}, which is not there; {remedy}")
    return Path(name)


def refuse_adapter(path: Path, adapter: Path) -> NoReturn:
    """Raises UserError: `path` means an adapter where a model is wanted."""
    name = base_named(adapter)
    base = "" if name is not None and Path(name).is_dir() else " --base MODEL"
    raise UserError(
        f"{adapter} is {kind_of(adapter)}{f' of {name}' if name else ''}, no model: merge it first (glmkit merge "
        f"{path} OUT{base}), or give the model and --adapter {path} to chat, generate or infill"
    )


def with_adapter(adapter: Path) -> str:
    """What to give instead of an adapter alone."""
    return f"give the model itself and {argument('adapter', str(adapter))}"
