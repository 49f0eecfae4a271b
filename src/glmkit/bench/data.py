"""How fast examples are made, from shards on disk to batches, by one core."""

import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch

from glmkit.bench.pretrain import SPECIAL
from glmkit.bench.report import Report, Result
from glmkit.data.chunks import ExampleSource, cut
from glmkit.data.loader import batch
from glmkit.data.packing import Plan
from glmkit.data.shards import ShardWriter, open_shards, write_manifest
from glmkit.infill.corruption import Chunk, TokenBlanks, Vocabulary
from glmkit.infill.position_schemes import TwoChannel

_VOCAB, _TOKENS, _ROWS = 30_000, 1 << 22, 16


def bench_data(seq_length: int, seconds: float) -> Report:
    """Tokens of text a second, in one thread. The limit is the definition in plain Python, one token at a time."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        source = _random_source(Path(scratch), seq_length)
        plan = Plan(source.table.lengths, source.order, _ROWS, seq_length)

        def batches() -> Iterator[int]:
            while True:
                rows = plan.next()
                batch(source, rows)
                yield sum(source.table.lengths.item(index) for row in rows for _, index in row)

        def plainly() -> Iterator[int]:
            index = 0
            while True:
                chunks = [source.chunk((index + row) % len(source)) for row in range(_ROWS)]
                plain_batch(chunks, index)
                yield sum(len(chunk.tokens) for chunk in chunks)
                index += _ROWS

        ours, theirs = [], []
        for _ in range(5):
            ours.append(_rate(batches(), seconds / 8))
            theirs.append(_rate(plainly(), seconds / 16))
    return Report(
        "data",
        {"seq": seq_length, "objective": "token", "threads": 1},
        [Result("examples from shards", median(ours) / 1e6, "M tokens/s", median(theirs) / 1e6)],
    )


def plain_batch(chunks: Sequence[Chunk], seed: int) -> list[torch.Tensor]:
    """The definition, token by token: ids, targets and the two rows of positions of a padded batch."""
    examples = [plain_example(chunk, random.Random(seed + row)) for row, chunk in enumerate(chunks)]
    width = max(len(tokens) for tokens, *_ in examples)
    return [torch.tensor([row + [0] * (width - len(row)) for row in rows]) for rows in zip(*examples, strict=True)]


def plain_example(chunk: Chunk, rng: random.Random) -> tuple[list[int], list[int], list[int], list[int]]:
    """Spans drawn one by one, then the text and its spans written out token by token."""
    text = chunk.tokens.tolist()
    lengths: list[int] = []
    while sum(lengths) < int(0.15 * len(text)):
        lengths += rng.choices(range(1, 40), weights=[3.0**n / math.factorial(n) for n in range(1, 40)])
    rng.shuffle(lengths)
    slack = len(text) - 2 - sum(lengths) - (len(lengths) - 1)
    begins: dict[int, int] = {}
    at = 1
    for offset, length in zip(sorted(rng.randrange(slack + 1) for _ in lengths), lengths, strict=True):
        begins[at + offset] = at + offset + length
        at += length + 1
    tokens: list[int] = []
    places: dict[int, int] = {}
    at = 0
    while at < len(text):
        if at in begins:
            places[at] = len(tokens)
        tokens.append(SPECIAL.mask if at in begins else text[at])
        at = begins.get(at, at + 1)
    targets, first, second = tokens.copy(), list(range(len(tokens))), [0] * len(tokens)
    for start, end in rng.sample(list(begins.items()), len(begins)):
        for step, id in enumerate([SPECIAL.sop, *text[start:end]], start=1):
            tokens.append(id)
            first.append(places[start])
            second.append(step)
        targets += [*text[start:end], SPECIAL.eop]
    return tokens, targets, first, second


def _rate(work: Iterator[int], seconds: float) -> float:
    """Tokens a second, after one piece of work to warm up."""
    next(work)
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        done += next(work)
    return done / (time.perf_counter() - began)


def _random_source(directory: Path, seq_length: int) -> ExampleSource:
    rng = np.random.default_rng(0)
    lengths = rng.integers(50, 4000, _TOKENS // 2000)
    with ShardWriter(directory, _VOCAB, _TOKENS) as writer:
        writer.write(rng.integers(64, _VOCAB, lengths.sum()), lengths, np.zeros_like(lengths))
        write_manifest(directory, writer.dtype, "", _VOCAB, writer.finish(), [])
    shards = open_shards(directory, verify=False)
    return ExampleSource(
        shards=shards,
        table=cut(shards.lengths, shards.prompts, np.arange(len(shards)), seq_length),
        opening=(SPECIAL.begin,),
        vocabulary=Vocabulary(special=SPECIAL, size=_VOCAB, sentence_ends=np.zeros(_VOCAB, dtype=bool)),
        objective=TokenBlanks(),
        position_scheme=TwoChannel(),
        seed=0,
    )
