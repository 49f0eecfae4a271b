"""`glmkit serve` over a random model of a preset's shapes, in a process of its own, and what its engine writes of the
same load without the server."""

import asyncio
import multiprocessing
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import torch

from glmkit.bench.http_load import RATE, Figures, Load, Server
from glmkit.bench.random_models import named, random_model
from glmkit.bench.word_tokenizer import word_tokenizer, words
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.api import Model
    from glmkit.serve.models import ServedModel


@dataclass(frozen=True, kw_only=True)
class RandomShapes:
    """A preset with `layers` layers (None: all), in the form `quantize`, computed in `dtype`."""

    preset: str
    layers: int | None
    quantize: str | None
    dtype: torch.dtype


class RandomServer:
    """The process, while it is used as a context. Raises UserError naming the nearest preset."""

    def __init__(self, shapes: RandomShapes) -> None:
        named(shapes.preset)  # an unknown one is told here
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, shapes), daemon=True)
        self._process.start()
        theirs.close()
        self.server = Server(str(self._answer()))

    def __enter__(self) -> "RandomServer":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()  # it drains, and ends
        self._process.join()

    def figures(self, load: Load) -> Figures:
        return self.server.figures(load)

    def offline(self, load: Load) -> Figures:
        """Of the engine alone."""
        self._pipe.send(load)
        return {RATE: float(self._answer())}

    def _answer(self) -> str | float:
        try:
            answer: str | float = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise UserError(f"the server's process ended with code {self._process.exitcode}; see above") from None
        return answer


def _serve(pipe: Connection, shapes: RandomShapes) -> None:
    from glmkit.generate.scheduler import Scheduler
    from glmkit.serve.app import App
    from glmkit.serve.models import Models, ServedModel
    from glmkit.serve.run import run
    from glmkit.serve.settings import ServeSettings

    served = ServedModel(shapes.preset, random_text_model(shapes))
    settings = ServeSettings(port=0, page=False)
    app = App(lambda progress: Models([served]), settings, lambda served: Scheduler(served.model.module, kept_rows=8))
    address: Future[str] = Future()

    def ready(names: list[str]) -> None:
        pipe.send(address.result())
        threading.Thread(target=answer, args=(asyncio.get_running_loop(),), daemon=True).start()

    def answer(loop: asyncio.AbstractEventLoop) -> None:
        assert app.service is not None
        while True:  # in the engine's thread, whose team of threads is at work already
            load = pipe.recv()
            job = app.service.engine.run(partial(_offline, served, load))
            pipe.send(asyncio.run_coroutine_threadsafe(job, loop).result())

    app.on_ready = ready
    run(app, settings, address.set_result)


def _offline(served: "ServedModel", load: Load) -> float:
    """Tokens a second of the engine, `load.streams` at once."""
    from glmkit.generate.follow import run
    from glmkit.generate.request import Request
    from glmkit.generate.sampling import SamplingParams
    from glmkit.generate.scheduler import Scheduler

    config, model = served.continuing(load.tokens, load.tokens), served.model
    requests = [
        Request(
            config=config,
            prompt=model.prompt_format.continuation(model.tokenizer.encode(words(load.prompt, seed))),
            strategy=SamplingParams(temperature=1.0, p=1.0, seed=seed + 1),
        )
        for seed in range(load.requests)
    ]
    began = time.perf_counter()
    run(Scheduler(model.module, max_rows=load.streams), requests)
    return load.requests * load.tokens / (time.perf_counter() - began)


def random_text_model(shapes: RandomShapes) -> "Model":
    """A random model with a tokenizer whose ids are words."""
    from glmkit.api import Model

    built = random_model(shapes.preset, shapes.layers, shapes.quantize, shapes.dtype, None)
    return Model(built.family, built.config, built.model, word_tokenizer(built.config.vocab_size))
