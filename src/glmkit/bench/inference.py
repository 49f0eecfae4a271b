"""Reading and writing with random models of a preset's shapes, against the machine's limits and against others.

Machines drift, so what is compared takes turns: ours, the baseline, the limit, ours again; of each the median counts.
"""

from collections.abc import Callable

import torch
from torch import nn

from glmkit.bench.baselines import Baseline
from glmkit.bench.interleaved import interleaved
from glmkit.bench.random_models import RandomModel
from glmkit.bench.report import Report, Result
from glmkit.core.json_types import Table
from glmkit.kernels.library import library
from glmkit.kernels.packed import paged
from glmkit.nn.quantized import QuantizedLinear

ROUNDS = 7
CONTEXT = 128  # tokens read before the ones that are timed
READ_BYTES = 1 << 30  # bytes, more than any cache


def bench_decode(
    subject: RandomModel, baseline: Baseline | None, streams: int, tokens: int, lora: int | None, config: Table
) -> Report:
    """Seconds of a token in each of `streams` rows, and what of the memory's speed that is; with an adapter of rank
    `lora` over every layer of the blocks too, if that is given."""
    cache = subject.model.new_cache(streams, CONTEXT + tokens * (ROUNDS + 1))
    subject.read(cache, CONTEXT, streams)
    hidden = torch.randn(streams, 1, subject.config.hidden_size, dtype=subject.dtype)
    memory = paged(READ_BYTES).fill_(1)

    def ours() -> None:
        for _ in range(tokens):
            subject.read(cache, 1, streams)

    @torch.inference_mode()
    def output() -> None:
        for _ in range(tokens):
            subject.model.logits(hidden)

    def theirs() -> None:
        assert baseline is not None
        baseline.decode(tokens, streams)

    runs = {"ours": ours, "output": output, "memory": lambda: read_memory(memory)}
    if baseline is not None:
        baseline.prefill(CONTEXT, streams)
        runs["baseline"] = theirs
    if lora is not None:
        adapters = [(subject.random_adapter(lora), streams)]
        other = subject.model.new_cache(streams, CONTEXT + tokens * (ROUNDS + 1))
        subject.read(other, CONTEXT, streams)

        def adapted() -> None:
            for _ in range(tokens):
                subject.read(other, 1, streams, adapters=adapters)

        runs["adapted"] = adapted
    seconds = interleaved(runs, ROUNDS)
    token, rest, reading = seconds["ours"] / tokens, seconds["output"] / tokens, seconds["memory"] / READ_BYTES
    layers = subject.config.num_layers
    whole = (token - rest) * subject.all_layers / layers + rest
    bytes_read = subject.block_bytes + subject.output_bytes
    results = [
        Result(
            f"tokens written, {layers} layers",
            streams / token,
            "tokens/s",
            None if baseline is None else streams * tokens / seconds["baseline"],
        ),
        Result(f"the same for all {subject.all_layers} layers", streams / whole, "tokens/s"),
        Result("weights read", bytes_read / token / 1e9, "GB/s", 1e-9 / reading),
        Result("weights read a token", bytes_read / 1e6, "MB"),
        Result("arithmetic", 2 * _weights(subject) * streams / token / 1e9, "GOPS"),
    ]
    if lora is not None:
        rate = streams * tokens / seconds["adapted"]
        results.append(Result(f"with LoRA of rank {lora}, not merged", rate, "tokens/s", streams / token))
    return Report("decode" if streams == 1 else "batch", config, results)


def bench_prefill(subject: RandomModel, baseline: Baseline | None, tokens: int, config: Table) -> Report:
    """A prompt of `tokens` tokens, against the rates of plain matrix products of the blocks' shapes."""
    c = subject.config
    cache = subject.model.new_cache(1, tokens)

    def ours() -> None:
        cache.cut(0)
        subject.read(cache, tokens)

    shapes = [tuple(part.shape) for part in _matrices(subject)]
    whole = {shape: torch.randint(-127, 127, shape, dtype=torch.int8) for shape in set(shapes)}
    half = {shape: torch.randn(shape).to(torch.bfloat16) for shape in set(shapes)}
    x = {k: torch.randint(-127, 127, (tokens, k), dtype=torch.int8) for _, k in set(shapes)}
    y = {k: torch.randn(tokens, k).to(torch.bfloat16) for _, k in set(shapes)}

    def integers() -> None:
        for shape in set(shapes):
            torch._int_mm(x[shape[1]], whole[shape].t())

    def bfloat16() -> None:
        for shape in set(shapes):
            torch.nn.functional.linear(y[shape[1]], half[shape])

    runs: dict[str, Callable[[], object]] = {"ours": ours, "int8": integers, "bfloat16": bfloat16}
    if baseline is not None:
        runs["baseline"] = lambda: baseline.prefill(tokens, 1)
    seconds = interleaved(runs, ROUNDS)
    one = 2 * tokens * sum(rows * columns for rows, columns in set(shapes))
    rate = 2 * tokens * sum(rows * columns for rows, columns in shapes) / seconds["ours"]
    results = [
        Result(
            f"tokens read, {c.num_layers} layers",
            tokens / seconds["ours"],
            "tokens/s",
            None if baseline is None else tokens / seconds["baseline"],
        ),
        Result("arithmetic, of torch's int8 products", rate / 1e9, "GOPS", one / seconds["int8"] / 1e9),
        Result("arithmetic, of torch's bfloat16 products", rate / 1e9, "GOPS", one / seconds["bfloat16"] / 1e9),
    ]
    return Report("prefill", config, results)


def read_memory(memory: torch.Tensor) -> None:
    """Reads `READ_BYTES` of memory in the fastest way known, by all threads."""
    kernels = library()
    if kernels is None:
        memory.sum()
    else:
        kernels.functions.read(memory=memory.data_ptr(), bytes=READ_BYTES, threads=torch.get_num_threads())


def _matrices(subject: RandomModel) -> list[torch.Tensor]:
    """A tensor without memory for the matrix of each linear layer of the blocks."""
    return [
        torch.empty(part.out_features, part.in_features, device="meta")
        for part in subject.model.get_submodule("blocks").modules()
        if isinstance(part, nn.Linear | QuantizedLinear)
    ]


def _weights(subject: RandomModel) -> int:
    blocks = sum(matrix.numel() for matrix in _matrices(subject))
    return blocks + subject.config.vocab_size * subject.config.hidden_size
