"""Reads a model from any directory that is known, ours or somebody's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError, nearest
from glmkit.families import directory
from glmkit.families.assemble import Progress, assemble, placing
from glmkit.families.detect import CONFIG, Found, detect
from glmkit.families.spec import FamilySpec
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Loaded:
    """A model read from a directory. Without a tokenizer, `missing` says which file is not there and where it goes."""

    family: FamilySpec
    config: Any
    model: Any
    tokenizer: Tokenizer | None
    missing: str = ""


def read(
    path: Path,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    quantize: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
) -> Loaded:
    """The model in `path`. `options` override fields of its config. `dtype` None keeps the one it was saved in.

    Raises UserError or CorruptFile naming the file and what to do; a weight that is not in the files is never made up.
    """
    found = detect(path)
    spec = found.family
    layout = found.format
    if layout is None:
        stored: Any = from_mapping(spec.config, found.table["model"], str(found.directory / CONFIG))
        weights, statemap = directory.open_native(found.directory, found.table), None
    else:
        weights = layout.open(found.directory).without_prefix(layout.prefixes)
        stored = layout.config(found.table, weights)
        statemap = layout.statemap(stored)
    config = _overridden(spec, stored, options or {})
    tokenizer, missing = _tokenizer(found, config)
    model = assemble(
        spec.build,
        config,
        weights,
        statemap,
        dtype=dtype,
        device=device,
        grow=spec.grow(stored, config),
        place=placing(quantize),
        progress=progress,
    )
    return Loaded(spec, config, model, tokenizer, missing)


def _overridden(spec: FamilySpec, config: Any, options: Mapping[str, Any]) -> Any:
    for name in options:
        if name not in spec.options:
            raise UserError(f"a model of family {spec.name} has no option {name!r}{nearest(name, spec.options)}")
    try:
        return replace(config, **options)
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None


def _tokenizer(found: Found, config: Any) -> tuple[Tokenizer | None, str]:
    if found.format is None:
        return directory.read_tokenizer(found.directory, found.table, config.vocab_size)
    try:
        return found.format.tokenizer(found.directory, config), ""
    except UserError as error:
        return None, str(error)
