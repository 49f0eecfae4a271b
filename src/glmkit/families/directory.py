"""A model on disk: everything `load` needs in one directory.

DIR/config.json          family, model config, size and checksum of the weights, fingerprint of the tokenizer, checksums
                         of what else the model needs (task.json, prompts.safetensors), and a seal: its own checksum
DIR/model.safetensors    weights, under the names of the module's state dict; large ones in several files with an index.
                         Quantized ones are in tile blocks where the compiled kernels are (quantization/tile_blocks.py),
                         in row-major order otherwise; either is read anywhere
DIR/special_tokens.json  the tokenizer, with the files of its vocabulary (tokenizer.json, vocab.txt, ...)
DIR/run.json             where it came from: run config, versions, data (written by training)
"""

import json
import re
from pathlib import Path

import torch
from torch import nn

from glmkit.conversion.choice import check_is_file
from glmkit.conversion.statemap import same_names
from glmkit.conversion.views import as_native
from glmkit.conversion.weights import Weights, open_weights
from glmkit.conversion.write import write_weights
from glmkit.core.config import from_mapping, to_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import check_sum, sha256, write_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, CHECKSUM, FILE_NAME, TEXT, check, optional, record, table_of, whole
from glmkit.core.seal import check_seal, sealed
from glmkit.core.strict_json import check_table, read_json
from glmkit.families.assemble import shapes
from glmkit.families.detect import CONFIG, read_table
from glmkit.families.spec import FamilySpec, ModelConfig
from glmkit.kernels.library import library
from glmkit.quantization.plan import quantization_config
from glmkit.quantization.tile_blocks import stored_state, to_row_major, to_tiled
from glmkit.text.load import load
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer, fingerprint
from glmkit.text.tokenizer import read_table as read_special

WEIGHTS, RUN = "model.safetensors", "run.json"
INDEX = f"{WEIGHTS}.index.json"
# What nobody may take for the weights of a directory but those that its table lists.
_WEIGHTS_LIKE = re.compile(r"(model|pytorch_model)\b.*\.(safetensors|bin)(\.index\.json)?")
CHECKED_BYTES = 1 << 30  # weights up to this size are compared with their checksum on every load (decision 5)


def write(
    directory: Path,
    spec: FamilySpec,
    config: ModelConfig,
    model: nn.Module,
    tokenizer: Tokenizer | None,
    run: Table | None,
    weights: Weights | None = None,
) -> None:
    """Writes the model into `directory`, which must exist; make it appear whole with `atomic_directory`.

    `weights`: instead of the model's own, which then needs no memory; quantized ones in row-major order.
    """
    stored = stored_state(model, directory) if weights is None else to_tiled(weights, model)
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
    if (quantized := quantization_config(model)) is not None:
        table["quantization"] = quantized | {"order": "rows" if library() is None else "tiles"}
    _write_json(directory / CONFIG, sealed(table))
    if run is not None:
        _write_json(directory / RUN, run)


def infill_run(directory: Path) -> JsonObject | None:
    """The run.json of a model that was pretrained with the objective `infill`; None for any other. It tells of a causal
    model that it fills blanks. Raises CorruptFile."""
    if not (directory / RUN).is_file():
        return None
    record = read_json(directory / RUN, _REMEDY, {"config": table_of(ANY)})
    objective = record.get("config", {}).get("objective")
    learned = isinstance(objective, dict) and objective.get("infill") and objective.get("marks") == "same"
    return record if learned else None


def cover(directory: Path, name: str) -> None:
    """Puts the checksum of a file beside the weights, which the model needs too, into config.json, if there is one."""
    if (directory / CONFIG).is_file():
        table = read_table(directory / CONFIG)
        table["files"] = table.get("files", {}) | {name: sha256(directory / name)}
        _write_json(directory / CONFIG, sealed(table))


_NEEDED = {
    "family": TEXT,
    "model": table_of(ANY),
    "weights": table_of(record({"bytes": whole(0), "sha256": CHECKSUM})),
    "tokenizer": optional(CHECKSUM),
}
_SCHEMA = _NEEDED | {"quantization": table_of(ANY), "files": table_of(CHECKSUM)}
_BEFORE_SEALS = {*_NEEDED, "quantization"}
_REMEDY = "; copy the model again"
_COPY = "; copy it again"


def read_config(directory: Path, table: Table, spec: FamilySpec) -> ModelConfig:
    """The config in the config.json of a directory that `write` made, which was not changed since then.

    Raises UserError naming the field that is not what it must be.
    """
    where = str(directory / CONFIG)
    check_table(table, _SCHEMA, where, _REMEDY, _NEEDED)
    config = from_mapping(spec.config, table["model"], f"{where}: model")
    check_seal(table, _BEFORE_SEALS, where, _REMEDY)
    return config


def open_native(directory: Path, table: Table) -> Weights:
    """The weights of a directory whose config.json was read; small ones are compared with their checksum.

    Raises CorruptFile.
    """
    files = table["weights"]
    check_files(directory, table, checksums=sum(file["bytes"] for file in files.values()) <= CHECKED_BYTES)
    return open_weights(directory, files)


def check_files(directory: Path, table: Table, *, checksums: bool) -> None:
    """Raises CorruptFile unless the files of weights are all there, of the size and content that was written, and no
    others; so for the files beside them."""
    files = table["weights"]
    if not files:
        raise CorruptFile(f"{directory / CONFIG} lists no weights{_REMEDY}")
    known = {*files, INDEX} if len(files) > 1 else files
    for path in sorted(directory.iterdir()):
        if _WEIGHTS_LIKE.fullmatch(path.name) and path.name not in known:
            raise CorruptFile(f"{path} is not one of the weights that {CONFIG} lists; move it elsewhere")
    for name, wanted in files.items():
        path = directory / check(name, FILE_NAME, f"{directory / CONFIG}: the name of a file of weights")
        _check_there(path)
        if (size := path.stat().st_size) != wanted["bytes"]:
            raise CorruptFile(f"{path} is damaged: {size:,} bytes, {CONFIG} says {wanted['bytes']:,}{_COPY}")
        if checksums:
            check_sum(path, wanted["sha256"], CONFIG, _COPY)
    for name, checksum in table.get("files", {}).items():
        path = directory / check(name, FILE_NAME, f"{directory / CONFIG}: the name of a file")
        _check_there(path)
        check_sum(path, checksum, CONFIG, _COPY)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise CorruptFile(f"{path} is missing{_REMEDY}")
    check_is_file(path)


@torch.no_grad()
def restore(directory: Path, model: nn.Module) -> None:
    """Puts the weights of a directory into a model that is there, after comparing checksums. Raises CorruptFile."""
    table = read_table(directory / CONFIG)
    check_table(table, _SCHEMA, str(directory / CONFIG), _REMEDY, _NEEDED)
    check_seal(table, _BEFORE_SEALS, str(directory / CONFIG), _REMEDY)
    check_files(directory, table, checksums=True)
    wanted = shapes(model)
    rows, _ = to_row_major(open_weights(directory, table["weights"]), model)
    weights = as_native(rows, same_names(wanted), wanted, {})
    for name, place in model.state_dict().items():
        weights.entries[name].copy_to(place)


def read_tokenizer(directory: Path, table: Table, rows: int) -> tuple[Tokenizer | None, str]:
    """The tokenizer of a directory of ours, or None and what is missing. Raises UserError for another model's."""
    if not (directory / SPECIAL_FILE).is_file():
        return None, f"{directory} has no {SPECIAL_FILE}: put the tokenizer's files there"
    names = read_special(directory)["files"]
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


def _write_json(path: Path, table: Table) -> None:
    write_text(path, json.dumps(table, ensure_ascii=False, indent=1) + "\n")
