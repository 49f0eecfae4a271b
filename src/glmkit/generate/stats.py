"""What the engine says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    """How much is at work and was done; bytes are of keys and values, prefix tokens those of prompts that keep rows."""

    running: int
    waiting: int
    cache_bytes: int | None
    cache_bytes_used: int
    prefix_queries: int
    prefix_hits: int
    preemptions: int
    prompt_tokens: int
    generation_tokens: int
