"""Token ids on disk: memory-mapped shards with an index, checksums and a manifest.

    DIR/manifest.json          counts, tokenizer, sources, and for each shard its files, sizes and checksums
    DIR/tokenizer/             the tokenizer the ids belong to
    DIR/00000.tokens           ids of all documents, one after the other (uint16; uint32 beyond 65,536 ids)
    DIR/00000.documents        int64 [D, 2]: where each document ends, and how many of its first tokens are prompt

Special tokens are not stored: [CLS] and <eod> are added when a piece is read.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from glmkit.core.errors import CorruptFile, UserError, short
from glmkit.core.files import new_file, sha256, write_text
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import ANY, CHECKSUM, FILE_NAME, TEXT, list_of, one_of, record, whole
from glmkit.core.seal import check_seal, sealed
from glmkit.core.strict_json import check_table, read_json
from glmkit.core.types import IntArray
from glmkit.data.store import KINDS, REMEDY, LocalStore, Store

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer"
_FORMAT = 1


def dtype_of(vocab_size: int) -> np.dtype[np.generic]:
    """The type that ids are stored in."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def shard_name(number: int) -> str:
    return f"{number:05d}"


class ShardWriter:
    """Writes documents into shards of about `shard_tokens` tokens, numbered from `first` on; `finish` returns the
    manifest's shard table."""

    def __init__(self, directory: Path, vocab_size: int, shard_tokens: int, first: int = 0) -> None:
        self.directory = directory
        self.dtype = dtype_of(vocab_size)
        self.first = first
        self.shard_tokens = shard_tokens
        self.shards: list[JsonObject] = []
        self._open = ExitStack()
        self._tokens: IO[bytes] | None = None
        self._documents: list[np.ndarray] = []
        self._written = 0

    def write(self, tokens: np.ndarray, lengths: np.ndarray, prompts: np.ndarray) -> None:
        """Appends documents: their ids one after the other, the length and prompt length of each (int64 [D])."""
        if not len(lengths):
            return  # a shard of nothing could not be mapped into memory
        if self._tokens is None:
            self._tokens = self._open.enter_context(new_file(self.directory / f"{self._name}.tokens"))
        self._tokens.write(tokens.astype(self.dtype).tobytes())
        self._documents.append(np.stack([self._written + np.cumsum(lengths), prompts], axis=1))
        self._written += len(tokens)
        if self._written >= self.shard_tokens:
            self._close()

    def finish(self) -> list[JsonObject]:
        if self._tokens is not None:
            self._close()
        return self.shards

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def _name(self) -> str:
        return shard_name(self.first + len(self.shards))

    def _close(self) -> None:
        self._open.close()
        name = self._name
        index = np.concatenate(self._documents).astype("<i8")
        with new_file(self.directory / f"{name}.documents") as file:
            file.write(index.tobytes())
        files = [self.directory / f"{name}.{kind}" for kind in KINDS]
        self.shards.append(
            {
                "name": name,
                "documents": len(index),
                "tokens": self._written,
                "bytes": [file.stat().st_size for file in files],
                "sha256": [sha256(file) for file in files],
            }
        )
        self._tokens, self._documents, self._written = None, [], 0


def write_manifest(
    directory: Path,
    dtype: np.dtype[np.generic],
    fingerprint: str,
    vocab_size: int,
    shards: list[JsonObject],
    sources: list[JsonObject],
) -> JsonObject:
    """Writes and returns the manifest; its presence says that the shards are complete."""
    manifest = {
        "format": _FORMAT,
        "documents": sum(shard["documents"] for shard in shards),
        "tokens": sum(shard["tokens"] for shard in shards),
        "dtype": dtype.str,
        "tokenizer": fingerprint,
        "vocab_size": vocab_size,
        "shards": shards,
        "sources": sources,
    }
    write_text(directory / MANIFEST, json.dumps(sealed(manifest), ensure_ascii=False, indent=1) + "\n")
    return manifest


@dataclass
class Shards:
    """Documents of prepared data, read through memory maps."""

    store: Store
    manifest: JsonObject
    lengths: IntArray  # [D] tokens of each document, its prompt included
    prompts: IntArray  # [D] prompt tokens of each document
    _ends: list[IntArray] = field(repr=False)
    _tokens: list[np.ndarray] = field(repr=False)
    _firsts: IntArray = field(repr=False)  # [S] number of the first document of each shard

    def __len__(self) -> int:
        return len(self.lengths)

    def read(self, document: int, start: int, stop: int) -> np.ndarray:
        """Ids start .. stop-1 of a document, as stored (a view of the memory map)."""
        shard = int(self._firsts.searchsorted(document, side="right")) - 1
        local = document - self._firsts.item(shard)
        begin = self._ends[shard].item(local - 1) if local else 0
        return self._tokens[shard][begin + start : begin + stop]

    def documents(self) -> Iterator[np.ndarray]:
        for document, length in enumerate(self.lengths):
            yield self.read(document, 0, int(length))

    def copied(self, documents: IntArray) -> "Shards":
        """These documents alone, in memory."""
        lengths = self.lengths[documents]
        texts = [self.read(document, 0, self.lengths.item(document)) for document in documents.tolist()]
        return Shards(
            self.store,
            self.manifest,
            lengths,
            self.prompts[documents],
            [np.cumsum(lengths)],
            [np.concatenate(texts)],
            np.array([0]),
        )


@dataclass(frozen=True)
class Corpus:
    """Prepared data by their manifest; their shards are opened as they are needed."""

    store: Store
    manifest: JsonObject

    @property
    def place(self) -> str:
        """Where they are, for people."""
        return self.store.place

    @property
    def shards(self) -> list[JsonObject]:
        return self.manifest["shards"]

    def open(self) -> Shards:
        """All documents. Raises CorruptFile."""
        return open_part(self.store, self.manifest, self.shards)


def open_shards(directory: Path, *, verify: bool = True) -> Shards:
    """Opens what `prepare` wrote. Raises UserError or CorruptFile naming the file and the checksum that differs."""
    return Corpus(LocalStore(directory, verify), read_manifest(directory)).open()


def open_part(store: Store, manifest: JsonObject, shards: Sequence[JsonObject]) -> Shards:
    """Opens some of the `shards` of a manifest, as if there were no others. Raises CorruptFile."""
    ends, tokens, prompts, lengths = [], [], [], []
    for shard in shards:
        tokens.append(store.mapped(shard, "tokens", manifest["dtype"]))
        index = read_index(store, shard)
        ends.append(np.ascontiguousarray(index[:, 0]))
        lengths.append(np.diff(index[:, 0], prepend=0))
        prompts.append(np.ascontiguousarray(index[:, 1]))
    counts, nothing = [len(e) for e in ends], np.empty(0, dtype=np.int64)
    return Shards(
        store,
        manifest,
        np.concatenate([nothing, *lengths]),
        np.concatenate([nothing, *prompts]),
        ends,
        tokens,
        np.cumsum([0, *counts[:-1]], dtype=np.int64),
    )


def read_index(store: Store, shard: JsonObject) -> IntArray:
    """Where each document of a shard ends, and how many of its first tokens are prompt: int64 [D, 2]. Raises
    CorruptFile."""
    index: IntArray = store.mapped(shard, "documents", "<i8").reshape(-1, 2)
    length = np.diff(index[:, 0], prepend=0)
    if index[-1, 0] != shard["tokens"] or length.min() < 0 or ((index[:, 1] < 0) | (index[:, 1] > length)).any():
        raise CorruptFile(f"{store.place}/{shard['name']}.documents does not fit the tokens beside it{REMEDY}")
    return index


_NEEDED = {
    "documents": whole(1),
    "tokens": whole(1),
    "dtype": one_of("<u2", "<u4"),
    "tokenizer": TEXT,
    "shards": list_of(
        record(
            {
                "name": FILE_NAME,
                "documents": whole(1, 1 << 48),
                "tokens": whole(1, 1 << 48),
                "bytes": list_of(whole(1), least=2),
                "sha256": list_of(CHECKSUM, least=2),
            }
        ),
        least=1,
    ),
}
_SCHEMA = _NEEDED | {"vocab_size": whole(1), "sources": list_of(ANY)}


def read_manifest(directory: Path) -> JsonObject:
    """The manifest of prepared data. Raises UserError or CorruptFile."""
    path = directory / MANIFEST
    if not path.is_file():
        raise UserError(f"{directory} has no {MANIFEST}: not prepared data; make it with `glmkit data prepare`")
    manifest = read_json(path, REMEDY)
    if (value := manifest.get("format")) != _FORMAT:
        raise UserError(f"{path} has format {short(value)}, this version reads {_FORMAT}{REMEDY}")
    check_table(manifest, _SCHEMA, str(path), REMEDY, _NEEDED)
    check_seal(manifest, {"format", *_SCHEMA}, str(path), REMEDY)
    size = np.dtype(manifest["dtype"]).itemsize
    for shard in manifest["shards"]:
        if shard["bytes"] != [shard["tokens"] * size, shard["documents"] * 16] or len(shard["sha256"]) != 2:
            raise CorruptFile(f"{path}: the sizes of shard {shard['name']} do not fit each other{REMEDY}")
    for name in ("documents", "tokens"):
        if manifest[name] != (total := sum(shard[name] for shard in manifest["shards"])):
            raise CorruptFile(f"{path}: {name} is {manifest[name]}, the shards hold {total}{REMEDY}")
    return manifest
