"""Clients that go away, wait, flood or never read: their places are free again, and nobody else is disturbed."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny

from .conftest import Served, serving, settings, until
from .test_contract import USER

LONG = {"max_tokens": 900, "ignore_eos": True}


@pytest.fixture(scope="module")
def small(models: Models) -> Iterator[Served]:
    """A server that writes two sequences at a time and lets two wait."""
    only = Models([models.models["chatglm3"]])
    given = settings(max_waiting=4, queue_timeout=1.0, ping_interval=0.1, stall_timeout=0.5, max_per_key=6)
    with serving(lambda progress: only, given, max_rows=2) as served:
        yield served


def busy(served: Served) -> int:
    """Sequences that the engine reads, writes or lets wait."""
    assert served.app.service is not None
    return sum(stats.running + stats.waiting for stats in served.app.service.engine.stats.values())


def places(served: Served) -> int:
    """Requests that hold a place of their client's."""
    assert served.app.service is not None
    return sum(served.app.service.by_owner.values()) + served.app.service.waiting


def send(served: Served, path: str, body: Any) -> socket.socket:
    """A request whose reply nobody has read yet."""
    data = json.dumps(body).encode()
    connection = socket.create_connection((served.host, served.server.port), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [USER], **LONG}),
        ("/v1/completions", {"prompt": ["x", "y"], **LONG}),
    ],
)
def test_a_client_that_hangs_up_frees_its_places(small: Served, path: str, body: Any, stream: bool) -> None:
    connection = send(small, path, body | {"stream": stream})
    until(lambda: busy(small) > 0)
    connection.close()
    until(lambda: busy(small) == 0 == places(small), 2)
    assert small.chat(max_tokens=1).status == 200


def test_a_client_that_hangs_up_while_it_waits_frees_its_place(small: Served) -> None:
    running = [send(small, "/v1/chat/completions", {"messages": [USER], **LONG}) for _ in range(2)]
    until(lambda: busy(small) == 2)
    waiting = send(small, "/v1/chat/completions", {"messages": [USER], **LONG})
    until(lambda: busy(small) == 3)
    waiting.close()
    until(lambda: busy(small) == 2, 2)
    for connection in running:
        connection.close()
    until(lambda: busy(small) == 0 == places(small), 2)


def test_a_client_that_hangs_up_while_its_prompt_is_read(small: Served) -> None:
    connection = send(small, "/v1/chat/completions", {"messages": [{"role": "user", "content": "x" * 900}], **LONG})
    connection.close()
    until(lambda: busy(small) == 0 == places(small), 2)


def test_too_many_wait(small: Served) -> None:
    held = [send(small, "/v1/chat/completions", {"messages": [USER], **LONG}) for _ in range(2)]
    until(lambda: busy(small) == 2)
    until(lambda: small.app.service is not None and small.app.service.waiting == 0)
    refused = small.post("/v1/completions", {"prompt": ["x"] * 5, "max_tokens": 1})
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (429, "overloaded", "1")
    began = time.monotonic()
    late = small.chat(max_tokens=1)
    if late.status != 200:  # else the others had ended meanwhile
        assert (late.status, time.monotonic() - began > 0.9) == (429, True)
    for connection in held:
        connection.close()
    until(lambda: busy(small) == 0 == places(small), 2)
    many = small.post("/v1/completions", {"prompt": ["x"] * 7, "max_tokens": 1})
    assert many.status == 429
    assert b'glmkit:requests_refused_total{reason="queue_full"}' in small.get("/metrics").body


def test_a_reader_that_never_reads_is_left(small: Served) -> None:
    listener = send(small, "/v1/completions", {"prompt": "x", "n": 2, "stream": True, "logprobs": 20, **LONG})
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    until(lambda: busy(small) == 2)
    until(lambda: busy(small) == 0 == places(small), 20)
    listener.close()


def test_a_wait_is_told_by_comments(small: Served) -> None:
    held = [send(small, "/v1/chat/completions", {"messages": [USER], **LONG}) for _ in range(2)]
    until(lambda: busy(small) == 2)
    waiting = send(small, "/v1/chat/completions", {"messages": [USER], "max_tokens": 1, "stream": True})
    received = b""
    while b"[DONE]" not in received and b"overloaded" not in received:
        received += waiting.recv(4096)
    for connection in (*held, waiting):
        connection.close()
    assert b": ping\n\n" in received


def test_streams_of_many_are_their_own(models: Models) -> None:
    """Distinct known answers: 64 at once get what each gets alone."""
    only = Models([models.models["chatglm3"]])
    with serving(lambda progress: only, settings(), max_rows=64) as served:

        def ask(number: int) -> str:
            reply = served.chat(f"question {number}", stream=True, max_tokens=8, seed=number, temperature=1)
            return "".join(event["choices"][0]["delta"].get("content", "") for event in reply.events)

        alone = [ask(number) for number in range(64)]
        with ThreadPoolExecutor(32) as pool:
            assert [*pool.map(ask, range(64))] == alone
        assert len(set(alone)) > 60


def test_the_server_answers_while_it_reads_and_writes(chatglm3: Served) -> None:
    connections = [
        send(chatglm3, "/v1/chat/completions", {"messages": [{"role": "user", "content": "x" * 500}], **LONG, "n": 4})
        for _ in range(3)
    ]
    until(lambda: busy(chatglm3) > 3)
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert chatglm3.get("/health").status == 200
        slowest = max(slowest, time.monotonic() - began)
    for connection in connections:
        connection.close()
    assert slowest < 1.0  # a step of this model takes far longer than an answer, on a machine that has other work
    until(lambda: busy(chatglm3) == 0)


def test_one_that_fails_disturbs_nobody(chatglm3: Served) -> None:
    seeded = {"seed": 3, "max_tokens": 60, "ignore_eos": True}
    alone = chatglm3.chat(**seeded).json["choices"]
    with ThreadPoolExecutor(4) as pool:
        together = pool.submit(chatglm3.chat, **seeded)
        bad = [pool.submit(chatglm3.chat, "x" * length, max_tokens=3) for length in (5000, 2000)]
        assert [one.result().status for one in bad] == [400, 400]
        assert together.result().json["choices"] == alone


def test_a_step_that_fails_ends_what_was_written_and_no_more(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    from glmkit.generate.scheduler import Scheduler

    only = Models([models.models["chatglm3"]])
    with serving(lambda progress: only, settings()) as served:
        step, fails = Scheduler.step, threading.Event()

        def broken(self: Scheduler) -> Any:
            if fails.is_set():
                fails.clear()
                raise RuntimeError("a fault of the program")
            return step(self)

        monkeypatch.setattr(Scheduler, "step", broken)
        fails.set()
        reply = served.chat(max_tokens=3)
        assert (reply.status, reply.error["code"], reply.headers["x-should-retry"]) == (500, "internal", "false")
        assert served.chat(max_tokens=3).status == 200


def test_a_model_that_computes_nan_says_so() -> None:
    model = tiny("chatglm3")
    next(iter(model.module.parameters())).data.fill_(float("nan"))
    with serving(lambda progress: Models([ServedModel("nan", model)]), settings()) as served:
        reply = served.chat(max_tokens=3)
        assert (reply.status, reply.error["code"], reply.headers["x-should-retry"]) == (500, "model_error", "false")
        assert served.post("/v1/embeddings", {"input": "x"}).status == 500
        assert served.get("/health").status == 200


def test_stopping_lets_running_requests_end(models: Models) -> None:
    only = Models([models.models["chatglm3"]])
    with serving(lambda progress: only, settings(drain_timeout=20)) as served:
        kept = served.connect()
        kept.request("GET", "/health")
        kept.getresponse().read()
        with ThreadPoolExecutor(2) as pool:
            running = pool.submit(served.chat, max_tokens=200, ignore_eos=True)
            until(lambda: busy(served) > 0)
            served.server.stop()
            assert running.result().json["usage"]["completion_tokens"] == 200


def test_stopping_twice_ends_them(models: Models) -> None:
    only = Models([models.models["chatglm3"]])
    with serving(lambda progress: only, settings(drain_timeout=20)) as served:
        connection = send(served, "/v1/chat/completions", {"messages": [USER], "n": 16, **LONG})
        until(lambda: busy(served) > 0)
        served.server.stop()
        served.server.stop()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    connection.close()


def test_requests_while_it_loads_and_when_it_cannot(models: Models) -> None:
    import asyncio

    from glmkit.core.errors import UserError
    from glmkit.serve.app import App
    from glmkit.serve.run import server_of

    go = threading.Event()

    def load(progress: Any) -> Models:
        progress("large", 0.25)
        go.wait(10)
        raise UserError("no such model")

    given = settings()
    app = App(load, given, lambda served: pytest.fail("nothing was loaded"))
    started = threading.Event()
    server = server_of(app, given, lambda url: started.set())
    thread = threading.Thread(target=lambda: asyncio.run(server._serve()))
    thread.start()
    assert started.wait(10)
    served = Served(app, server, "127.0.0.1")
    until(lambda: served.get("/load").json["loading"] == {"model": "large", "share": 0.25})
    assert served.get("/health").status == 200
    for reply in (served.get("/ready"), served.chat(), served.get("/v1/models")):
        assert (reply.status, reply.error["code"], "25% of large" in reply.error["message"]) == (
            503,
            "unavailable",
            True,
        )
        assert reply.headers["retry-after"] == "5"
    assert served.get("/info").json["models"] == []
    go.set()
    thread.join(10)
    assert isinstance(app.failure, UserError)
