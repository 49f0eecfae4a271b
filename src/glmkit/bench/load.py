"""How fast a model loads and how much memory that takes, against plain reading of the same files and the model's size.

The model is made of random blocks, two of them in turn, written as its layout has it into a temporary directory.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from glmkit.bench.random_models import named
from glmkit.bench.report import Report, Result
from glmkit.conversion.weights import Entry, Weights
from glmkit.core.errors import UserError, nearest
from glmkit.families import directory
from glmkit.families.assemble import blank
from glmkit.families.conversion import NATIVE
from glmkit.families.spec import Export, FamilySpec, ModelConfig
from glmkit.nn.quantized import QuantizedLinear
from glmkit.quantization.plan import PLANS, Plan

_READ_AT_ONCE = 16 << 20  # bytes

# Loads a model in a process of its own: seconds until it is there and until its first token, and the peak of memory
# beyond that of a model of no size.
_SCRIPT = """
import json, sys, time
import torch
from pathlib import Path
from glmkit.core.types import AttentionMask
from glmkit.families.load import read

def memory(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(what))

@torch.inference_mode()
def write(loaded):
    channels = loaded.family.positions(loaded.config).channels
    places = torch.zeros(1, channels, 1, dtype=torch.long)
    return loaded.model.logits(loaded.model(torch.tensor([[9]]), places, AttentionMask.prefix([0])))

dtype = getattr(torch, sys.argv[3])
write(read(Path(sys.argv[1]), dtype=dtype))
before = memory("VmRSS")
began = time.perf_counter()
loaded = read(Path(sys.argv[2]), dtype=dtype)
seconds = time.perf_counter() - began
write(loaded)
first, peak = time.perf_counter() - began, memory("VmHWM") - before
size = sum(tensor.nbytes for tensor in loaded.model.state_dict().values())
print(json.dumps({"seconds": seconds, "first": first, "peak": peak, "size": size}))
"""


def bench_load(
    name: str,
    layers: int | None,
    dtype: torch.dtype,
    stored: torch.dtype,
    layout: str,
    place: Path | None,
    quantize: str | None = None,
) -> Report:
    """Loads the preset `name`, with `layers` blocks if given, stored as `stored`, into `dtype`.

    `quantize` "int8" or "int4" stores linear layers quantized, in our own layout alone. `place`: where the files go
    while it lasts, beside the system's temporary files if None. Raises UserError for an unknown preset or layout and on
    systems that do not tell a process's memory.
    """
    if not Path("/proc/self/status").exists():
        raise UserError("bench load reads the memory of a process from /proc, which this system does not have")
    if quantize and layout != NATIVE:
        raise UserError(f"--quantize writes our own layout, not {layout!r}; leave out --layout")
    spec, config = named(name)
    config = config if layers is None else replace(config, num_layers=layers)
    with tempfile.TemporaryDirectory(dir=place, prefix="glmkit-bench-") as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        _write(small, spec, replace(config, num_layers=1, vocab_size=128), stored, layout, quantize)
        _write(large, spec, config, stored, layout, quantize)
        files = [path for path in sorted(large.rglob("*")) if path.is_file()]
        command = [sys.executable, "-c", _SCRIPT, str(small), str(large), str(dtype)[6:]]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        measured = json.loads(run.stdout)
        total = sum(path.stat().st_size for path in files)
        plain = _seconds_to_read(files)
    return Report(
        "load",
        {"preset": name, "layers": config.num_layers, "stored": str(stored)[6:], "dtype": str(dtype)[6:]}
        | {"quantize": quantize or "none", "layout": layout, "files": len(files)},
        [
            Result("bytes of the files loaded", total / measured["seconds"] / 1e9, "GB/s", total / plain / 1e9),
            Result("time to load", measured["seconds"], "s", plain),
            Result("time to the first token", measured["first"], "s", plain),
            Result("peak memory", measured["peak"] / 2**30, "GiB", measured["size"] / 2**30),
            Result("peak memory, to the files", measured["peak"] / 2**30, "GiB", total / 2**30),
        ],
    )


def _write(
    path: Path, spec: FamilySpec, config: ModelConfig, dtype: torch.dtype, layout: str, quantize: str | None
) -> None:
    path.mkdir()
    model = blank(spec.build, config)
    if quantize:
        _quantize_blank(model, PLANS[quantize])
    weights = _random(path, model.state_dict(), dtype)
    writers = {row.name: row.write for row in spec.formats if row.write is not None}
    if layout == NATIVE:
        directory.write(path, spec, config, model, None, None, weights)
    elif layout in writers:
        writers[layout](path, Export(config=config, model=model, weights=weights, tokenizer=None))
    else:
        raise UserError(f"{spec.name} is not written as {layout!r}{nearest(layout, [NATIVE, *writers])}")


def _quantize_blank(model: nn.Module, plan: Plan) -> None:
    for name, part in list(model.named_modules()):
        if type(part) is nn.Linear and (format := plan.format_of(name, part.in_features)) is not None:
            bias = part.bias is not None
            model.set_submodule(
                name, QuantizedLinear(part.in_features, part.out_features, format, bias=bias, device="meta")
            )


def _random(path: Path, wanted: Mapping[str, Tensor], dtype: torch.dtype) -> Weights:
    """Random weights, those of `wanted` that are not integers as `dtype`; blocks 2, 3, 4, ... repeat blocks 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    types = {name: torch.float16 if name.endswith("_scale") else dtype for name in wanted}
    types |= {name: tensor.dtype for name, tensor in wanted.items() if tensor.dtype == torch.int8}

    @cache
    def random_tensor(name: str) -> Tensor:
        shape = wanted[name].shape
        if types[name] == torch.int8:
            return torch.randint(-7, 8, shape, generator=generator, dtype=torch.int8)
        numbers = torch.randn(shape, generator=generator) * 0.02
        return (numbers.abs() if name.endswith("_scale") else numbers).to(types[name])

    def drawn(name: str) -> Tensor:
        block = re.sub(r"^blocks\.(\d+)", lambda match: f"blocks.{int(match[1]) % 2}", name)
        return random_tensor(block).clone()  # torch.save writes equal memory once

    entries = {name: Entry(tuple(wanted[name].shape), types[name], partial(drawn, name)) for name in wanted}
    return Weights(path, entries)


def _seconds_to_read(files: list[Path]) -> float:
    """To read the files from front to back into one piece of memory."""
    room = memoryview(bytearray(_READ_AT_ONCE))
    began = time.perf_counter()
    for path in files:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(room):
                pass
    return time.perf_counter() - began
