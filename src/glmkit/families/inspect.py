"""What `glmkit info` tells of a model, from its files' headers: no weight is read."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from glmkit.conversion.choice import passed_over
from glmkit.core.config import to_mapping
from glmkit.core.json_types import JsonObject, Table
from glmkit.families import directory
from glmkit.families.load import Source, open_model
from glmkit.families.published import MODELS
from glmkit.nn.quantized import QuantizedLinear
from glmkit.text.chatglm import which


def inspect(
    path: Path,
    *,
    verify: bool = False,
    options: Table | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
) -> JsonObject:
    """Family, layout, sizes, parameters, types, tokenizer, files and what is missing; for the rest see `open_model`.

    `verify` compares every file of a directory of ours with its checksum. Raises what `open_model` raises.
    """
    source = open_model(path, options=options, model=model, tokenizer=tokenizer)
    detected = source.detected
    if verify and detected.format is None:
        directory.check_files(detected.directory, detected.table, checksums=True)
    sizes: dict[str, int] = {}
    for entry in source.external.entries.values():
        name = str(entry.dtype).removeprefix("torch.")
        sizes[name] = sizes.get(name, 0) + entry.bytes
    return {
        "path": str(detected.directory),
        "family": detected.family.name,
        "layout": "native" if detected.format is None else detected.format.name,
        "published": _published(source),
        "model": _which(source, model, tokenizer),
        "config": to_mapping(source.config),
        "parameters": num_parameters(source.model),
        "bytes": sizes,
        "tokenizer": _tokenizer(source),
        "ignored": _ignored(source),
        "files": {
            str(file.relative_to(detected.directory)): file.stat().st_size
            for file in sorted(detected.directory.rglob("*"))
            if file.is_file()
        },
        "missing": [source.missing] if source.missing else [],
    }


def num_parameters(model: nn.Module) -> int:
    """How many parameters a model has, quantized ones among them."""
    layers = [part for part in model.modules() if isinstance(part, QuantizedLinear)]
    return sum(layer.in_features * layer.out_features for layer in layers) + sum(
        parameter.numel() for parameter in model.parameters()
    )


def keys(
    path: Path, *, options: Table | None = None, model: str | None = None, tokenizer: Path | None = None
) -> list[JsonObject]:
    """The state map as it applies to the files: for each weight our name, shape and type, and theirs."""
    source = open_model(path, options=options, model=model, tokenizer=tokenizer)
    bound = source.statemap.external(source.weights.keys())
    return [
        {
            "name": name,
            "shape": list(entry.shape),
            "dtype": str(entry.dtype).removeprefix("torch."),
            "keys": list(bound[name].keys),
            "packing": type(bound[name].packing).__name__.lower(),
        }
        for name, entry in source.weights.entries.items()
    ]


def _published(source: Source) -> Mapping[str, str] | None:
    """The published models of these sizes, and what is odd about each."""
    config = to_mapping(source.config)
    sizes = (config.get("num_layers"), config.get("hidden_size"), config.get("vocab_size"))
    if source.detected.family.name != "glm":
        return None
    return {name: row.quirk for name, row in MODELS.items() if row.sizes == sizes} or None


def _which(source: Source, model: str | None, elsewhere: Path | None) -> JsonObject | None:
    """Which model of the ChatGLM family it is taken for, and from what; no name where that cannot be known."""
    if not source.detected.family.name.startswith("chatglm"):
        return None
    table = source.detected.table if elsewhere is None else None
    decision = which(elsewhere or source.detected.directory, table, model)
    return {"name": decision.model, "evidence": [f"{sign.model}: {sign.where}" for sign in decision.signs]}


def _tokenizer(source: Source) -> JsonObject | None:
    tokenizer = source.tokenizer
    if tokenizer is None:
        return None
    return {"kind": tokenizer.pieces.kind, "chat": tokenizer.chat, "ids": len(tokenizer), "special": tokenizer.marks}


def _ignored(source: Source) -> dict[str, str]:
    reasons = {key: source.statemap.reason_to_ignore(key) for key in source.external.keys()}  # noqa: SIM118
    files = dict.fromkeys(passed_over(source.detected.directory), "other weights, which come after those that are read")
    return files | {key: reason for key, reason in reasons.items() if reason is not None}
