"""The original's checkpoints: one file a model-parallel rank, each with its slice of the matrices.

DIR/latest_checkpointed_iteration.txt    or DeepSpeed's `latest`: the name TAG; without either, DIR is DIR/TAG itself
DIR/TAG/mp_rank_00_model_states.pt       {"module": tensors, "iteration": ..., and state of the training run}

matrix                       rank 0 of 2            cut along
attention.query_key_value    Q upper half           its rows, inside each of its thirds Q, K and V; bias too
                             K upper half
                             V upper half
mlp.dense_h_to_4h            upper half             its rows; bias too. Word table likewise
attention.dense              left half              its columns; bias whole. mlp.dense_4h_to_h likewise
all others                   whole
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glmkit.convert.pickles import load_pickle
from glmkit.convert.weights import Entry, Weights, check_is_file, entries_of
from glmkit.convert.write import finite, own, save_pickle
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import write_text

TRACKERS = ("latest_checkpointed_iteration.txt", "latest")
_FILE = re.compile(r"mp_rank_(\d\d)_model_states\.pt")
_THIRDS = re.compile(r".*attention\.query_key_value\.(weight|bias)")
_ROWS = re.compile(r".*mlp\.dense_h_to_4h\.(weight|bias)|(.*\.)?word_embeddings\.weight")
_COLUMNS = re.compile(r".*(attention\.dense|mlp\.dense_4h_to_h)\.weight")


def rank_directory(directory: Path) -> Path | None:
    """Where the files of the ranks lie: the directory itself or the one its tracker names; None if there are none.

    Raises UserError when a tracker names a directory that is not there.
    """
    if any(_FILE.fullmatch(path.name) for path in directory.iterdir()):
        return directory
    for name in TRACKERS:
        if (directory / name).is_file():
            tag = (directory / name).read_text(encoding="utf-8").strip()
            if not (directory / tag).is_dir() or not tag:
                raise UserError(f"{directory / name} names {tag!r}, and {directory} has no such directory; copy it too")
            return rank_directory(directory / tag)
    return None


def open_ranks(directory: Path) -> Weights:
    """The merged weights of all ranks. Raises CorruptFile for ranks that are missing or do not belong together."""
    place = rank_directory(directory)
    assert place is not None
    paths = sorted(path for path in place.iterdir() if _FILE.fullmatch(path.name))
    for number, path in enumerate(paths):
        if path.name != f"mp_rank_{number:02}_model_states.pt":
            raise CorruptFile(f"{place} lacks mp_rank_{number:02}_model_states.pt; copy the files of all ranks")
    ranks, iterations, sizes = [], set(), set()
    for path in paths:
        check_is_file(path)
        table, mapped = load_pickle(path)
        if not isinstance(table, Mapping) or "module" not in table:
            raise CorruptFile(f"{path} has no table 'module': not a checkpoint of the original")
        ranks.append(Weights(path, entries_of(table["module"], path, mapped)))
        iterations.add(table.get("iteration"))
        sizes.add(table.get("mp_world_size") or len(paths))
    if len(iterations) > 1:
        raise CorruptFile(f"{place} mixes checkpoints: its ranks are of iterations {sorted(map(str, iterations))}")
    if sizes != {len(paths)}:
        raise CorruptFile(f"{place} holds {len(paths)} ranks, the run had {max(sizes)}; copy the files of all ranks")
    return merged(ranks)


def merged(ranks: Sequence[Weights]) -> Weights:
    """The whole matrices. Raises CorruptFile when the ranks differ in their keys, or are fewer than they were."""
    first = ranks[0]
    if len(ranks) == 1:
        _check_whole(first, first.where)
        return first
    for rank in ranks[1:]:
        if set(rank.keys()) != set(first.keys()):
            raise CorruptFile(f"{rank.where} and {first.where.name} hold different weights: not of one checkpoint")
    entries = {}
    for key, entry in first.entries.items():
        if any(rank.shape(key) != entry.shape for rank in ranks):
            raise CorruptFile(f"{first.where.parent}: the ranks hold {key} in different shapes: not of one checkpoint")
        shape = _whole_shape(key, entry.shape, len(ranks))
        parts = partial(_parts, ranks, key)
        entries[key] = Entry(
            shape,
            entry.dtype,
            partial(_read, key, shape, parts),
            partial(_released, ranks, key),
            partial(_write, key, parts),
        )
    whole = Weights(first.where.parent, entries)
    _check_whole(whole, whole.where)
    return whole


def slice_of(weights: Weights, rank: int, ranks: int) -> Weights:
    """What rank `rank` of `ranks` holds, under the original's names. Raises UserError when that cannot be."""
    entries = {}
    for key, entry in weights.entries.items():
        cut = partial(_cut, key, rank=rank, ranks=ranks)
        try:
            shape = tuple(cut(torch.empty(entry.shape, device="meta")).shape)
        except ValueError:
            raise UserError(f"{key} {list(entry.shape)} cannot be cut into {ranks} ranks") from None
        entries[key] = Entry(shape, entry.dtype, partial(_sliced, entry, cut), entry.release)
    return Weights(weights.where, entries)


def write_ranks(directory: Path, weights: Weights, ranks: int) -> None:
    """Writes weights under the original's names in its layout. One rank is in memory at a time."""
    place = directory / "0"
    place.mkdir()
    for rank in range(ranks):
        part = slice_of(weights, rank, ranks)
        module = {key: own(finite(key, part.get(key))) for key in part.keys()}  # noqa: SIM118
        table = {"module": module, "iteration": 0, "mp_world_size": ranks}
        save_pickle(place / f"mp_rank_{rank:02}_model_states.pt", table)
        for entry in part.entries.values():
            entry.release()
    for name in TRACKERS:
        write_text(directory / name, "0\n")


def _places(key: str, whole: Tensor, rank: int, ranks: int) -> list[Tensor]:
    """The parts of the whole matrix, as views, that make up the rank's slice, one below the other."""
    if _THIRDS.fullmatch(key):
        return [_part(third, rank, ranks, 0) for third in whole.chunk(3)]
    if _ROWS.fullmatch(key):
        return [_part(whole, rank, ranks, 0)]
    if _COLUMNS.fullmatch(key):
        return [_part(whole, rank, ranks, 1)]
    return [whole]


def _part(tensor: Tensor, rank: int, ranks: int, dim: int) -> Tensor:
    if tensor.shape[dim] % ranks:
        raise ValueError(f"{tensor.shape[dim]} is no multiple of {ranks}")
    return tensor.chunk(ranks, dim)[rank]


def _cut(key: str, whole: Tensor, rank: int, ranks: int) -> Tensor:
    """The rank's slice."""
    places = _places(key, whole, rank, ranks)
    return torch.cat(places) if len(places) > 1 else places[0]


def _whole_shape(key: str, shape: tuple[int, ...], ranks: int) -> tuple[int, ...]:
    if _COLUMNS.fullmatch(key):
        return shape[0], shape[1] * ranks
    return (shape[0] * ranks, *shape[1:]) if _THIRDS.fullmatch(key) or _ROWS.fullmatch(key) else shape


def _parts(ranks: Sequence[Weights], key: str) -> list[Tensor]:
    return [rank.get(key) for rank in ranks]


def _write(key: str, parts: Callable[[], list[Tensor]], whole: Tensor) -> None:
    """Puts the slices of all ranks into the whole matrix."""
    slices = parts()
    for rank, slice_ in enumerate(slices):
        places = _places(key, whole, rank, len(slices))
        for place, piece in zip(places, slice_.chunk(len(places)), strict=True):
            place.copy_(piece)


def _read(key: str, shape: tuple[int, ...], parts: Callable[[], list[Tensor]]) -> Tensor:
    whole = torch.empty(shape, dtype=parts()[0].dtype)
    _write(key, parts, whole)
    return whole


def _sliced(entry: Entry, cut: Callable[[Tensor], Tensor]) -> Tensor:
    return cut(entry.read())


def _released(ranks: Sequence[Weights], key: str) -> None:
    for rank in ranks:
        rank.entries[key].release()


def _check_whole(weights: Weights, where: Path) -> None:
    """Raises CorruptFile when a projection has fewer rows than three times its columns: a rank is not there."""
    for key in weights.keys():  # noqa: SIM118 (not a mapping)
        shape: Any = weights.shape(key)
        if key.endswith("attention.query_key_value.weight") and shape[0] < 3 * shape[1]:
            count = 3 * shape[1] / shape[0]
            raise CorruptFile(f"{where}: {key} is {list(shape)}, 1/{count:g} of a model; copy the files of all ranks")
