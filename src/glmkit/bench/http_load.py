"""Clients that ask a server of the OpenAI API for completions, as streams, and take the time.

closed loop    `streams` clients, each asking again as soon as it is answered
open loop      `rate` requests a second on average, at random times, whether or not those before are answered
long prompt    joins the clients once the first of them is being answered; then its text goes on in a second turn

The client is asyncio and a few lines of HTTP, so that what is timed is the server; both share the machine's processors
all the same.
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

from glmkit.bench.word_tokenizer import words
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject

Figures = dict[tuple[str, str], float]  # by name and unit
RATE = "tokens written", "tokens/s"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What clients ask: `requests` completions of `tokens` tokens behind prompts of `prompt` words. `rate` None is the
    closed loop of `streams` clients. `long`: words of the long prompt; 0 is none."""

    requests: int = 32
    streams: int = 8
    rate: float | None = None
    prompt: int = 32
    tokens: int = 32
    long: int = 0


@dataclass
class Timing:
    """One answer: when it was asked for, when pieces of it came, its text, and how many tokens that is."""

    began: float = field(default_factory=time.perf_counter)
    pieces: list[float] = field(default_factory=list)
    text: str = ""
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


class Server:
    """A server of the OpenAI API, and the first of its models. Raises UserError for one that does not answer."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url: SplitResult = urlsplit(url if "//" in url else f"http://{url}")
        if self.url.scheme != "http" or not self.url.hostname:
            raise UserError(f"{url} is no address of a server; write http://HOST:PORT")
        self.path = self.url.path.rstrip("/").removesuffix("/v1")
        self.key = key
        self._seeds = itertools.count()  # of prompts, so that no server has read one before
        try:
            models = json.loads(asyncio.run(self._get("/v1/models")))
        except (OSError, ValueError) as error:
            raise UserError(f"no server answers at {url}: {error}") from None
        if not models.get("data"):
            raise UserError(f"the server at {url} says: {models.get('error', models)}")
        self.model = str(models["data"][0]["id"])

    def figures(self, load: Load) -> Figures:
        """Tokens a second, waits in milliseconds, and how evenly clients are served."""
        asyncio.run(self._ask(load))  # warm
        began = time.perf_counter()
        timings = asyncio.run(self._closed(load) if load.rate is None else self._open(load, load.rate))
        figures = {RATE: sum(timing.tokens for timing in timings) / (time.perf_counter() - began)}
        figures |= _waits("to the first token", [timing.first for timing in timings])
        figures |= _waits("between tokens", [gap for timing in timings for gap in timing.gaps])
        rates = np.array([timing.rate for timing in timings])
        figures["fairness of tokens/s (Jain's index)", ""] = float(rates.sum() ** 2 / (len(rates) * (rates**2).sum()))
        return figures | (asyncio.run(self._joined(load)) if load.long else {})

    async def _closed(self, load: Load) -> list[Timing]:
        left = iter(range(load.requests))
        timings: list[Timing] = []

        async def client() -> None:
            for _ in left:
                timings.append(await self._ask(load))

        await asyncio.gather(*(client() for _ in range(min(load.streams, load.requests))))
        return timings

    async def _open(self, load: Load, rate: float) -> list[Timing]:
        rng, answers = random.Random(0), list[Awaitable[Timing]]()
        for _ in range(load.requests):
            answers.append(asyncio.create_task(self._ask(load)))
            await asyncio.sleep(rng.expovariate(rate))
        return list(await asyncio.gather(*answers))

    async def _joined(self, load: Load) -> Figures:
        """What streams feel of a long prompt, from when it is asked to its first token, and its own waits."""
        timings = [Timing() for _ in range(load.streams)]
        streams = [asyncio.create_task(self._ask(load, timing)) for timing in timings]
        while not all(timing.pieces for timing in timings):
            await asyncio.sleep(0.001)
        await self.ask(words(load.long, next(self._seeds)), 1)
        await asyncio.gather(*streams)
        text = words(load.long, next(self._seeds))
        first = await self.ask(text, 8)
        second = await self.ask(f"{text}{first.text}{words(8, 0)}", 8)
        return {
            **_waits("between tokens as a long prompt joins", [gap for timing in timings for gap in timing.gaps]),
            ("time to the first token of a long prompt", "ms"): first.first * 1e3,
            ("time to the first token of its second turn", "ms"): second.first * 1e3,
        }

    async def _ask(self, load: Load, timing: Timing | None = None) -> Timing:
        seed = next(self._seeds)
        return await self.ask(words(load.prompt, seed), load.tokens, seed, timing)

    async def ask(self, prompt: str, tokens: int, seed: int = 0, timing: Timing | None = None) -> Timing:
        """One streamed completion; `timing` is filled in."""
        timing = timing or Timing()
        body: JsonObject = {"model": self.model, "prompt": prompt, "max_tokens": tokens, "ignore_eos": True}
        # At temperature 0 a model of random weights repeats itself, which drafts make cheap; to it all tokens are about
        # equally probable, which makes top-p dear.
        body |= {"temperature": 1.0, "top_p": 1.0, "seed": seed + 1}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        async for line in self._send(b"POST", "/v1/completions", json.dumps(body).encode()):
            if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
                continue
            event = json.loads(line[5:])
            if event.get("error"):
                raise UserError(f"the server says: {event['error'].get('message', event['error'])}")
            text = "".join(choice.get("text") or "" for choice in event.get("choices", ()))
            if text:
                timing.pieces.append(time.perf_counter())
                timing.text += text
            if event.get("usage"):
                timing.tokens = event["usage"]["completion_tokens"]
        if not timing.pieces:
            raise UserError("the server answered without a text")
        return timing

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


def _waits(what: str, seconds: list[float]) -> Figures:
    parts = {part: float(np.percentile(seconds or [0.0], part)) for part in (50, 95, 99)}
    return {(f"time {what}, {part} %", "ms"): value * 1e3 for part, value in parts.items()}
