"""Named tensors of a checkpoint, mapped into memory and read one at a time, whatever files hold them.

model.safetensors                 pytorch_model.bin                 one file
model.safetensors.index.json      pytorch_model.bin.index.json      one of the shards it names, for each key
"""

import ctypes
import json
import mmap
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from glmkit.convert.pickles import load_pickle
from glmkit.convert.statemap import listed
from glmkit.core.errors import CorruptFile, UserError

LAYOUTS = ("model.safetensors", "pytorch_model.bin")  # what one file is called; with .index.json it is several
_LFS = b"version https://git-lfs"


def _nothing() -> None:
    """Of a tensor in memory of its own, there is nothing to give back."""


@dataclass(frozen=True)
class Entry:
    """One tensor: what is known without reading it, how to read it, and how to give its pages back afterwards.

    `write`, where a tensor is put together from parts: puts it together in memory that is there already.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]
    release: Callable[[], None] = _nothing
    write: Callable[[Tensor], None] | None = None

    def copy_to(self, out: Tensor) -> None:
        """Reads the tensor into `out`, which may be of another type and on another device, and gives its pages back."""
        if self.write is None:
            out.copy_(self.read())
        else:
            self.write(out)
        self.release()

    @property
    def bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class Weights:
    """Tensors by name. What `get` returns may be a view of a mapped file: do not write to it."""

    def __init__(self, where: Path, entries: Mapping[str, Entry]) -> None:
        """`where`: the file or directory to name in messages."""
        self.where = where
        self.entries = dict(entries)

    def keys(self) -> list[str]:
        return list(self.entries)

    def shape(self, key: str) -> tuple[int, ...]:
        return self.entries[key].shape

    def dtype(self, key: str) -> torch.dtype:
        return self.entries[key].dtype

    def bytes(self, key: str) -> int:
        return self.entries[key].bytes

    def get(self, key: str) -> Tensor:
        return self.entries[key].read()

    def without_prefix(self, prefixes: Sequence[str]) -> "Weights":
        """The same tensors, named without any of `prefixes`. Raises CorruptFile when two would get one name."""
        entries: dict[str, Entry] = {}
        for key, entry in self.entries.items():
            bare = key
            while prefix := next((prefix for prefix in prefixes if bare.startswith(prefix)), None):
                bare = bare.removeprefix(prefix)
            if bare in entries:
                raise CorruptFile(f"{self.where} holds {bare} twice, as {key} too: two checkpoints are mixed up")
            entries[bare] = entry
        return Weights(self.where, entries)

    @property
    def main_dtype(self) -> torch.dtype:
        """The floating type that most of the numbers are in."""
        sizes: Counter[torch.dtype] = Counter()
        for entry in self.entries.values():
            if entry.dtype.is_floating_point:
                sizes[entry.dtype] += entry.bytes
        return sizes.most_common(1)[0][0] if sizes else torch.float32


def held(tensors: Mapping[str, Tensor], where: Path) -> Weights:
    """Tensors that are in memory."""
    return Weights(where, {key: Entry(tuple(t.shape), t.dtype, partial(_itself, t)) for key, t in tensors.items()})


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def borrowed(weights: Weights, keys: Sequence[str]) -> Iterator[list[Tensor]]:
    """The tensors, for the length of the block: afterwards the memory their file was mapped into is free again."""
    yield [weights.get(key) for key in keys]
    for key in keys:
        weights.entries[key].release()


def open_weights(directory: Path) -> Weights:
    """The weights of a model directory in the Hugging Face layout, safetensors rather than .bin where both are there.

    Raises UserError when there are none, CorruptFile for a missing shard or a file that is not what it should be.
    """
    for name in LAYOUTS:
        if (directory / f"{name}.index.json").is_file():
            return open_sharded(directory / f"{name}.index.json")
        if (directory / name).is_file():
            return open_file(directory / name)
    raise UserError(f"{directory} holds no weights: put {' or '.join(LAYOUTS)} (or its shards and index) there")


def open_sharded(index: Path) -> Weights:
    """The weights whose shards an index names."""
    try:
        shards: dict[str, str] = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (ValueError, KeyError, TypeError):
        check_is_file(index)
        raise CorruptFile(f"{index} is damaged: no JSON with a weight_map; copy it again") from None
    names = sorted(set(shards.values()))
    if absent := [name for name in names if not (index.parent / name).is_file()]:
        raise CorruptFile(f"{index.parent} lacks {listed(absent)}, one of {len(names)} shards; copy the missing ones")
    entries: dict[str, Entry] = {}
    for name in names:
        for key, entry in open_file(index.parent / name).entries.items():
            if shards.get(key, name) != name or key in entries:
                raise CorruptFile(f"{index.parent / name} holds {key}, which {index.name} places elsewhere: mixed up")
            entries[key] = entry
    if absent := [key for key in shards if key not in entries]:
        raise CorruptFile(f"{index.parent} lacks {listed(absent)}, which {index.name} promises; copy the shards again")
    return Weights(index.parent, entries)


def open_file(path: Path) -> Weights:
    """The tensors of one .safetensors or .bin file."""
    check_is_file(path)
    if path.suffix != ".safetensors":
        tensors, mapped = load_pickle(path)
        return Weights(path, entries_of(tensors, path, mapped))
    try:
        file = safe_open(path, framework="pt")
        entries = {key: _lazy(file, path, key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise CorruptFile(f"{path} is cut short or no safetensors file ({error}); copy it again") from None
    return Weights(path, entries)


def entries_of(tensors: Any, path: Path, mapped: bool) -> dict[str, Entry]:
    """Tensors by name, already opened. Raises CorruptFile when that is not what they are."""
    if not isinstance(tensors, Mapping):
        raise CorruptFile(f"{path} holds a {type(tensors).__name__}, not tensors by name")
    for key, tensor in tensors.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise CorruptFile(f"{path}: {key!r} is a {type(tensor).__name__}, not a tensor")
    return {key: _entry(tuple(t.shape), t.dtype, partial(_itself, t), mapped) for key, t in tensors.items()}


def _entry(shape: tuple[int, ...], dtype: torch.dtype, read: Callable[[], Tensor], mapped: bool) -> Entry:
    return Entry(shape, dtype, read, (lambda: _release(read())) if mapped else _nothing)


def check_is_file(path: Path) -> None:
    """Raises CorruptFile for a file that is empty or a git-LFS pointer."""
    with open(path, "rb") as file:
        start = file.read(len(_LFS))
    if start == _LFS:
        raise CorruptFile(f"{path} is a git-LFS pointer, not the file itself; run `git lfs pull` in {path.parent}")
    if not start:
        raise CorruptFile(f"{path} is empty; copy it again")


def _lazy(file: Any, path: Path, key: str) -> Entry:
    part = file.get_slice(key)
    name = part.get_dtype()
    if name not in DTYPES:
        raise CorruptFile(f"{path}: {key} is of type {name}, which glmkit cannot read; known: {', '.join(DTYPES)}")
    return _entry(tuple(part.get_shape()), DTYPES[name], partial(file.get_tensor, key), True)


DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def _release(tensor: Tensor) -> None:
    """Tells the system that the pages of a mapped tensor are not needed; reading it again would read the file again.

    Only pages that are the tensor's alone are given back, so neighbours keep theirs. No-op where that is not possible.
    """
    if not sys.platform.startswith("linux") or not tensor.is_contiguous():
        return
    start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if end > start:
        _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
