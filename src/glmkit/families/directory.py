"""A model on disk: everything `load` needs in one directory.

DIR/config.json          family, model config, checksum of the weights, fingerprint of the tokenizer
DIR/model.safetensors    weights, under the names of the module's state dict
DIR/special_tokens.json  the tokenizer, with the files of its vocabulary (tokenizer.json, vocab.txt, ...)
DIR/run.json             where it came from: run config, versions, data (written by training)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from glmkit.core.config import from_mapping, to_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256
from glmkit.families.spec import FamilySpec, family
from glmkit.text.load import load
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer, fingerprint

CONFIG, WEIGHTS, RUN = "config.json", "model.safetensors", "run.json"


@dataclass(frozen=True)
class Loaded:
    """A model read from a directory."""

    family: FamilySpec
    config: Any
    model: Any
    tokenizer: Tokenizer | None


def write(
    directory: Path,
    spec: FamilySpec,
    config: Any,
    model: nn.Module,
    tokenizer: Tokenizer | None,
    run: Mapping[str, Any] | None,
) -> None:
    """Writes the model into `directory`, which must exist; make it appear whole with `atomic_directory`."""
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, directory / WEIGHTS)
    if tokenizer is not None:
        tokenizer.save(directory)
    table = {
        "family": spec.name,
        "model": to_mapping(config),
        "weights_sha256": sha256(directory / WEIGHTS),
        "tokenizer": None if tokenizer is None else fingerprint(directory),
    }
    _write_json(directory / CONFIG, table)
    if run is not None:
        _write_json(directory / RUN, run)


def resolve(path: Path) -> Path:
    """The model directory that `path` means: itself, or for a training run its model or its last checkpoint."""
    if not path.exists():
        raise UserError(f"{path}: no such directory")
    if (path / CONFIG).is_file():
        return path
    for candidate in (path / "model", *sorted((path / "checkpoints").glob("step-*"), reverse=True)):
        if (candidate / CONFIG).is_file():
            return candidate
    raise UserError(f"{path} has no {CONFIG}: not a model directory nor a training run")


def read(path: Path, *, dtype: torch.dtype | None = None, device: str = "cpu") -> Loaded:
    """Reads what `write` wrote. Raises UserError or CorruptFile naming the file and what to do."""
    directory = resolve(path)
    table = _read_json(directory / CONFIG)
    if not isinstance(table.get("family"), str):
        raise UserError(f"{directory / CONFIG} names no family: not a glmkit model")
    spec = family(table["family"])
    config: Any = from_mapping(spec.config, table["model"], str(directory / CONFIG))
    tokenizer = _read_tokenizer(directory, table, config.vocab_size)
    with torch.device("meta"):
        model = spec.build(config)
    weights = read_weights(directory / WEIGHTS, table["weights_sha256"])
    check_names(model, weights, directory / WEIGHTS)
    model.load_state_dict(
        {name: tensor.to(device=device, dtype=dtype) for name, tensor in weights.items()}, assign=True
    )
    return Loaded(spec, config, model.eval(), tokenizer)


def read_weights(path: Path, checksum: str) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file after its checksum has been compared. Raises CorruptFile."""
    if not path.is_file():
        raise CorruptFile(f"{path} is missing; copy the model again")
    if (found := sha256(path)) != checksum:
        raise CorruptFile(
            f"{path} is damaged: SHA-256 {found[:16]}..., {CONFIG} says {checksum[:16]}...; copy it again"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CorruptFile(f"{path} is not a safetensors file ({error}); copy it again") from None


def check_names(model: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raises CorruptFile unless names and shapes of the weights are exactly the model's."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for problem, names in (
        ("missing", wanted.keys() - found.keys()),
        ("not known to the model", found.keys() - wanted.keys()),
    ):
        if names:
            raise CorruptFile(
                f"{path}: tensors {problem}: {', '.join(sorted(names)[:5])}{' ...' if len(names) > 5 else ''}"
            )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise CorruptFile(f"{path}: {name} is {list(found[name])}, config.json asks for {list(shape)}")


def _read_tokenizer(directory: Path, table: Mapping[str, Any], rows: int) -> Tokenizer | None:
    if table.get("tokenizer") is None or not (directory / SPECIAL_FILE).is_file():
        return None
    tokenizer = load(directory)
    if fingerprint(directory) != table["tokenizer"]:
        raise UserError(
            f"the tokenizer in {directory} is not the one the model was trained with: their fingerprints differ; "
            "copy the right one"
        )
    if len(tokenizer) > rows:
        raise UserError(
            f"the tokenizer in {directory} has {len(tokenizer)} ids, the model only {rows} rows: "
            "they do not belong together"
        )
    return tokenizer


def _write_json(path: Path, table: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFile(f"{path} is damaged ({error}); copy the model again") from None
