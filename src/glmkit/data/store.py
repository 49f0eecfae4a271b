"""Where the files of prepared data are: in a directory, or elsewhere with copies beside us (data/remote.py)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np

from glmkit.core.config import check_settings
from glmkit.core.errors import CorruptFile
from glmkit.core.files import check_sum
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import number, whole

KINDS = ("tokens", "documents")  # the files of a shard
WHOLE = 1 << 30  # a window that every corpus fits
MANIFEST_SAID = "its manifest"
REMEDY = "; prepare the data again"


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """How a corpus is read that is larger than memory or lies in an object storage.

    One of more than `window` shards is read in windows of so many (data/order.py). Of one in an object storage,
    copies of shards are kept in the directory `cache` (~/.cache/glmkit unless given), at most `cache_gb` GB in all: it
    must hold two windows.
    """

    window: int = 8
    cache: str = ""
    cache_gb: float = 50.0

    def __post_init__(self) -> None:
        check_settings(self, {"window": whole(1), "cache_gb": number(above=0)})


class Store(Protocol):
    """Where prepared data lie: a directory, or an object storage of which copies are kept (data/remote.py)."""

    @property
    def place(self) -> str:
        """The directory or the address, for people."""
        ...

    @property
    def directory(self) -> Path:
        """A local directory that holds the manifest and the tokenizer."""
        ...

    @property
    def notes(self) -> Path | None:
        """A local directory for what was worked out of these data and is wanted again, if there is one of ours."""
        ...

    def mapped(self, shard: JsonObject, kind: str, dtype: str) -> np.ndarray:
        """The `kind` ("tokens" or "documents") of a shard of the manifest, mapped into memory. Raises CorruptFile for a
        file that is missing or of another size, or whose checksum differs where that is verified."""
        ...

    def expect(self, shards: Sequence[JsonObject]) -> None:
        """These shards will be read soon."""


@dataclass
class LocalStore:
    """Prepared data in a directory; with `verify` the checksum of a file is compared when it is first opened, by one of
    the processes that read it: `share` is the number of this one and how many there are."""

    directory: Path
    verify: bool = True
    share: tuple[int, int] = (0, 1)
    _verified: set[Path] = field(default_factory=set, repr=False)

    @property
    def place(self) -> str:
        return str(self.directory)

    @property
    def notes(self) -> None:
        """It is the user's."""

    def mapped(self, shard: JsonObject, kind: str, dtype: str) -> np.ndarray:
        path = self.directory / f"{shard['name']}.{kind}"
        size, checksum = size_of(shard, kind)
        if not path.is_file():
            raise CorruptFile(f"{path} is missing{REMEDY}")
        check_size(str(path), path.stat().st_size, size, REMEDY)
        if self.verify and path not in self._verified and self._is_ours(shard["name"]):
            check_sum(path, checksum, MANIFEST_SAID, REMEDY)
            self._verified.add(path)
        return np.memmap(path, dtype=dtype, mode="r").view(np.ndarray)  # slices of a plain array cost less

    def _is_ours(self, shard: str) -> bool:
        rank, world = self.share
        return crc32(shard.encode()) % world == rank

    def expect(self, shards: Sequence[JsonObject]) -> None:
        """They are there."""


def size_of(shard: JsonObject, kind: str) -> tuple[int, str]:
    """Bytes and SHA-256 of a file of a shard."""
    place = KINDS.index(kind)
    return shard["bytes"][place], shard["sha256"][place]


def check_size(place: str, size: int, wanted: int, remedy: str) -> None:
    """Raises CorruptFile when the file `place` has not as many bytes as its manifest says."""
    if size != wanted:
        raise CorruptFile(f"{place} has {size} bytes, its manifest says {wanted}{remedy}")
