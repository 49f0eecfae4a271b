"""Token ids on disk: memory-mapped shards with an index, checksums and a manifest.

    DIR/manifest.json          counts, tokenizer, sources, and for each shard its files, sizes and checksums
    DIR/tokenizer/             the tokenizer the ids belong to
    DIR/00000.tokens           ids of all documents, one after the other (uint16; uint32 beyond 65,536 ids)
    DIR/00000.documents        int64 [D, 2]: where each document ends, and how many of its first tokens are prompt

Special tokens are not stored: [CLS] and <eod> are added when a piece is read.
"""

import json
from collections.abc import Iterator
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

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer"
_FORMAT = 1


class ShardWriter:
    """Writes documents into shards of about `shard_tokens` tokens; `finish` returns the manifest's shard table."""

    def __init__(self, directory: Path, vocab_size: int, shard_tokens: int) -> None:
        self.directory = directory
        self.dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
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
            self._tokens = self._open.enter_context(new_file(self.directory / f"{len(self.shards):05d}.tokens"))
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

    def _close(self) -> None:
        self._open.close()
        name = f"{len(self.shards):05d}"
        index = np.concatenate(self._documents).astype("<i8")
        with new_file(self.directory / f"{name}.documents") as file:
            file.write(index.tobytes())
        files = [self.directory / f"{name}.{kind}" for kind in ("tokens", "documents")]
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
    """Documents of a prepared directory, read through memory maps."""

    directory: Path
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


def open_shards(directory: Path, *, verify: bool = True) -> Shards:
    """Opens what `prepare` wrote. Raises UserError or CorruptFile naming the file and the checksum that differs."""
    manifest = _read_manifest(directory)
    ends, tokens, prompts, lengths = [], [], [], []
    for shard in manifest["shards"]:
        files = [directory / f"{shard['name']}.{kind}" for kind in ("tokens", "documents")]
        for file, size, checksum in zip(files, shard["bytes"], shard["sha256"], strict=True):
            _check(file, size, checksum if verify else None)
        index = np.fromfile(files[1], dtype="<i8").reshape(-1, 2)
        length = np.diff(index[:, 0], prepend=0)
        if index[-1, 0] != shard["tokens"] or length.min() < 0 or ((index[:, 1] < 0) | (index[:, 1] > length)).any():
            raise CorruptFile(f"{files[1]} does not fit the tokens beside it{_REMEDY}")
        ends.append(np.ascontiguousarray(index[:, 0]))
        lengths.append(length)
        prompts.append(index[:, 1])
        tokens.append(
            np.memmap(files[0], dtype=manifest["dtype"], mode="r").view(np.ndarray)
        )  # slices of a plain array cost less
    counts = [len(e) for e in ends]
    return Shards(
        directory,
        manifest,
        np.concatenate(lengths),
        np.concatenate(prompts),
        ends,
        tokens,
        np.cumsum([0, *counts[:-1]]),
    )


_REMEDY = "; prepare the data again"
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


def _read_manifest(directory: Path) -> JsonObject:
    path = directory / MANIFEST
    if not path.is_file():
        raise UserError(f"{directory} has no {MANIFEST}: not prepared data; make it with `glmkit data prepare`")
    manifest = read_json(path, _REMEDY)
    if (value := manifest.get("format")) != _FORMAT:
        raise UserError(f"{path} has format {short(value)}, this version reads {_FORMAT}{_REMEDY}")
    check_table(manifest, _SCHEMA, str(path), _REMEDY, _NEEDED)
    check_seal(manifest, {"format", *_SCHEMA}, str(path), _REMEDY)
    size = np.dtype(manifest["dtype"]).itemsize
    for shard in manifest["shards"]:
        if shard["bytes"] != [shard["tokens"] * size, shard["documents"] * 16] or len(shard["sha256"]) != 2:
            raise CorruptFile(f"{path}: the sizes of shard {shard['name']} do not fit each other{_REMEDY}")
    for name in ("documents", "tokens"):
        if manifest[name] != (total := sum(shard[name] for shard in manifest["shards"])):
            raise CorruptFile(f"{path}: {name} is {manifest[name]}, the shards hold {total}{_REMEDY}")
    return manifest


def _check(file: Path, size: int, checksum: str | None) -> None:
    if not file.is_file():
        raise CorruptFile(f"{file} is missing{_REMEDY}")
    if file.stat().st_size != size:
        raise CorruptFile(f"{file} has {file.stat().st_size} bytes, its manifest says {size}{_REMEDY}")
    if checksum is not None and (actual := sha256(file)) != checksum:
        raise CorruptFile(f"{file} is damaged: SHA-256 {actual[:16]}..., its manifest says {checksum[:16]}...{_REMEDY}")
