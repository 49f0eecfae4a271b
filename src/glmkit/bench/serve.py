"""How a server does under load: many clients ask it for completions, as streams.

closed loop    `streams` clients, each asking again as soon as it is answered
open loop      `rate` requests a second on average, at random times, whether or not those before are answered

Works with any server of the OpenAI API. The client is asyncio and a few lines of HTTP, so that what is timed is the
server; both share the machine's processors all the same.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import numpy as np

from glmkit.bench.report import Report, Result
from glmkit.core.errors import UserError
from glmkit.core.json_types import Table

_WORDS = ("time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state")


@dataclass(frozen=True, kw_only=True)
class Load:
    """What clients ask: `requests` completions of `tokens` tokens behind prompts of `prompt` words. `rate` None is the
    closed loop of `streams` clients."""

    requests: int = 32
    streams: int = 8
    rate: float | None = None
    prompt: int = 32
    tokens: int = 32


@dataclass
class Timing:
    """One answer: when it was asked for, when pieces of it came, and how many tokens they were."""

    client: int
    began: float
    pieces: list[float] = field(default_factory=list)
    tokens: int = 0

    @property
    def first(self) -> float:
        return self.pieces[0] - self.began

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in itertools.pairwise(self.pieces)]

    @property
    def rate(self) -> float:
        """Tokens a second, from the request to the last piece."""
        return self.tokens / (self.pieces[-1] - self.began)


def bench_serve(url: str, load: Load, *, key: str | None = None, against: str | None = None) -> Report:
    """Figures of the server at `url`, and of the one at `against` in the column of limits, one after the other. Raises
    UserError for a server that does not answer."""
    ours = _figures(url, load, key)
    theirs = {} if against is None else _figures(against, load, key)
    results = [Result(name, value, unit, theirs.get((name, unit))) for (name, unit), value in ours.items()]
    how = {"loop": "open", "rate": load.rate} if load.rate else {"loop": "closed", "streams": load.streams}
    config: Table = {"url": url, **how, "requests": load.requests, "prompt": load.prompt, "tokens": load.tokens}
    return Report("serve", config, results)


def _figures(url: str, load: Load, key: str | None) -> dict[tuple[str, str], float]:
    server = _Server(url, key)
    asyncio.run(server.ask(Timing(0, time.perf_counter()), load, seed=-1))  # warm
    began = time.perf_counter()
    timings = asyncio.run(_closed(server, load) if load.rate is None else _open(server, load, load.rate))
    seconds = time.perf_counter() - began
    first, gaps = [timing.first for timing in timings], [gap for timing in timings for gap in timing.gaps] or [0.0]
    rates = np.array([timing.rate for timing in timings])
    figures = {("tokens written", "tokens/s"): sum(timing.tokens for timing in timings) / seconds}
    for name, values in (("time to the first token", first), ("time between tokens", gaps)):
        for share in (50, 95, 99):
            figures[f"{name}, {share} %", "ms"] = float(np.percentile(values, share)) * 1e3
    figures["fairness of tokens/s (Jain's index)", ""] = float(rates.sum() ** 2 / (len(rates) * (rates**2).sum()))
    return figures


async def _closed(server: "_Server", load: Load) -> list[Timing]:
    left = iter(range(load.requests))
    timings: list[Timing] = []

    async def client(number: int) -> None:
        for seed in left:
            timings.append(Timing(number, time.perf_counter()))
            await server.ask(timings[-1], load, seed)

    await asyncio.gather(*(client(number) for number in range(min(load.streams, load.requests))))
    return timings


async def _open(server: "_Server", load: Load, rate: float) -> list[Timing]:
    rng, timings, answers = random.Random(0), list[Timing](), list[Awaitable[None]]()
    for seed in range(load.requests):
        timings.append(Timing(seed, time.perf_counter()))
        answers.append(asyncio.create_task(server.ask(timings[-1], load, seed)))
        await asyncio.sleep(rng.expovariate(rate))
    await asyncio.gather(*answers)
    return timings


class _Server:
    """A server of the OpenAI API, and the first of its models."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url: SplitResult = urlsplit(url if "//" in url else f"http://{url}")
        if self.url.scheme != "http" or not self.url.hostname:
            raise UserError(f"{url} is no address of a server; write http://HOST:PORT")
        self.path = self.url.path.rstrip("/").removesuffix("/v1")
        self.key = key
        try:
            models = json.loads(asyncio.run(self._get("/v1/models")))
        except (OSError, ValueError) as error:
            raise UserError(f"no server answers at {url}: {error}") from None
        if not models.get("data"):
            raise UserError(f"the server at {url} says: {models.get('error', models)}")
        self.model = str(models["data"][0]["id"])

    async def ask(self, timing: Timing, load: Load, seed: int) -> None:
        """One streamed completion; `timing` is filled in."""
        rng = random.Random(seed)
        body = {
            "model": self.model,
            "prompt": " ".join(rng.choice(_WORDS) for _ in range(load.prompt)),
            "max_tokens": load.tokens,
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async for line in self._send(b"POST", "/v1/completions", json.dumps(body).encode()):
            if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
                continue
            event = json.loads(line[5:])
            if event.get("error"):
                raise UserError(f"the server says: {event['error'].get('message', event['error'])}")
            if any(choice.get("text") for choice in event.get("choices", ())):
                timing.pieces.append(time.perf_counter())
            if event.get("usage"):
                timing.tokens = event["usage"]["completion_tokens"]
        if not timing.pieces:
            raise UserError("the server answered without a text")

    async def _get(self, path: str) -> bytes:
        return b"".join([line async for line in self._send(b"GET", path, b"")])

    async def _send(self, method: bytes, path: str, body: bytes) -> AsyncIterator[bytes]:
        """The lines of a reply."""
        host, port = self.url.hostname or "", self.url.port or 80
        reader, writer = await asyncio.open_connection(host, port)
        try:
            head = [b"%b %b HTTP/1.0" % (method, f"{self.path}{path}".encode()), f"Host: {self.url.netloc}".encode()]
            head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
            if self.key:
                head.append(f"Authorization: Bearer {self.key}".encode())
            writer.write(b"\r\n".join([*head, b"", body]))
            await writer.drain()
            status = await reader.readline()
            while (await reader.readline()).strip():
                pass  # headers: in HTTP/1.0 nothing is chunked, and the connection closes at the end
            if b" 200 " not in status:
                said = (await reader.read(2000)).decode(errors="replace")[:300]
                raise UserError(f"the server answers {status.decode(errors='replace').strip()}: {said}")
            async for line in reader:
                yield line.strip()
        finally:
            writer.close()
