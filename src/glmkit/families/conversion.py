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
    ranks: int = 1,
    dtype: torch.dtype | None = None,
    options: Mapping[str, Any] | None = None,
    model: str | None = None,
    tokenizer: Path | None = None,
    progress: Progress = unwatched,
) -> Source:
    """Writes the model in `source` as the new directory `destination`, in glmkit's layout or the one called `to`.

    `ranks`: model-parallel files of the original's layout. For the rest see `open_model`. Returns what was read.
    Raises UserError when the family is not written in that layout.
    """
    found = open_model(source, options=options, model=model, tokenizer=tokenizer)
    spec = found.found.family
    writers = {layout.name: layout.write for layout in spec.formats if layout.write is not None}
    if to != NATIVE and to not in writers:
        raise UserError(f"a model of family {spec.name} is not written as {to!r}{nearest(to, [NATIVE, *writers])}")
    if ranks != 1 and to != "megatron":
        raise UserError(f"{to} has no model-parallel ranks; leave out --ranks, or convert --to megatron")
    weights = _watched(as_type(found.weights, dtype), progress)
    with atomic_directory(destination) as partial:
        if to == NATIVE:
            directory.write(partial, spec, found.config, weights, found.tokenizer, None)
        else:
            writers[to](partial, Export(config=found.config, weights=weights, tokenizer=found.tokenizer, ranks=ranks))
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
