"""Which files of a directory hold its weights: one decision, in the order in which transformers looks.

| looked for, in this order | what it is |
|---|---|
| model.safetensors | all of it |
| model.safetensors.index.json | names the shards |
| pytorch_model.bin | all of it |
| pytorch_model.bin.index.json | names the shards |

The first that is there is the model, whatever lies beside it: old shards, the index of old shards, the same weights in
the other kind of file, an adapter, the state of a training run. An index names files of its own directory alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glmkit.conversion.instead import INDEX, SINGLE, instead
from glmkit.conversion.statemap import listed
from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.files import check_regular
from glmkit.core.kinds import TEXT, table_of
from glmkit.core.strict_json import read_json

ORDER = tuple(f"{name}{end}" for name in SINGLE for end in ("", INDEX))
_SCHEMA = {"weight_map": table_of(TEXT)}
_LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Chosen:
    """The files that hold a directory's weights. `places`: key -> the file that the index names for it, if there is
    an index, whose name is `index`."""

    files: tuple[str, ...]
    index: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)


def choose(directory: Path) -> Chosen:
    """The files of `directory` that hold its weights.

    Raises UserError when there are none, saying what is there instead; CorruptFile for an index that is damaged, names
    files outside its directory, or names files that are not there.
    """
    there = [name for name in ORDER if os.path.lexists(directory / name)]
    if not there:
        remedy = instead(directory) or f"put {' or '.join(SINGLE)} (or its shards and index) there"
        raise UserError(f"{directory} holds no weights: {remedy}")
    first, *others = there
    check_is_file(directory / first)
    if not first.endswith(INDEX):
        return Chosen((first,))
    places = _read_index(directory / first)
    files = tuple(sorted(set(places.values())))
    for name in files:
        _check_inside(directory / first, name)
    if absent := [name for name in files if not os.path.lexists(directory / name)]:
        count = "its only shard" if len(files) == 1 else f"one of {len(files)} shards"
        lacking = count if len(absent) == 1 else f"{len(absent)} of {len(files)} shards"
        other = f"; or remove {first}, and {others[0]} is read" if others else ""
        raise CorruptFile(f"{directory} lacks {listed(absent)}, {lacking} of {first}; copy the missing{other}")
    return Chosen(files, first, places)


def passed_over(directory: Path) -> list[str]:
    """Files of other weights in `directory` that are not read, since one that is there comes before them."""
    return [name for name in ORDER if (directory / name).is_file()][1:]


def check_is_file(path: Path) -> None:
    """Raises UserError for a path that is no ordinary file, CorruptFile for one that is empty or a git-LFS pointer."""
    if path.is_symlink() and not path.exists():
        raise CorruptFile(f"{path} is a link to a file that is not there; copy the file itself")
    check_regular(path)
    with open(path, "rb") as file:
        start = file.read(len(_LFS))
    if start == _LFS:
        raise CorruptFile(f"{path} is a git-LFS pointer, not the file itself; run `git lfs pull` in {path.parent}")
    if not start:
        raise CorruptFile(f"{path} is empty; copy it again")


def _read_index(path: Path) -> dict[str, str]:
    places: dict[str, str] = read_json(path, "; copy it again", _SCHEMA).get("weight_map", {})
    if not places:
        raise CorruptFile(f"{path} is damaged: it has no weight_map, which names the shards; copy it again")
    return places


def check_inside(directory: Path, name: str, index: Path | None = None) -> None:
    """Raises CorruptFile for a file of `directory`, named by `index` if there is one, that is a link out of it; a
    snapshot of the Hugging Face cache may link to the blobs of its own repository."""
    home, place = Path(os.path.realpath(directory)), Path(os.path.realpath(directory / name))
    roots = [home]
    for snapshots in (parent for parent in home.parents if parent.name == "snapshots"):
        blobs = snapshots.parent / "blobs"
        if snapshots.parent.name.startswith("models--") and not blobs.is_symlink():
            roots.append(blobs)
    if not any(place.is_relative_to(root) for root in roots):
        said = f"{directory / name} is" if index is None else f"{index} names {name},"
        raise CorruptFile(f"{said} a link to {place}, which is outside its directory; put the file itself there")


def _check_inside(index: Path, name: str) -> None:
    """Raises CorruptFile unless the shard `name` lies in the directory of its index."""
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or parts[0] == "" or ".." in parts or ":" in parts[0]:
        raise CorruptFile(f"{index} names the shard {short(name)}, which is no file of its directory; copy it again")
    check_inside(index.parent, name, index)
