"""A model from one layout into another, tensor by tensor: no model is built, and none needs to fit into memory."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch

from glmkit.conversion.views import as_type
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import UserError, argument, nearest
from glmkit.core.files import atomic_directory, atomic_file
from glmkit.core.json_types import JsonObject, Table
from glmkit.families import directory
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import Source, open_model
from glmkit.families.spec import Export
from glmkit.quantization.plan import formats

NATIVE, GGUF = "native", "gguf"


def convert(
    source: Path,
    destination: Path,
    to: str = NATIVE,
    *,
    ranks: int | None = None,
    safetensors: bool | None = None,
    dtype: torch.dtype | None = None,
    blocks: str | None = None,
    options: Table | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
    progress: Progress = unwatched,
) -> Source:
    """Writes the model in `source` as the new directory `destination`, in glmkit's layout or the one called `to`.

    `ranks`: model-parallel files of the original's layout, 1 if None; `safetensors`: instead of .bin, where the layout
    leaves the choice; `blocks`: how gguf, which is a file and no directory, quantizes. For the rest see `open_model`.
    Returns what was read. Raises UserError when the family is not written in that layout.
    """
    model_source = open_model(source, options=options, model=model, tokenizer=tokenizer)
    spec = model_source.detected.family
    layouts = {layout.name: layout for layout in spec.formats if layout.write is not None}
    known = [NATIVE, *layouts, *spec.file_exports]
    if to in spec.unsupported_exports:
        raise UserError(f"a model of family {spec.name} cannot be written as {to}: {spec.unsupported_exports[to]}")
    if to not in known:
        raise UserError(f"a model of family {spec.name} is not written as {to!r}{nearest(to, known)}")
    chosen: JsonObject = {
        name: value for name, value in (("ranks", ranks), ("safetensors", safetensors)) if value is not None
    }
    for name in chosen:
        if to not in layouts or name not in layouts[to].choices:
            having = ", ".join(layout.name for layout in layouts.values() if name in layout.choices)
            raise UserError(
                f"{argument(name)} is nothing to choose of the layout {to}; leave it out, or convert to {having}"
            )
    if blocks is not None and to != GGUF:
        raise UserError(
            f"{to} is not written in {blocks}; leave out {argument('dtype', blocks)}, or give {argument('to', GGUF)}"
        )
    scales = {f"{name}.weight_scale" for name in formats(model_source.model)}  # rounded, they would mean other weights
    weights = _watched(as_type(model_source.weights, dtype, kept=scales), progress)
    export = Export(
        config=model_source.config,
        model=model_source.model,
        weights=weights,
        tokenizer=model_source.tokenizer,
        blocks=blocks,
        **chosen,
    )
    with (_new_file if to in spec.file_exports else atomic_directory)(destination) as partial:
        if to == NATIVE:
            directory.write(
                partial,
                spec,
                model_source.config,
                model_source.model,
                model_source.tokenizer,
                model_source.infill_run,
                weights,
            )
        else:
            write = spec.file_exports[to] if to in spec.file_exports else layouts[to].write
            assert write is not None
            write(partial, export)
    return model_source


def _new_file(path: Path) -> AbstractContextManager[Path]:
    if path.exists():
        raise UserError(f"{path} exists already; choose another name or remove it first")
    return atomic_file(path)


def _watched(weights: Weights, progress: Progress) -> Weights:
    """The weights, telling `progress` of each tensor the first time it has been used."""
    total, seen = sum(entry.bytes for entry in weights.entries.values()), dict[str, int]()

    def watched(name: str, entry: Entry) -> Entry:
        def release() -> None:
            entry.release()
            seen[name] = entry.bytes
            progress(sum(seen.values()), total)

        return replace(entry, release=release)

    return Weights(weights.where, {name: watched(name, entry) for name, entry in weights.entries.items()})
