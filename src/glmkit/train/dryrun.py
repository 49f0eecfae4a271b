"""What a pretraining run would take on any mesh: memory, traffic, time and checkpoints, from shapes and two short
measurements on this machine. Nothing is trained and no other process started."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from glmkit.conversion.write import write_tensors
from glmkit.core import machine
from glmkit.core.errors import Unwritable, UserError
from glmkit.data.remote import is_remote
from glmkit.data.steps import refuse_idle
from glmkit.families.assemble import blank
from glmkit.families.registry import family_of
from glmkit.train.config import PretrainConfig
from glmkit.train.mesh_cost import MeshCost, mesh_cost, targets_per_token
from glmkit.train.model import blank_model, continued
from glmkit.train.optimizer import optimizer_flops
from glmkit.train.run import refuse_others
from glmkit.train.text import open_text

_GIB = 2**30
_WRITTEN = 64 << 20  # bytes of the file that is timed
# Resident memory of one of several processes of a CPU over that of its tensors, and beside it: gloo copies, glibc's
# heap keeps holes, and Python and torch take their own. Two processes of glm-2b with 12 and with 4 of its blocks took
# 1.00 and 1.12 times what these say.
_RESIDENT, _PROGRAM = 1.2, 0.3 * _GIB


def dry_run(config: PretrainConfig) -> list[str]:
    """Lines for people about a run on the mesh of `config.parallel`, where a `shard` of -1 is one process.

    Data are read if they are given; without them the vocabulary is that of `config.model`. Raises UserError for what
    would stop the run itself.
    """
    machine.use_threads(config.threads)
    device = machine.device_of(config.device)
    refuse_others(config.output, *(corpus.path for corpus in config.corpora if not is_remote(corpus.path)))
    world = config.parallel.replicate * max(config.parallel.shard, 1)
    refuse_idle(config.batch_size, world)
    config = continued(config) if config.init_from else config
    lines, targets = [], targets_per_token(config)
    if config.corpora:
        text = open_text(config, verify=False)
        _, model = blank_model(config, text.tokenizer)
        config, targets, tokens = replace(config, model=model), text.targets_per_token, int(text.training.lengths.sum())
        read = config.steps * config.batch_size * config.seq_length
        lines = [f"data: {tokens:,} tokens, read about {read / tokens:.2g} times in {config.steps:,} steps"]
    dtype = machine.training_dtype(config.precision, torch.device(device).type)
    cost = mesh_cost(config, world, dtype)
    return [
        *_memory_lines(config, cost, dtype, device),
        _traffic_line(config, cost),
        *lines,
        *_time_lines(config, cost, targets, dtype, device),
        _checkpoint_line(config, cost),
    ]


def duration(seconds: float) -> str:
    """A time as people say it."""
    for size, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if seconds < 120 * size:
            return f"{seconds / size:.{0 if unit != 'h' else 1}f} {unit}"
    return f"{seconds / 86400:,.1f} days"


def _memory_lines(config: PretrainConfig, cost: MeshCost, dtype: torch.dtype, device: str) -> list[str]:
    memory, name = cost.memory, str(dtype).removeprefix("torch.")
    parts = {
        "weights": memory.weights,
        "moments": memory.moments,
        "gradients": memory.gradients,
        "gathered weights": memory.gathered,
        "accumulated gradients": memory.accumulated,
        "activations": memory.activations,
    }
    summary = ", ".join(f"{size / _GIB:.2f} {part}" for part, size in parts.items() if size)
    lines = [
        f"{cost.parameters:,} parameters, products in {name}, {_mesh(cost)}",
        f"memory of a process: {memory.peak / _GIB:.2f} GiB at most ({summary}; not all at once)",
    ]
    if config.parallel.offload and cost.world > 1:
        lines.append(f"of it {memory.state / _GIB:.2f} GiB lie in the processor's memory beside a GPU")
    if memory.accumulated and cost.world > 1:
        lines.append(
            f"with {cost.rounds} micro-batches a step every process adds up whole gradients until the last: one "
            "micro-batch a step needs none of them (a larger micro_batch_size, a smaller batch_size, or more processes)"
        )
    if cost.world > 1:
        lines.append(
            f"while a checkpoint is written the gradients are gone, and the first process holds all weights in the "
            f"processor's memory, {cost.checkpoint[0] / _GIB:.2f} GiB"
        )
    if cost.world > 1 and device == "cpu":
        resident = _RESIDENT * memory.peak + _PROGRAM
        lines.append(
            f"a process of a CPU takes about {resident / _GIB:.2f} GiB in all: beside its tensors Python, torch, what "
            "gloo copies and what glibc keeps"
        )
    return lines


def _mesh(cost: MeshCost) -> str:
    if cost.world == 1:
        return "one process (parallel.shard=N: as it would be by N)"
    return f"{cost.world:,} processes: {cost.replicate} of {cost.shard} that hold the model once"


def _traffic_line(config: PretrainConfig, cost: MeshCost) -> str:
    rows = f"a step: {config.batch_size:,} rows of {config.seq_length:,} tokens, {cost.rounds} micro-batches a process"
    if cost.world == 1:
        return f"{rows}; nothing is sent"
    names = ", ".join(f"{count:,} {name.replace('_', '-')}s" for name, count in cost.collectives.items())
    return f"{rows}; {names}; each process sends {cost.sent / _GIB:.2f} GiB"


def _time_lines(config: PretrainConfig, cost: MeshCost, targets: float, dtype: torch.dtype, device: str) -> list[str]:
    """From this machine's rate of bare matrix products: what no run reaches, and what the network must carry then."""
    spec = family_of(config.model)
    rate = machine.matmul_rate(spec.matmul_shapes(config.model, 1024), dtype, device)
    tokens = config.batch_size * config.seq_length
    flops = spec.flops_per_token(config.model, config.seq_length, targets) * tokens
    flops += (
        optimizer_flops(blank(spec.build, config.model), config.optimizer) * cost.world
    )  # every process makes every update of Muon
    seconds = flops / (rate * cost.world)
    lines = [
        f"time: this machine multiplies matrices at {rate / 1e12:.2f} TFLOP/s; were each process as fast, a step would "
        f"take at least {seconds:.3g} s ({tokens / seconds:,.0f} tokens/s), the run {duration(config.steps * seconds)}"
    ]
    if cost.world > 1:
        lines.append(f"traffic takes no longer than that where each process sends {cost.sent / seconds / 1e9:.2f} GB/s")
    return lines


def _checkpoint_line(config: PretrainConfig, cost: MeshCost) -> str:
    weights, moments = cost.checkpoint
    size = f"checkpoint: {(weights + moments) / _GIB:.2f} GiB ({weights / _GIB:.2f} weights)"
    if not config.output:
        return f"{size}; give output to time its file system"
    rate = write_rate(Path(config.output))
    return (
        f"{size}, {duration((weights + moments) / rate)} at the {rate / 1e9:.2f} GB/s of one writer to {config.output}"
    )


def write_rate(directory: Path) -> float:
    """Bytes a second that reach the file system of a directory, which need not be there, checksums included: of a file
    of 64 MiB, which is removed. Raises UserError where nothing can be written."""
    place = next(path for path in (directory, *directory.absolute().parents) if path.is_dir())
    tensor = torch.zeros(_WRITTEN, dtype=torch.uint8)
    try:
        with tempfile.TemporaryDirectory(prefix=".glmkit-", dir=place) as folder:
            began = time.perf_counter()
            write_tensors(Path(folder) / "file.safetensors", {"file": tensor})
            return _WRITTEN / (time.perf_counter() - began)
    except (OSError, Unwritable) as error:
        raise UserError(f"could not write to {place}: {error}; give another output") from None
