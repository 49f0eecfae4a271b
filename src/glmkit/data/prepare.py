"""Text files to shards: planned in parts, each tokenized by several processes, and joined.

    plan(files) -> parts          files in their order, a part ends behind the file with which it has `PART_BYTES`
    encode(part) -> PartRows      the shard files of a part, and what the manifest says of them
    join(parts) -> manifest       of all of them, in the order of the parts

A shard never holds text of two parts, so the result does not depend on who encodes which, and when (data/parts.py).
"""

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory, sha256
from glmkit.core.json_types import JsonObject
from glmkit.data.shards import TOKENIZER, ShardWriter, dtype_of, shard_name, write_manifest
from glmkit.data.sources import LONGEST, Document, Split, documents, find_files
from glmkit.text.load import load
from glmkit.text.tokenizer import Tokenizer

_CHUNK = 1 << 20  # characters a process is handed at a time
SHARD_TOKENS = 1 << 27

PART_BYTES = 1 << 30

Encoded = tuple[np.ndarray, np.ndarray, np.ndarray]  # ids of all documents, length of each, prompt length of each
OnBytes = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How the documents of files become shards: what ends a document of .txt, the bytes that one may have, and the
    tokens after which a shard ends."""

    split: Split = "blank-line"
    longest: int = LONGEST
    shard_tokens: int = SHARD_TOKENS


@dataclass(frozen=True)
class PartRows:
    """What the manifest says of a part: its shards and its files."""

    shards: list[JsonObject]
    sources: list[JsonObject]


def prepare(
    inputs: Sequence[Path],
    tokenizer: Tokenizer,
    output: Path,
    *,
    split: Split = "blank-line",
    workers: int = 1,
    shard_tokens: int = SHARD_TOKENS,
    part_bytes: int = PART_BYTES,
    longest: int = LONGEST,
    on_bytes: OnBytes = lambda count: None,
) -> JsonObject:
    """Tokenizes the documents of `inputs` into the new directory `output`; returns its manifest.

    `on_bytes` is called with the number of every few bytes of input read. The result does not depend on `workers`.
    Raises UserError when `output` exists, or the input holds no text or a document of more than `longest` bytes; what
    was half written is removed.
    """
    parts = plan(find_files(inputs), part_bytes)
    encoding = Encoding(split=split, longest=longest, shard_tokens=shard_tokens)
    with atomic_directory(output) as partial:
        tokenizer.save(partial / TOKENIZER)
        rows: list[PartRows] = []
        for part in parts:
            first = sum(len(done.shards) for done in rows)
            rows.append(encode(part, tokenizer, partial, encoding, first=first, workers=workers, on_bytes=on_bytes))
        if not any(part.shards for part in rows):
            raise UserError(f"no text in {', '.join(map(str, inputs))}: nothing to prepare")
        return join(rows, partial, tokenizer.fingerprint, len(tokenizer))


def plan(files: Sequence[Path], part_bytes: int = PART_BYTES) -> list[list[Path]]:
    """The files of each part."""
    parts: list[list[Path]] = [[]]
    size = 0
    for file in files:
        if size >= part_bytes:
            parts.append([])
            size = 0
        parts[-1].append(file)
        size += file.stat().st_size
    return parts


def encode(
    part: list[Path],
    tokenizer: Tokenizer,
    directory: Path,
    encoding: Encoding,
    *,
    first: int = 0,
    workers: int = 1,
    on_bytes: OnBytes = lambda count: None,
) -> PartRows:
    """Writes the shards of a part, numbered from `first` on, into a directory that holds the tokenizer already."""
    sources: list[JsonObject] = []
    with ShardWriter(directory, len(tokenizer), encoding.shard_tokens, first) as writer:
        chunks = _chunks(_read(part, encoding.split, sources, on_bytes, encoding.longest))
        with closing(_encode_all(chunks, tokenizer, directory / TOKENIZER, workers)) as encoded:
            for tokens, lengths, prompts in encoded:
                writer.write(tokens, lengths, prompts)
        return PartRows(writer.finish(), sources)


def join(parts: Sequence[PartRows], directory: Path, fingerprint: str, vocab_size: int) -> JsonObject:
    """Writes and returns the manifest of the shards of all parts, which are in `directory` by their numbers."""
    shards = [shard for part in parts for shard in part.shards]
    shards = [{**shard, "name": shard_name(number)} for number, shard in enumerate(shards)]
    sources = [source for part in parts for source in part.sources]
    return write_manifest(directory, dtype_of(vocab_size), fingerprint, vocab_size, shards, sources)


def _read(
    files: list[Path], split: Split, sources: list[JsonObject], on_bytes: OnBytes, longest: int
) -> Iterator[Document]:
    """All documents; `sources` gets a row for each file once it has been read."""
    for file in files:
        count = 0
        for document in documents(file, split, on_bytes, longest=longest):
            yield document
            count += 1
        sources.append({"name": file.name, "bytes": file.stat().st_size, "documents": count, "sha256": sha256(file)})


def _chunks(documents: Iterator[Document]) -> Iterator[list[Document]]:
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text) + len(document.prompt)
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _encode_all(
    chunks: Iterator[list[Document]], tokenizer: Tokenizer, saved: Path, workers: int
) -> Generator[Encoded, None, None]:
    """Chunks encoded in order; at most two chunks a process are in flight, so memory stays bounded."""
    if workers <= 1:
        yield from (encode_documents(tokenizer, chunk) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    resource_tracker.ensure_running()  # starting it would let Ctrl-C through again
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(saved,)) as pool:
        flying: deque[Future[Encoded]] = deque()
        try:
            for chunk in chunks:
                with _held_back():
                    flying.append(pool.submit(_encode_in_worker, chunk))
                if len(flying) > 2 * workers:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _held_back() -> Iterator[None]:
    """Keeps Ctrl-C waiting; a process started meanwhile never hears it, from its first instruction on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def encode_documents(tokenizer: Tokenizer, chunk: list[Document]) -> Encoded:
    """Ids of the documents, prompt before text; documents that encode to nothing are left out."""
    prompts = tokenizer.encode_batch([document.prompt for document in chunk])
    texts = tokenizer.encode_batch([document.text for document in chunk])
    kept = [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if text]
    tokens = np.fromiter(itertools.chain.from_iterable(itertools.chain.from_iterable(kept)), dtype=np.int64)
    lengths = np.array([len(prompt) + len(text) for prompt, text in kept], dtype=np.int64)
    return tokens, lengths, np.array([len(prompt) for prompt, _ in kept], dtype=np.int64)


_worker_tokenizer: Tokenizer


def _start_worker(saved: Path) -> None:
    global _worker_tokenizer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    _worker_tokenizer = load(saved)


def _encode_in_worker(chunk: list[Document]) -> Encoded:
    return encode_documents(_worker_tokenizer, chunk)
