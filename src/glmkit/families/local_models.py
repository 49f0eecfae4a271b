"""The models that lie on this machine: below directories, in the Hugging Face cache and in ModelScope's."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.families.adapter import find_adapter, kind_of, named_base
from glmkit.families.detect import detect
from glmkit.families.hub import cached_models
from glmkit.families.inspect import num_parameters
from glmkit.families.load import Source, open_model
from glmkit.nn.quantized import QuantizedLinear

RUNS = Path("runs")
_DEEPEST = 4  # directories below one that is searched: runs/GROUP/RUN/model


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model or an adapter. `name`: what a command takes for it; `precision`: of most of its numbers; `bytes`: of all
    its files; `note`: what an adapter is for, or why a model cannot be loaded, without `parameters` then."""

    name: str
    path: str
    family: str
    parameters: int | None
    precision: str
    bytes: int
    note: str = ""


def local_models(directories: Sequence[Path] = ()) -> Iterator[LocalModel]:
    """Those below `directories`; unless given, below runs/ of this directory and in the caches of both hubs. Weights
    are not read. Models of families that glmkit does not know are left out. Raises UserError for a directory that is
    not there."""
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory")
    for directory in directories or (RUNS,):
        yield from _below(directory, _DEEPEST)
    for id, path in () if directories else cached_models():
        model = _model(path, id)
        if model is not None:
            yield model


def _below(directory: Path, depth: int) -> Iterator[LocalModel]:
    """Models below a directory, but for those inside another's: checkpoints of a run."""
    if not directory.is_dir():
        return
    model = _model(directory, str(directory))
    if model is not None:
        yield model
    elif depth:
        for inner in sorted(directory.iterdir()):
            if not inner.name.startswith("."):
                yield from _below(inner, depth - 1)


def _model(path: Path, name: str) -> LocalModel | None:
    """What a directory holds; None where that is neither a model nor an adapter of a known family."""
    with suppress(UserError):  # damaged: a model is then listed as what its config.json says, an adapter not at all
        if (adapter := find_adapter(path) or (path if kind_of(path) else None)) is not None:
            base = named_base(adapter) or "a model that it does not name"
            return _local(name, adapter, f"{kind_of(adapter)} adapter", note=f"of {base}")
    try:
        detected = detect(path)
    except UserError:
        return None
    place, family = detected.directory, detected.family.name
    try:
        source = open_model(path)
    except UserError as error:
        return _local(name, place, family, note=str(error))
    return _local(name, place, family, num_parameters(source.model), _precision(source), source.missing)


def _local(
    name: str, path: Path, family: str, parameters: int | None = None, precision: str = "", note: str = ""
) -> LocalModel:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return LocalModel(
        name=name, path=str(path), family=family, parameters=parameters, precision=precision, bytes=size, note=note
    )


def _precision(source: Source) -> str:
    """int4 or int8, or the type of the weights, whichever most numbers have."""
    sizes: Counter[str] = Counter()
    layers = {name: part for name, part in source.model.named_modules() if isinstance(part, QuantizedLinear)}
    for layer in layers.values():
        sizes[f"int{layer.format.bits}"] += layer.in_features * layer.out_features
    for name, entry in source.weights.entries.items():
        if name.rpartition(".")[0] not in layers:
            sizes[str(entry.dtype).removeprefix("torch.")] += math.prod(entry.shape)
    return sizes.most_common(1)[0][0]
