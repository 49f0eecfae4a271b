"""Text files to shards: tokenized by several processes, written in the order of the files whatever their number."""

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory, sha256
from glmkit.core.json_types import JsonObject
from glmkit.data.shards import TOKENIZER, ShardWriter, write_manifest
from glmkit.data.sources import LONGEST, Document, Split, documents, find_files
from glmkit.text.load import load
from glmkit.text.tokenizer import Tokenizer

_CHUNK = 1 << 20  # characters a process is handed at a time
SHARD_TOKENS = 1 << 27

Encoded = tuple[np.ndarray, np.ndarray, np.ndarray]  # ids of all documents, length of each, prompt length of each


def prepare(
    inputs: Sequence[Path],
    tokenizer: Tokenizer,
    output: Path,
    *,
    split: Split = "blank-line",
    workers: int = 1,
    shard_tokens: int = SHARD_TOKENS,
    longest: int = LONGEST,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> JsonObject:
    """Tokenizes the documents of `inputs` into the new directory `output`; returns its manifest.

    `on_bytes` is called with the number of every few bytes of input read. The result does not depend on `workers`.
    Raises UserError when `output` exists, or the input holds no text or a document of more than `longest` bytes; what
    was half written is removed.
    """
    files = find_files(inputs)
    with atomic_directory(output) as partial:
        tokenizer.save(partial / TOKENIZER)
        sources: list[JsonObject] = []
        with ShardWriter(partial, len(tokenizer), shard_tokens) as writer:
            chunks = _chunks(_read(files, split, sources, on_bytes, longest))
            with closing(_encode_all(chunks, tokenizer, partial / TOKENIZER, workers)) as encoded:
                for tokens, lengths, prompts in encoded:
                    writer.write(tokens, lengths, prompts)
            shards = writer.finish()
        if not shards:
            raise UserError(f"no text in {', '.join(map(str, inputs))}: nothing to prepare")
        return write_manifest(partial, writer.dtype, tokenizer.fingerprint, len(tokenizer), shards, sources)


def _read(
    files: list[Path], split: Split, sources: list[JsonObject], on_bytes: Callable[[int], None], longest: int
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
        yield from (encode(tokenizer, chunk) for chunk in chunks)
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


def encode(tokenizer: Tokenizer, chunk: list[Document]) -> Encoded:
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
    return encode(_worker_tokenizer, chunk)
