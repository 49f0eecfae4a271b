"""A model from one layout into another, tensor by tensor: no model is built, and none needs to fit into memory."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from glmkit.convert.views import as_type
from glmkit.convert.weights import Entry, Weights
from glmkit.core.errors import UserError, nearest
from glmkit.core.files import atomic_directory
from glmkit.families import directory
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import Source, open_model
from glmkit.families.spec import Export

NATIVE = "native"


def convert(
    source: Path,
    destination: Path,
    to: str = NATIVE,
    *,
    ranks: int | None = None,
    safetensors: bool | None = None,
    dtype: torch.dtype | None = None,
    options: Mapping[str, Any] | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
    progress: Progress = unwatched,
) -> Source:
    """Writes the model in `source` as the new directory `destination`, in glmkit's layout or the one called `to`.

    `ranks`: model-parallel files of the original's layout, 1 if None; `safetensors`: instead of .bin, where the layout
    leaves the choice. For the rest see `open_model`. Returns what was read.
    Raises UserError when the family is not written in that layout.
    """
    found = open_model(source, options=options, model=model, tokenizer=tokenizer)
    spec = found.found.family
    writers = {layout.name: layout for layout in spec.formats if layout.write is not None}
    if to != NATIVE and to not in writers:
        raise UserError(f"a model of family {spec.name} is not written as {to!r}{nearest(to, [NATIVE, *writers])}")
    chosen: dict[str, Any] = {
        name: value for name, value in (("ranks", ranks), ("safetensors", safetensors)) if value is not None
    }
    for name in chosen:
        if to == NATIVE or name not in writers[to].choices:
            having = ", ".join(layout.name for layout in writers.values() if name in layout.choices)
            raise UserError(f"{name} is nothing to choose of the layout {to}; leave it out, or convert to {having}")
    weights = _watched(as_type(found.weights, dtype), progress)
    with atomic_directory(destination) as partial:
        if to == NATIVE:
            directory.write(partial, spec, found.config, weights, found.tokenizer, None)
        else:
            write = writers[to].write
            assert write is not None
            write(partial, Export(config=found.config, weights=weights, tokenizer=found.tokenizer, **chosen))
    return found


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
