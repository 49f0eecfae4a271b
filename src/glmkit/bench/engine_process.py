"""Baseline engines, each in a process of its own."""

import importlib.util
import multiprocessing
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import NamedTuple

from glmkit.bench.baselines import Baseline, Work
from glmkit.bench.llama_cpp import LlamaCpp
from glmkit.bench.openvino import OpenVino
from glmkit.core.errors import MissingExtra, UserError


class Engine(NamedTuple):
    """How a baseline is made, and the extra that brings each package it needs."""

    make: Callable[[Work], Baseline]
    extras: Mapping[str, str]


ENGINES = {
    "llama.cpp": Engine(LlamaCpp, {"llama_cpp": "llama", "gguf": "gguf"}),
    "openvino": Engine(OpenVino, {"openvino": "openvino"}),
}


def require(engine: str) -> None:
    """Raises MissingExtra where a package of `engine` is not installed."""
    for package, extra in ENGINES[engine].extras.items():
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, extra)


class EngineProcess:
    """A baseline in a process of its own: engines that set up a thread's tile registers once and for all do not get on
    with others in the same threads. Calls return the seconds of processor time they took there."""

    def __init__(self, engine: str, work: Work) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, engine, work), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def prefill(self, tokens: int, streams: int) -> float:
        self._pipe.send(("prefill", tokens, streams))
        return self._answer()

    def decode(self, tokens: int, streams: int) -> float:
        self._pipe.send(("decode", tokens, streams))
        return self._answer()

    def _answer(self) -> float:
        try:
            return float(self._pipe.recv())
        except EOFError:
            self._process.join()
            raise UserError(
                f"the other engine ended with code {self._process.exitcode}; its own messages may say why"
            ) from None


def _serve(pipe: Connection, engine: str, work: Work) -> None:
    baseline = ENGINES[engine].make(work)
    pipe.send(0.0)
    while True:
        try:
            verb, tokens, streams = pipe.recv()
        except EOFError:
            return
        began = time.process_time()
        getattr(baseline, verb)(tokens, streams)
        pipe.send(time.process_time() - began)
