"""What this machine is, what it can compute on, and how fast it can be."""

import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject

if TYPE_CHECKING:
    import torch


def describe() -> JsonObject:
    """Processor, cores, memory, accelerator and library versions."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.platform(),
    }


def default_device() -> str:
    """The accelerator if torch sees one, else the CPU."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator is not None else "cpu"


def device_of(name: str) -> str:
    """The device that `name` means on this machine: "auto" is `default_device`, "cuda" and "cuda:1" are themselves.

    Raises UserError naming what there is when this machine has no such device.
    """
    import torch

    if name == "auto":
        return default_device()
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    kind = accelerator.type if accelerator is not None else "cpu"
    known = ["auto", "cpu"]
    if kind != "cpu":
        known += [kind, *(f"{kind}:{place}" for place in range(torch.accelerator.device_count()))]
    if name not in known:
        raise UserError(f"no device {name!r} on this machine, as torch sees it; use {', '.join(known)}")
    return name


def use_threads(count: int | None) -> None:
    """Makes torch and the compiled kernels use so many processor threads; 0 or None leaves their number as it is."""
    import torch

    if count:
        torch.set_num_threads(count)


def fastest_dtype(device: str) -> "torch.dtype":
    """bfloat16 where the device multiplies it in hardware, else float32."""
    import torch

    if device == "cpu":
        return (
            torch.bfloat16
            if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
            else torch.float32
        )
    return torch.bfloat16 if device != "cuda" or torch.cuda.is_bf16_supported() else torch.float32


def training_dtype(precision: str, device: str) -> "torch.dtype":
    """The type that a run computes matrix products in: of its `precision` auto, float32 or bfloat16."""
    import torch

    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": fastest_dtype(device)}[precision]


def matmul_rate(
    shapes: Iterable[tuple[int, int, int]], dtype: "torch.dtype", device: str, seconds: float = 0.5
) -> float:
    """Floating point operations a second of plain matrix products [m, k] x [k, n], in turn, best of three rounds."""
    import torch

    pairs = [
        (torch.randn(m, k, dtype=dtype, device=device), torch.randn(n, k, dtype=dtype, device=device))
        for m, k, n in shapes
    ]

    def run() -> None:
        for a, b in pairs:
            torch.nn.functional.linear(a, b)

    operations = sum(2 * m * k * n for m, k, n in shapes)
    return operations / min(seconds_of(run, device, seconds / 3) for _ in range(3))


def seconds_of(run: Callable[[], None], device: str, least: float) -> float:
    """Seconds that one call of `run` takes, from calls that last `least` seconds together, after one to warm up."""
    import torch

    def settle() -> None:
        if device != "cpu":
            torch.accelerator.synchronize()

    run()
    settle()
    began, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - began < least:
        run()
        settle()
        calls += 1
    return (time.perf_counter() - began) / calls


def peak_memory(device: str) -> int:
    """The most bytes used so far: of the accelerator, or of this process, interpreter and libraries included."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def give_back_memory() -> None:
    """Gives what has been freed back to the system, where the C library would keep it (glibc keeps pieces of up to
    32 MiB) and offers a way. Takes milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(ctypes.c_size_t(0))


def page_faults() -> int:
    """Pages of memory that this process was given so far, each cleared by the system first."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


# Parameters of glibc's mallopt, from its malloc.h; the largest threshold that it sets by itself is 32 MiB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _LARGEST = -1, -3, -4, 32 << 20


@contextmanager
def keep_memory(large: bool = True) -> Iterator[None]:
    """What is freed during the block stays with this process, where the C library is glibc; then it is given back.
    `large`: pieces of 32 MiB and more too.

    For training alone: a step frees just what the next one asks for, and large pieces that go back to the system are
    mapped and cleared page by page each time, a fifth of a step on a CPU. A process that waits for requests is to be
    small while it waits. Where several processes gather the weights of a block and give them back, between parts that
    stay, the holes that are left would be as large as the model again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    if large:
        mallopt(_MMAP_MAX, 0)  # they too come from the heap
    else:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, -1)  # whose end is never given back
    try:
        yield
    finally:  # what glibc comes to by itself, once a large piece was freed
        mallopt(_MMAP_MAX, 1 << 16)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
        give_back_memory()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
