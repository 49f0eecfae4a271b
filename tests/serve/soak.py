"""A server of a tiny model under clients of all kinds, some of which break off: python -m tests.serve.soak --minutes 30

Memory, open files and threads are printed as it goes on; the exit code is 1 where they grew.
"""

import argparse
import gc
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from glmkit.serve.models import Models, ServedModel
from glmkit.testing import tiny

from .conftest import Served, serving, settings, until
from .test_contract import TOOL, USER
from .test_going_away import busy, places, send

CLIENTS, MAX_GROWTH = 6, 60 << 20


@dataclass(frozen=True)
class Usage:
    """What the process holds while nobody asks."""

    memory: int
    files: int
    threads: int

    def __str__(self) -> str:
        return f"{self.memory / 2**20:.0f} MiB, {self.files} files, {self.threads} threads"


@dataclass
class Soak:
    """Clients of a server until `end`; `faults` are replies of a status that they did not expect."""

    served: Served
    end: float
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self) -> None:
        clients = [threading.Thread(target=self._client, args=(seed,)) for seed in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _client(self, seed: int) -> None:
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            body = {"messages": [USER | {"content": "x" * rng.randint(1, 400)}], "max_tokens": rng.randint(1, 60)}
            body |= {"stream": rng.random() < 0.5, "n": rng.randint(1, 3), "temperature": rng.choice([0, 1])}
            match rng.randrange(8):
                case 0:
                    connection = send(self.served, "/v1/chat/completions", body)
                    time.sleep(rng.random() * 0.1)
                    connection.close()
                case 1:
                    self._ask("/v1/embeddings", {"input": ["a", "b" * 50]})
                case 2:
                    self._ask("/v1/completions", {"prompt": "x" * 30, "echo": True, "logprobs": 2, "max_tokens": 1})
                case 3:
                    self._ask("/v1/chat/completions", body | {"temperature": 9}, 400)
                case 4:
                    self._ask("/v1/responses", {"input": "x" * 20, "max_output_tokens": 8, "stream": body["stream"]})
                case 5:
                    choice = {"tools": [TOOL], "tool_choice": "required"}
                    self._ask("/v1/chat/completions", body | choice | {"max_tokens": 60})
                case _:
                    self._ask("/v1/chat/completions", body)

    def _ask(self, path: str, body: dict[str, object], expected: int = 200) -> None:
        reply = self.served.post(path, body)
        self.statuses[reply.status] += 1
        if reply.status != expected or b'"server_error"' in reply.body:
            self.faults.append(f"{path} {reply.status}: {reply.body[:200]!r}")


def at_rest(served: Served) -> Usage:
    """What the process holds once all requests are answered."""
    until(lambda: busy(served) == 0 == places(served), 60)
    time.sleep(0.5)
    gc.collect()
    process = psutil.Process()
    return Usage(process.memory_info().rss, process.num_fds(), process.num_threads())


def soak(served: Served, seconds: float, say: Callable[[str], None] = lambda line: None) -> tuple[Usage, Usage, Soak]:
    """What is held when a third of the time is over, and at its end; with the account of both."""
    account = Soak(served, time.monotonic() + seconds / 3)
    account.run()
    warm = now = at_rest(served)
    say(f"{seconds / 3:.0f} s: {warm}")
    for part in range(1, 5):
        account.end = time.monotonic() + seconds / 6
        account.run()
        now = at_rest(served)
        say(f"{seconds * (2 + part) / 6:.0f} s: {now}; replies {dict(sorted(account.statuses.items()))}")
    return warm, now, account


def faults(warm: Usage, end: Usage, account: Soak) -> list[str]:
    """What did not stay as it was."""
    held = {"files": (warm.files, end.files), "threads": (warm.threads, end.threads)}
    grown = [f"{name}: {before}, then {after}" for name, (before, after) in held.items() if after > before + 2]
    if end.memory - warm.memory > MAX_GROWTH:
        grown.append(f"memory: {warm}, then {end}")
    return [*account.faults[:5], *grown]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    only = Models([ServedModel("m", tiny("chatglm3"))])
    with serving(lambda progress: only, settings()) as served:
        served.chat(max_tokens=5)
        print(f"0 s: {at_rest(served)}", flush=True)
        found = faults(*soak(served, minutes * 60, lambda line: print(line, flush=True)))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
