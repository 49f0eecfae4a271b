"""Prepared data in an object storage (s3://, gs://, ... whatever fsspec opens), read through copies of bounded size.

    CACHE/corpora/CHECKSUM/    manifest.json and tokenizer/ of a corpus, and the number of chunks in its shards, which
                               takes all documents' lengths to count; the checksum is of its address and manifest
    CACHE/shards/SHA-256       files of shards, named by what is in them: verified once, when they arrive

The least recently used files of shards give way to new ones. Processes of one machine share the cache: a file is
fetched by one of them while the others wait for it.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import atomic_directory, atomic_file, check_sum
from glmkit.core.json_types import JsonObject
from glmkit.core.locks import BeingWritten
from glmkit.data.shards import MANIFEST, TOKENIZER, Corpus, read_manifest
from glmkit.data.store import KINDS, MANIFEST_SAID, LocalStore, StreamConfig, check_size, size_of

_REMEDY = "; upload it again"
_WAIT = 0.2  # seconds between looks at a file that another process fetches
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


def is_remote(path: str) -> bool:
    """Whether a path is an address of fsspec's, such as s3://bucket/directory."""
    return "://" in path


def open_corpus(path: str, config: StreamConfig, *, verify: bool = True, share: tuple[int, int] = (0, 1)) -> Corpus:
    """Prepared data in a directory or an object storage. Raises UserError where they are not, or may not be read, and
    when the cache cannot hold what has to be in it together; CorruptFile for a shard that was not uploaded whole."""
    if not is_remote(path):
        store = LocalStore(Path(path), verify, share)
        return Corpus(store, read_manifest(store.directory))
    cache = Path(config.cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glmkit")
    bucket = _Bucket(path.rstrip("/"))
    directory = _mirror(bucket, cache / "corpora")
    remote = RemoteStore(bucket, directory, cache / "shards", int(config.cache_gb * 10**9))
    corpus = Corpus(remote, read_manifest(directory))
    bucket.check(corpus.shards)
    _check_room(corpus, config)
    return corpus


@dataclass
class _Bucket:
    """A directory of an object storage."""

    address: str
    _system: Any = field(init=False, repr=False)
    _root: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from fsspec.core import url_to_fs

        protocol = self.address.partition("://")[0]
        try:
            self._system, self._root = url_to_fs(self.address)
        except ImportError:
            package = _PACKAGES.get(protocol, f"fsspec's package for {protocol}")
            raise UserError(f"{self.address}: {package} is not installed; run: pip install {package}") from None
        except ValueError as error:
            raise UserError(f"{self.address}: {error}; use s3://bucket/directory or a directory") from None

    def read(self, name: str) -> bytes:
        with self._reporting(name):
            return self._system.cat_file(f"{self._root}/{name}")

    def fetch(self, name: str, path: Path) -> None:
        with self._reporting(name):
            self._system.get_file(f"{self._root}/{name}", str(path))

    def sizes(self, directory: str = "") -> dict[str, int]:
        """Bytes of all files in a directory and below it, by their names."""
        where = f"{self._root}/{directory}".rstrip("/")
        with self._reporting(directory):
            self._system.invalidate_cache()
            listed = self._system.find(where, detail=True)
        return {name.removeprefix(where).lstrip("/"): int(info["size"]) for name, info in listed.items()}

    def check(self, shards: Sequence[JsonObject]) -> None:
        """Raises CorruptFile for a file of these shards that is not there or not whole."""
        sizes = self.sizes()
        for shard in shards:
            for kind in KINDS:
                name, (size, _) = f"{shard['name']}.{kind}", size_of(shard, kind)
                if name not in sizes:
                    raise CorruptFile(f"{self.address}/{name} is missing{_REMEDY}")
                check_size(f"{self.address}/{name}", sizes[name], size, _REMEDY)

    @contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        """Makes one line of what the storage says. Each has exceptions of its own, of no common class."""
        place = f"{self.address}/{name}".rstrip("/")
        try:
            yield
        except FileNotFoundError:
            raise UserError(f"{place}: no such file; is the address right, and was everything uploaded?") from None
        except PermissionError as error:
            raise UserError(
                f"{place} may not be read ({_line(error)}); give credentials that may, as the storage's own tools take "
                "them"
            ) from None
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 (see above)
            raise UserError(f"{place} cannot be read: {type(error).__name__}: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _mirror(bucket: _Bucket, directory: Path) -> Path:
    """A local directory with the manifest and the tokenizer."""
    manifest = bucket.read(MANIFEST)
    path = directory / hashlib.sha256(bucket.address.encode() + manifest).hexdigest()[:32]
    while not path.is_dir():
        with _unless_written(), atomic_directory(path) as partial:
            (partial / MANIFEST).write_bytes(manifest)
            for name in bucket.sizes(TOKENIZER):
                file = partial / TOKENIZER / name
                file.parent.mkdir(parents=True, exist_ok=True)
                bucket.fetch(f"{TOKENIZER}/{name}", file)
    return path


@contextmanager
def _unless_written() -> Iterator[None]:
    """Waits a little, and does nothing, where somebody else is writing the same."""
    try:
        yield
    except BeingWritten:
        time.sleep(_WAIT)


def _check_room(corpus: Corpus, config: StreamConfig) -> None:
    """Raises UserError when the cache cannot hold two windows, or a corpus of one."""
    sizes = sorted((sum(shard["bytes"]) for shard in corpus.shards), reverse=True)
    needed = sum(sizes[: 2 * config.window])
    if needed > config.cache_gb * 10**9:
        raise UserError(
            f"two windows of {config.window} shards of {corpus.place} have {needed / 10**9:.3g} GB, and the cache may "
            f"have {config.cache_gb:g}: raise stream.cache_gb or lower stream.window"
        )


@dataclass
class RemoteStore:
    """Prepared data in an object storage, of which `limit` bytes are kept in `cache`."""

    bucket: _Bucket
    directory: Path
    cache: Path
    limit: int
    _expected: Sequence[JsonObject] = ()
    _one_by_one: threading.Lock = field(default_factory=threading.Lock, repr=False)  # or together they exceed the limit

    @property
    def place(self) -> str:
        return self.bucket.address

    @property
    def notes(self) -> Path:
        return self.directory

    def file(self, shard: JsonObject, kind: str) -> Path:
        """The copy of a file, fetched if there is none. Raises UserError, CorruptFile, Unwritable."""
        name, (size, checksum) = f"{shard['name']}.{kind}", size_of(shard, kind)
        path = self.cache / checksum
        while not path.is_file():
            with self._one_by_one, _unless_written(), atomic_file(path) as partial:
                self._make_room(size)
                self._fetch(name, partial, size, checksum)
        with suppress(FileNotFoundError):
            os.utime(path)
        return path

    def mapped(self, shard: JsonObject, kind: str, dtype: str) -> np.ndarray:
        while True:
            with suppress(FileNotFoundError):  # it gave way to another file meanwhile
                return np.memmap(self.file(shard, kind), dtype=dtype, mode="r").view(np.ndarray)

    def expect(self, shards: Sequence[JsonObject]) -> None:
        """Fetches them in the background, until others are expected; what goes wrong there is said by whoever needs
        the file."""

        def fetch() -> None:
            with suppress(UserError):
                for shard in shards:
                    for kind in KINDS:
                        if self._expected is shards:
                            self.file(shard, kind)

        self._expected = shards
        threading.Thread(target=fetch, daemon=True, name="glmkit-shards").start()

    def _fetch(self, name: str, path: Path, size: int, checksum: str) -> None:
        self.bucket.fetch(name, path)
        place = f"{self.place}/{name}"
        check_size(place, path.stat().st_size, size, _REMEDY)
        check_sum(path, checksum, MANIFEST_SAID, _REMEDY, place=place)

    def _make_room(self, size: int) -> None:
        """Removes the files that were not used for longest until there is room for one of so many bytes. A file that
        is in use may go: its bytes stay until it is closed."""
        files = []
        for entry in os.scandir(self.cache):
            with suppress(FileNotFoundError):  # removed by another process
                files.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
        total = sum(bytes for _, bytes, _ in files) + size
        for _, bytes, path in sorted(files):
            if total <= self.limit:
                break
            if not os.path.basename(path).startswith("."):
                Path(path).unlink(missing_ok=True)
                total -= bytes
