"""Interleaved timing: machines drift, so that only what ran side by side compares."""

import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each over `rounds` rounds, after one to warm up. What an iterator does up to its first value
    is preparation and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            if isinstance(steps := run(), Iterator):
                next(steps)
                began = time.perf_counter()
                for _ in steps:
                    pass
            if number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(times) for name, times in seconds.items()}
