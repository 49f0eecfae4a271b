"""Clients that go away, wait, flood or never read: their places are free again, and nobody else is disturbed."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from glmkit.generate import scheduler
from glmkit.generate.scheduler import Scheduler
from glmkit.serve.errors import ApiError
from glmkit.serve.metrics import Metrics
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.service import Service
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


class Gate:
    """Lets the engine take `steps` more steps, and holds it in the next until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
        self.left, self.taken, self.held = steps, 0, threading.Event()
        self._opened, step = threading.Event(), Scheduler.step

        def gated(scheduler: Scheduler) -> Any:
            if self.taken >= self.left:
                self.held.set()
                assert self._opened.wait(30)
            self.taken += 1
            return step(scheduler)

        monkeypatch.setattr(Scheduler, "step", gated)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Gate]]:
    """Makes a gate, which is open at the end. A prompt is read in many steps."""
    gates: list[Gate] = []

    def closed_after(steps: int) -> Gate:
        gates.append(Gate(monkeypatch, steps))
        return gates[-1]

    monkeypatch.setattr(scheduler, "CHUNK", 64)
    yield closed_after
    for one in gates:
        one.open()


def counted(served: Served) -> tuple[int, int]:
    """Tokens of prompts and of replies so far."""
    assert served.app.service is not None
    time.sleep(0.1)  # the figures of a step come after its tokens
    (stats,) = served.app.service.engine.stats.values()
    return stats.prompt_tokens, stats.generation_tokens


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


def prompt(sign: str) -> dict[str, Any]:
    """A long one, nothing of which was read before."""
    return {"messages": [{"role": "user", "content": sign * 900}]}


def test_row_3_the_role_comes_when_reading_begins_and_comments_while_it_lasts(
    small: Served, gate: Callable[[int], Gate]
) -> None:
    before, held = counted(small), gate(1)
    connection = small.connect()
    body = json.dumps(prompt("r") | {"stream": True, "max_tokens": 2, "ignore_eos": True})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    lines: list[bytes] = []
    while lines.count(b": ping\n") < 3:
        lines.append(reply.readline())
    assert held.held.is_set()
    read, written = (now - then for now, then in zip(counted(small), before, strict=True))
    assert (0 < read <= 64, written) == (True, 0)
    first, *others = [line for line in lines if line != b"\n"]
    delta = {"role": "assistant", "content": ""}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    assert json.loads(first.removeprefix(b"data: "))["choices"] == [choice]
    assert set(others) == {b": ping\n"}
    held.open()
    rest = reply.read()
    assert (rest.count(b'"role"'), rest.count(b'"length"'), rest.endswith(b"data: [DONE]\n\n")) == (0, 1, True)


@pytest.mark.parametrize("stream", [False, True])
def test_row_16_a_client_that_hangs_up_while_its_prompt_is_read_frees_its_place_in_a_step(
    small: Served, gate: Callable[[int], Gate], stream: bool
) -> None:
    before, held = counted(small), gate(1)
    connection = send(small, "/v1/chat/completions", prompt("st"[stream]) | LONG | {"stream": stream})
    assert held.held.wait(20)
    until(lambda: (busy(small), places(small)) == (1, 1), 5)
    connection.close()
    until(lambda: places(small) == 0, 5)
    held.open()
    until(lambda: busy(small) == 0, 5)
    read, written = (now - then for now, then in zip(counted(small), before, strict=True))
    assert (held.taken, 64 < read <= 128, written) == (2, True, 0)
    for gauge in (b"running", b"waiting"):
        line = b'glmkit:num_requests_%s{model_name="chatglm3"} 0.0\n' % gauge
        assert line in small.get("/metrics").body


def test_too_many_wait(small: Served, gate: Callable[[int], Gate]) -> None:
    held = [send(small, "/v1/chat/completions", {"messages": [USER], **LONG}) for _ in range(2)]
    until(lambda: busy(small) == 2)
    until(lambda: small.app.service is not None and small.app.service.waiting == 0)
    gate(0)
    refused = small.post("/v1/completions", {"prompt": ["x"] * 5, "max_tokens": 1})
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (429, "overloaded", "1")
    began = time.monotonic()
    late = small.chat(max_tokens=1)
    assert (late.status, late.error["code"]) == (429, "overloaded")
    assert time.monotonic() - began > 0.9
    assert 1 <= int(late.headers["retry-after"]) <= 60
    for connection in held:
        connection.close()
    until(lambda: places(small) == 0, 5)
    many = small.post("/v1/completions", {"prompt": ["x"] * 7, "max_tokens": 1})
    assert many.status == 429
    assert b'glmkit:requests_refused_total{reason="queue_full"}' in small.get("/metrics").body


def test_when_to_ask_again_is_judged_by_how_fast_the_queue_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now, time=time.time)
    monkeypatch.setattr("glmkit.serve.service.time", clock)
    service = Service(settings(max_waiting=10, max_per_key=100), None, Metrics("0"))  # type: ignore[arg-type]

    def seconds(count: int) -> int:
        with pytest.raises(ApiError) as refused:
            service.enqueue("someone", count)
        return int(refused.value.headers["Retry-After"])

    assert seconds(11) == 1  # nobody waits, and so nothing is known
    service.enqueue("someone", 10)
    now += 3
    assert seconds(1) == 3  # none has begun for three seconds
    service.dequeue(2)
    now += 3
    assert (seconds(3), seconds(10)) == (3, 24)
    now += 10_000
    assert seconds(10) == 60
    service.dequeue(8)
    service.enqueue("someone", 10)
    now += 1
    assert seconds(1) == 1  # of another queue


def test_a_reader_that_never_reads_is_left(small: Served) -> None:
    listener = send(small, "/v1/completions", {"prompt": "x", "n": 2, "stream": True, "logprobs": 20, **LONG})
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    until(lambda: busy(small) == 2)
    until(lambda: busy(small) == 0 == places(small), 60)
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
