"""Other engines with random weights of the same shapes, the baselines of benchmarks."""

from dataclasses import dataclass
from typing import Protocol

from glmkit.models.chatglm2 import ChatGLM2Config


class Baseline(Protocol):
    def prefill(self, tokens: int, streams: int) -> object: ...  # reads `tokens` from an empty cache, in each stream
    def decode(self, tokens: int, streams: int) -> object: ...  # goes on, a token of each stream at a time


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a baseline is made for: a model of `config` in the form `quantize`, and what it will be asked to do.

    `room`: tokens that its streams hold together at most. `rows`: tokens that what is timed multiplies at once.
    """

    config: ChatGLM2Config
    quantize: str | None
    room: int
    rows: int
    threads: int
