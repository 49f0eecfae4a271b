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

import torch
from torch import Tensor

from glmkit.conversion.choice import check_is_file
from glmkit.conversion.pickles import load_pickle
from glmkit.conversion.weights import Entry, Weights, entries_of
from glmkit.conversion.wrappers import unwrapped
from glmkit.conversion.write import finite, own, save_pickle
from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.files import write_text
from glmkit.core.json_types import Table
from glmkit.core.kinds import check, optional, whole

HEADS = "num_attention_heads"
_LONGEST_TAG = 255  # bytes that a name of a directory may have
TRACKERS = ("latest_checkpointed_iteration.txt", "latest")
_FILE = re.compile(r"mp_rank_(\d\d)_model_states\.pt")
_THIRDS = re.compile(r".*attention\.query_key_value\.(weight|bias)")
_ROWS = re.compile(r".*mlp\.dense_h_to_4h\.(weight|bias)|(.*\.)?word_embeddings\.weight")
_COLUMNS = re.compile(r".*(attention\.dense|mlp\.dense_4h_to_h)\.weight")


def rank_directory(directory: Path) -> Path | None:
    """Where the files of the ranks lie: the directory itself or the one its tracker names; None if there are none.

    Raises UserError when a tracker names no directory that is inside.
    """
    if _has_ranks(directory):
        return directory
    for name in TRACKERS:
        if (directory / name).is_file():
            tag = _tag(directory / name)
            if not (directory / tag).is_dir():
                raise UserError(f"{directory / name} names {tag!r}, and {directory} has no such directory; copy it too")
            return directory / tag if _has_ranks(directory / tag) else None
    return None


def _has_ranks(directory: Path) -> bool:
    return any(_FILE.fullmatch(path.name) for path in directory.iterdir())


def _tag(tracker: Path) -> str:
    """The name of a directory that a tracker holds. Raises CorruptFile for anything else."""
    with open(tracker, "rb") as file:
        held = file.read(2 * _LONGEST_TAG).strip()
    tag = held.decode("utf-8", errors="replace")
    if len(held) > _LONGEST_TAG or not tag.isprintable() or tag in ("", ".", "..") or "/" in tag or "\\" in tag:
        raise CorruptFile(f"{tracker} must name a directory beside it, got {short(tag)}; write its name there")
    return tag


def open_ranks(directory: Path) -> Weights:
    """The merged weights of all ranks; what the files say of their heads is among its facts.

    Raises CorruptFile for ranks that are missing or do not belong together, UserError for what `unwrapped` refuses.
    """
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
        entries = unwrapped(entries_of(table["module"], path, mapped), path)
        ranks.append(Weights(path, entries, {HEADS: _heads(table, path)}))
        iterations.add(short(table.get("iteration")))
        sizes.add(check(table.get("mp_world_size"), optional(whole(low=1)), f"{path}: mp_world_size") or len(paths))
    if len(iterations) > 1:
        raise CorruptFile(f"{place} mixes checkpoints: its ranks are of iterations {sorted(iterations)}")
    if sizes != {len(paths)}:
        raise CorruptFile(f"{place} holds {len(paths)} ranks, the run had {max(sizes)}; copy the files of all ranks")
    return merged(ranks)


def _heads(table: Table, path: Path) -> int | None:
    """How many heads a checkpoint says there are: we write it, some trainers keep it among their arguments."""
    said = table.get(HEADS, getattr(table.get("args"), HEADS, None))
    return check(said, optional(whole(low=1)), f"{path}: {HEADS}")


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
        shape = _whole_shape(key, entry.shape, len(ranks), first.where.parent)
        parts = partial(_parts, ranks, key)
        entries[key] = Entry(
            shape,
            entry.dtype,
            partial(_read, key, shape, parts),
            partial(_released, ranks, key),
            partial(_write, key, parts),
        )
    joined = Weights(first.where.parent, entries, first.facts)
    _check_whole(joined, joined.where)
    return joined


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


def write_ranks(directory: Path, weights: Weights, ranks: int, heads: int) -> None:
    """Writes weights under the original's names in its layout, and how many heads they are for, which no size tells.

    One rank is in memory at a time."""
    place = directory / "0"
    place.mkdir()
    for rank in range(ranks):
        part = slice_of(weights, rank, ranks)
        module = {key: own(finite(key, part.get(key))) for key in part.keys()}  # noqa: SIM118 (not a mapping)
        table = {"module": module, "iteration": 0, "mp_world_size": ranks, HEADS: heads}
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


def _whole_shape(key: str, shape: tuple[int, ...], ranks: int, where: Path) -> tuple[int, ...]:
    wanted = 1 if key.endswith("bias") else 2
    cut = any(pattern.fullmatch(key) for pattern in (_COLUMNS, _ROWS, _THIRDS))
    if cut and (len(shape) != wanted or (_THIRDS.fullmatch(key) and shape[0] % 3)):
        raise CorruptFile(f"{where}: {key} is {list(shape)}, which is no part of a matrix of a GLM; copy it again")
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
        if not key.endswith("attention.query_key_value.weight"):
            continue
        rows, columns = weights.matrix(key)
        if rows < 3 * columns:
            part = "no part" if rows == 0 else f"1/{3 * columns / rows:g}"
            raise CorruptFile(f"{where}: {key} is {[rows, columns]}, {part} of a model; copy the files of all ranks")
