"""A model on disk: everything `load` needs in one directory.

DIR/config.json          family, model config, checksum of the weights, fingerprint of the tokenizer
DIR/model.safetensors    weights, under the names of the module's state dict
DIR/special_tokens.json  the tokenizer, with the files of its vocabulary (tokenizer.json, vocab.txt, ...)
DIR/run.json             where it came from: run config, versions, data (written by training)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from glmkit.convert.weights import Weights, open_file
from glmkit.core.config import to_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256
from glmkit.families.detect import CONFIG
from glmkit.families.spec import FamilySpec
from glmkit.text.load import load
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer, fingerprint

WEIGHTS, RUN = "model.safetensors", "run.json"


def write(
    directory: Path,
    spec: FamilySpec,
    config: Any,
    model: nn.Module,
    tokenizer: Tokenizer | None,
    run: Mapping[str, Any] | None,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Writes the model into `directory`, which must exist; make it appear whole with `atomic_directory`.

    `weights`: its tensors where they are not those of the module's state dict.
    """
    state = model.state_dict() if weights is None else weights
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, directory / WEIGHTS)
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


def open_native(directory: Path, table: Mapping[str, Any]) -> Weights:
    """The weights of a directory that `write` made, after its checksum has been compared. Raises CorruptFile."""
    check_sum(directory / WEIGHTS, table["weights_sha256"])
    return open_file(directory / WEIGHTS)


def check_sum(path: Path, checksum: str) -> None:
    """Raises CorruptFile unless the file is there and is what was written."""
    if not path.is_file():
        raise CorruptFile(f"{path} is missing; copy the model again")
    if (found := sha256(path)) != checksum:
        raise CorruptFile(
            f"{path} is damaged: SHA-256 {found[:16]}..., {CONFIG} says {checksum[:16]}...; copy it again"
        )


def read_weights(path: Path, checksum: str) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file after its checksum has been compared. Raises CorruptFile."""
    check_sum(path, checksum)
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


def read_tokenizer(directory: Path, table: Mapping[str, Any], rows: int) -> tuple[Tokenizer | None, str]:
    """The tokenizer of a directory of ours, or None and why there is none. Raises UserError for another model's."""
    if not (directory / SPECIAL_FILE).is_file():
        return None, f"{directory} has no {SPECIAL_FILE}: put the tokenizer's files there"
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
    return tokenizer, ""


def _write_json(path: Path, table: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
