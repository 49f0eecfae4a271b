"""A server of tiny models over real HTTP on localhost, and ways to ask it."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

import torch

from glmkit.generate.scheduler import Scheduler
from glmkit.serve import chat, completions
from glmkit.serve.app import App
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.run import HTTPServer, server_of
from glmkit.serve.settings import ServeSettings
from glmkit.testing import tiny

FAMILIES = ("chatglm3", "chatglm2", "chatglm", "glm", "neoglm")


@dataclass
class Reply:
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        """The data of a stream, [DONE] left out."""
        lines = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]


@dataclass
class Served:
    """A running server."""

    app: App
    server: HTTPServer
    host: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.server.port}"

    def connect(self, timeout: float = 20) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.server.port, timeout=timeout)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = self.connect()
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        head = {"content-type": "application/json"} if method == "POST" else {}
        head |= {name.lower(): value for name, value in (headers or {}).items()}
        connection.request(method, path, sent, head)
        answer = connection.getresponse()
        reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return reply

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})

    def chat(self, text: str = "hello", **fields: Any) -> Reply:
        return self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]} | fields)


@contextmanager
def serving(load: Callable[..., Models], settings: ServeSettings, **scheduler: Any) -> Iterator[Served]:
    """A server while it is used, in a thread of its own."""
    app = App(load, settings, lambda served: Scheduler(served.model.module, **({"max_rows": 64} | scheduler)))
    started = threading.Event()
    server = server_of(app, settings, lambda url: started.set())
    thread = threading.Thread(target=lambda: asyncio.run(server._serve()))
    thread.start()
    assert started.wait(20)
    served = Served(app, server, "127.0.0.1")
    try:
        for _ in range(1000):
            if app.failure is not None or served.get("/ready").status == 200:
                break
        yield served
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


def settings(**given: Any) -> ServeSettings:
    return ServeSettings(**{"port": 0, "drain_timeout": 2.0} | given)


@pytest.fixture(scope="session")
def models() -> Models:
    """One tiny model of each family."""
    return Models([ServedModel(name, tiny(name)) for name in FAMILIES])


@pytest.fixture(scope="session")
def server(models: Models) -> Iterator[Served]:
    """A server of all families."""
    with serving(lambda progress: models, settings()) as served:
        yield served


@pytest.fixture(scope="session")
def chatglm3(models: Models) -> Iterator[Served]:
    """A server of one ChatGLM3, which is asked without a name, under any."""
    only = Models([models.models["chatglm3"]], any_name=True)
    with serving(lambda progress: only, settings()) as served:
        yield served


class Script:
    """A strategy that writes some ids, whatever the model thinks, and then the last of them again and again."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def sampler(self, prompt: Any, index: int) -> "Script":
        script = Script(self.ids)
        script.place = 0
        return script

    def sample(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.ids[min(self.place, len(self.ids) - 1)])

    def observe(self, id: int) -> None:
        self.place += 1


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, models: Models) -> Callable[[str], None]:
    """Makes every model write a text and end: `says("text")`. Special tokens in it are read as such."""

    def let(text: str, ends: bool = True) -> None:
        tokenizer = models.models["chatglm3"].model.tokenizer
        ids = tokenizer.encode_marked(text) + ([tokenizer.special.eod] if ends else [])
        for module in (chat, completions):
            read = module.read_generation
            monkeypatch.setattr(
                module, "read_generation", lambda *a, read=read, **k: replace(read(*a, **k), strategy=Script(ids))
            )

    return let


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
