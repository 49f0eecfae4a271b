"""A model on disk: everything `load` needs in one directory.

DIR/config.json          family, model config, size and checksum of the weights, fingerprint of the tokenizer
DIR/model.safetensors    weights, under the names of the module's state dict; large ones in several files with an index.
                         Codes are in the order of the compiled kernels where those are there (families/records.py),
                         in rows otherwise; either is read anywhere
DIR/special_tokens.json  the tokenizer, with the files of its vocabulary (tokenizer.json, vocab.txt, ...)
DIR/run.json             where it came from: run config, versions, data (written by training)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glmkit.convert.choice import check_is_file
from glmkit.convert.statemap import same_names
from glmkit.convert.views import as_native
from glmkit.convert.weights import Weights, open_weights
from glmkit.convert.write import write_weights
from glmkit.core.config import to_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256
from glmkit.families import records
from glmkit.families.assemble import shapes
from glmkit.families.detect import CONFIG, read_table
from glmkit.families.quantise import described
from glmkit.families.spec import FamilySpec
from glmkit.kernels.library import library
from glmkit.text.load import load
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer, fingerprint

WEIGHTS, RUN = "model.safetensors", "run.json"
CHECKED_BYTES = 1 << 30  # weights up to this size are compared with their checksum on every load (decision 5)


def write(
    directory: Path,
    spec: FamilySpec,
    config: Any,
    model: nn.Module,
    tokenizer: Tokenizer | None,
    run: Mapping[str, Any] | None,
    weights: Weights | None = None,
) -> None:
    """Writes the model into `directory`, which must exist; make it appear whole with `atomic_directory`.

    `weights`: instead of the model's own, which then needs no memory; codes in rows.
    """
    stored = records.of(model, directory) if weights is None else records.tiled(weights, model)
    sums = write_weights(directory, WEIGHTS, stored)
    if tokenizer is not None:
        tokenizer.save(directory)
    table = {
        "family": spec.name,
        "model": to_mapping(config),
        "weights": {
            name: {"bytes": (directory / name).stat().st_size, "sha256": checksum} for name, checksum in sums.items()
        },
        "tokenizer": None if tokenizer is None else fingerprint(directory),
    }
    if (codes := described(model)) is not None:
        table["quantization"] = codes | {"order": "rows" if library() is None else "tiles"}
    _write_json(directory / CONFIG, table)
    if run is not None:
        _write_json(directory / RUN, run)


def open_native(directory: Path, table: Mapping[str, Any]) -> Weights:
    """The weights of a directory that `write` made; small ones are compared with their checksum. Raises CorruptFile."""
    files = _files(directory, table)
    check_files(directory, table, checksums=sum(file["bytes"] for file in files.values()) <= CHECKED_BYTES)
    return open_weights(directory, files)


def check_files(directory: Path, table: Mapping[str, Any], *, checksums: bool) -> None:
    """Raises CorruptFile unless the files of weights are all there, of the size and content that was written."""
    for name, wanted in _files(directory, table).items():
        path = directory / name
        if not path.is_file():
            raise CorruptFile(f"{path} is missing; copy the model again")
        check_is_file(path)
        if (size := path.stat().st_size) != wanted["bytes"]:
            raise CorruptFile(f"{path} is damaged: {size:,} bytes, {CONFIG} says {wanted['bytes']:,}; copy it again")
        if checksums and (found := sha256(path)) != wanted["sha256"]:
            raise CorruptFile(
                f"{path} is damaged: SHA-256 {found[:16]}..., {CONFIG} says {wanted['sha256'][:16]}...; copy it again"
            )


def _files(directory: Path, table: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(table.get("weights"), dict):
        raise CorruptFile(f"{directory / CONFIG} does not say which files hold the weights; copy the model again")
    return table["weights"]


@torch.no_grad()
def restore(directory: Path, model: nn.Module) -> None:
    """Puts the weights of a directory into a model that is there, after comparing checksums. Raises CorruptFile."""
    table = read_table(directory / CONFIG)
    check_files(directory, table, checksums=True)
    wanted = shapes(model)
    rows, _ = records.by_rows(open_weights(directory, _files(directory, table)), model)
    weights = as_native(rows, same_names(wanted), wanted, {})
    for name, place in model.state_dict().items():
        weights.entries[name].copy_to(place)


def read_tokenizer(directory: Path, table: Mapping[str, Any], rows: int) -> tuple[Tokenizer | None, str]:
    """The tokenizer of a directory of ours, or None and what is missing. Raises UserError for another model's."""
    if not (directory / SPECIAL_FILE).is_file():
        return None, f"{directory} has no {SPECIAL_FILE}: put the tokenizer's files there"
    try:
        names = list(read_table(directory / SPECIAL_FILE)["files"])
    except (KeyError, TypeError):
        names = []
    if absent := [name for name in names if not (directory / name).is_file()]:
        return None, f"{directory} lacks {' and '.join(absent)} of its tokenizer: put it there"
    tokenizer = load(directory)
    if fingerprint(directory) != table.get("tokenizer"):
        raise UserError(
            f"the tokenizer in {directory} is not the one the model was trained with: their fingerprints differ; "
            "copy the right one"
        )
    check_rows(tokenizer, rows, directory)
    return tokenizer, ""


def check_rows(tokenizer: Tokenizer, rows: int, directory: Path) -> None:
    """Raises UserError for a tokenizer with more ids than the model has rows."""
    if len(tokenizer) > rows:
        raise UserError(
            f"the tokenizer in {directory} has {len(tokenizer)} ids, the model only {rows} rows: "
            "they do not belong together"
        )


def _write_json(path: Path, table: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
