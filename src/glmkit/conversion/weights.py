"""Named tensors of a checkpoint, mapped into memory and read one at a time, whatever files hold them.

directory --choose--> files --open_file--> tensors by name --unwrapped--> under the names of the model itself

Programs for training wrap a model and save longer names ("module.", "_orig_mod."): `unwrapped` takes such parts off.
"""

import ctypes
import mmap
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from glmkit.conversion.choice import check_is_file, choose
from glmkit.conversion.pickles import load_pickle
from glmkit.conversion.statemap import listed
from glmkit.conversion.wrappers import unwrapped
from glmkit.core.errors import CorruptFile, short
from glmkit.core.json_types import Table
from glmkit.core.sharded import copy_whole, is_sharded

_LARGEST_HEADER = 16 << 20  # bytes: the names of two hundred thousand tensors


def _nothing() -> None:
    """The `release` of a tensor that is mapped from no file: there are no pages to give back."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file that is mapped into memory: what is known without reading it, how to read it, and how to
    give its memory pages back to the system afterwards.

    `write`, where a tensor is put together from parts: puts it together in memory that is there already.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]
    release: Callable[[], None] = _nothing
    write: Callable[[Tensor], None] | None = None

    def copy_to(self, out: Tensor) -> None:
        """Reads the tensor into `out`, which may be of another type, on another device and sharded, and gives its pages
        back."""
        if self.write is None or is_sharded(out):
            copy_whole(out, self._whole())
        else:
            self.write(out)
        self.release()

    def _whole(self) -> Tensor:
        if self.write is None:
            return self.read()
        whole = torch.empty(self.shape, dtype=self.dtype)
        self.write(whole)
        return whole

    @property
    def bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class Weights:
    """Tensors by name. What `get` returns may be a view of a mapped file: do not write to it."""

    def __init__(self, where: Path, entries: Mapping[str, Entry], facts: Table | None = None) -> None:
        """`where`: the file or directory to name in messages. `facts`: what the files say beside the tensors."""
        self.where = where
        self.entries = dict(entries)
        self.facts = dict(facts or {})

    def keys(self) -> list[str]:
        return list(self.entries)

    def shape(self, key: str) -> tuple[int, ...]:
        return self.entries[key].shape

    def matrix(self, key: str) -> tuple[int, int]:
        """Rows and columns of a tensor. Raises CorruptFile unless it has both."""
        if len(shape := self.shape(key)) != 2:
            raise CorruptFile(f"{self.where}: {key} is {list(shape)}, no matrix: damaged or of another model")
        return shape[0], shape[1]

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
                raise CorruptFile(
                    f"{self.where} holds {listed([bare])} twice, as {listed([key])} too: two checkpoints are mixed up"
                )
            entries[bare] = entry
        return Weights(self.where, entries, self.facts)

    @property
    def main_dtype(self) -> torch.dtype:
        """The floating type that most of the bytes are in."""
        sizes: Counter[torch.dtype] = Counter()
        for entry in self.entries.values():
            if entry.dtype.is_floating_point:
                sizes[entry.dtype] += entry.bytes
        return sizes.most_common(1)[0][0] if sizes else torch.float32


def in_memory(tensors: Mapping[str, Tensor], where: Path) -> Weights:
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


def open_weights(directory: Path, listed_files: Collection[str] | None = None) -> Weights:
    """The weights of a model directory in the Hugging Face layout: of the files that transformers would read, under
    the names that the model itself has for them.

    `listed_files`: those that the directory's own table lists. Raises UserError when there are none, CorruptFile for
    files that are missing, not what they should be, or not in the table.
    """
    chosen = choose(directory)
    if listed_files is not None and set(chosen.files) != set(listed_files) - {chosen.index}:
        raise CorruptFile(
            f"{directory} holds {listed(chosen.files)}, while its config.json lists {listed(sorted(listed_files))}: "
            "two sets of weights; remove the one that is not the model"
        )
    if chosen.index is None:
        weights = open_file(directory / chosen.files[0])
        return Weights(weights.where, unwrapped(weights.entries, weights.where))
    entries: dict[str, Entry] = {}
    for name in chosen.files:
        for key, entry in open_file(directory / name).entries.items():
            if chosen.places.get(key, name) != name or key in entries:
                raise CorruptFile(
                    f"{directory / name} holds {listed([key])}, which {chosen.index} places elsewhere: mixed up"
                )
            entries[key] = entry
    if absent := [key for key in chosen.places if key not in entries]:
        raise CorruptFile(f"{directory} lacks {listed(absent)}, which {chosen.index} promises; copy the shards again")
    return Weights(directory, unwrapped(entries, directory))


def open_file(path: Path) -> Weights:
    """The tensors of one .safetensors or .bin file."""
    check_is_file(path)
    if path.suffix != ".safetensors":
        tensors, mapped = load_pickle(path)
        return Weights(path, entries_of(tensors, path, mapped))
    with open(path, "rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if header > _LARGEST_HEADER:
        raise CorruptFile(f"{path} is damaged: its header has {header:,} bytes, more than any model's; copy it again")
    try:
        file = safe_open(path, framework="pt")
        entries = {key: _mapped_entry(file, path, key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise CorruptFile(f"{path} is cut short or no safetensors file ({error}); copy it again") from None
    return Weights(path, entries)


def entries_of(tensors: object, path: Path, mapped: bool) -> dict[str, Entry]:
    """The entries of tensors by name that a pickle held. Raises CorruptFile where it held something else."""
    if not isinstance(tensors, Mapping):
        raise CorruptFile(f"{path} holds a {type(tensors).__name__}, not tensors by name")
    for key, tensor in tensors.items():
        if isinstance(tensor, Mapping) and any(isinstance(part, Tensor) for part in tensor.values()):
            raise CorruptFile(
                f"{path} holds its tensors inside {short(key)}, among other things of a training run; save those "
                f"alone: torch.save(torch.load(FILE)[{short(key)}], FILE)"
            )
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise CorruptFile(f"{path}: {short(key)} is a {type(tensor).__name__}, not a tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise CorruptFile(f"{path}: {short(key)} is no dense tensor, which glmkit cannot read; save it as one")
        if tensor.dtype not in DTYPES.values():
            raise CorruptFile(_unreadable(path, key, str(tensor.dtype)))
    return {key: _entry(tuple(t.shape), t.dtype, partial(_itself, t), mapped) for key, t in tensors.items()}


def _unreadable(path: Path, key: str, kind: str) -> str:
    return f"{path}: {listed([key])} is of type {kind}, which glmkit cannot read; known: {', '.join(DTYPES)}"


def _entry(shape: tuple[int, ...], dtype: torch.dtype, read: Callable[[], Tensor], mapped: bool) -> Entry:
    return Entry(shape, dtype, read, (lambda: _release(read())) if mapped else _nothing)


def _mapped_entry(file: safe_open, path: Path, key: str) -> Entry:
    part = file.get_slice(key)
    name = part.get_dtype()
    if name not in DTYPES:
        raise CorruptFile(_unreadable(path, key, name))
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
