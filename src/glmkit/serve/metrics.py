"""What the server counts, in the form that Prometheus reads, under names and with buckets as vLLM's dashboards have
them (`vllm:` is `glmkit:` here). Labels are names of models and reasons, never text of a user.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from glmkit.generate.scheduler import Stats
from glmkit.generate.sequence import Token
from glmkit.serve.engine_thread import Ticket

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160),
    *(640, 2560),
)
_BETWEEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_LATENCY = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_TOKENS = tuple(step * 10**power for power in range(5) for step in (1, 2, 5))
_HISTOGRAMS = {
    "time_to_first_token_seconds": ("from a request's arrival to its first token", _FIRST_TOKEN),
    "inter_token_latency_seconds": ("between two tokens of a request", _BETWEEN),
    "e2e_request_latency_seconds": ("from a request's arrival to its last token", _LATENCY),
    "request_queue_time_seconds": ("from a request's arrival to when its prompt is read", _LATENCY),
    "request_prefill_time_seconds": ("from when its prompt is read to its first token", _LATENCY),
    "request_decode_time_seconds": ("from its first token to its last", _LATENCY),
    "request_prompt_tokens": ("tokens of a prompt", _TOKENS),
    "request_generation_tokens": ("tokens written for a request", _TOKENS),
    "iteration_tokens_total": ("tokens read and written in a step", _TOKENS),
}


class Metrics:
    """Counters and histograms of one server; `stats` gives those of the engine, by model."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.histograms = {
            name: Histogram(f"glmkit:{name}", text, ["model_name"], buckets=buckets, registry=self.registry)
            for name, (text, buckets) in _HISTOGRAMS.items()
        }
        self.success = Counter(
            "glmkit:request_success", "requests that ended", ["model_name", "finished_reason"], registry=self.registry
        )
        self._refusals = Counter("glmkit:requests_refused", "requests not answered", ["reason"], registry=self.registry)
        self._last: dict[Ticket, tuple[float, int, str | None]] = {}  # its last token's time, number and finish reason
        self._by_model: dict[tuple[str, str], Histogram] = {}
        self._version = version
        self._rate = Rate()
        self._read: Callable[[], Mapping[str, Stats]] = dict

    def watch(self, stats: Callable[[], Mapping[str, Stats]]) -> None:
        """From now on shows the numbers that `stats` gives, too."""
        self._read = stats
        self.registry.register(EngineCollector(stats, self._version))

    def _labelled(self, name: str, model: str) -> Histogram:
        """A histogram of one model, looked up once: it is asked for with every token."""
        key = name, model
        if key not in self._by_model:
            self._by_model[key] = self.histograms[name].labels(model)
        return self._by_model[key]

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def refused(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    @property
    def tokens_per_second(self) -> float:
        """Tokens written a second, since this was asked last."""
        return self._rate.of(sum(stats.generation_tokens for stats in self._read().values()))

    def token(self, ticket: Ticket, token: Token) -> None:
        """A token of a request."""
        now = time.monotonic()
        before, count, _ = self._last.get(ticket, (None, 0, None))
        if before is not None:
            self._observe(ticket, "inter_token_latency_seconds", now - before)
        self._last[ticket] = now, count + 1, token.finish_reason

    def step(self, model: str, tokens: int) -> None:
        """A step of the engine, which read and wrote so many tokens."""
        self._labelled("iteration_tokens_total", model).observe(tokens)

    def ended(self, ticket: Ticket) -> None:
        """A request that was written to its end."""
        _, tokens, reason = self._last.pop(ticket, (0.0, 0, None))
        self.success.labels(ticket.model, "length" if reason == "length" else "stop").inc()
        group = ticket.group
        if group is None or group.started_at is None or group.first_token_at is None or group.ended_at is None:
            return
        self._observe(ticket, "time_to_first_token_seconds", group.first_token_at - ticket.arrived)
        self._observe(ticket, "e2e_request_latency_seconds", group.ended_at - ticket.arrived)
        self._observe(ticket, "request_queue_time_seconds", max(0.0, group.started_at - ticket.arrived))
        self._observe(ticket, "request_prefill_time_seconds", group.first_token_at - group.started_at)
        self._observe(ticket, "request_decode_time_seconds", group.ended_at - group.first_token_at)
        self._observe(ticket, "request_prompt_tokens", len(ticket.request.prompt))
        self._observe(ticket, "request_generation_tokens", tokens)

    def aborted(self, ticket: Ticket) -> None:
        """A request that was cancelled or failed."""
        self._last.pop(ticket, None)
        self.success.labels(ticket.model, "abort").inc()

    def _observe(self, ticket: Ticket, name: str, value: float) -> None:
        self._labelled(name, ticket.model).observe(value)


class Rate:
    """How fast a count grows, between two looks at it."""

    def __init__(self) -> None:
        self._count, self._at, self._rate = 0, time.monotonic(), 0.0

    def of(self, count: int) -> float:
        now = time.monotonic()
        if now - self._at >= 0.5:  # else two who look often would halve each other's time
            self._rate = max(0, count - self._count) / (now - self._at)
            self._count, self._at = count, now
        return self._rate


class EngineCollector(Collector):
    """The engine's own numbers, read when they are asked for."""

    def __init__(self, stats: Callable[[], Mapping[str, Stats]], version: str) -> None:
        self._stats, self._version = stats, version

    def collect(self) -> Iterable[Metric]:
        stats = self._stats()
        gauges: dict[str, tuple[str, Callable[[Stats], float]]] = {
            "num_requests_running": ("sequences that are read or written", lambda one: one.running),
            "num_requests_waiting": ("sequences that wait for their turn", lambda one: one.waiting),
            "kv_cache_usage_perc": ("share of the cache's memory in use, 0 to 1", _share),
            "kv_cache_bytes": ("bytes of the cache in use", lambda one: one.cache_bytes_used),
        }
        counters: dict[str, tuple[str, Callable[[Stats], float]]] = {
            "prefix_cache_queries": ("tokens of prompts that were looked up", lambda one: one.prefix_queries),
            "prefix_cache_hits": ("tokens of prompts that were known", lambda one: one.prefix_hits),
            "num_preemptions": ("sequences that lost their place for a while", lambda one: one.preemptions),
            "prompt_tokens": ("tokens of prompts that were read", lambda one: one.prompt_tokens),
            "generation_tokens": ("tokens that were written", lambda one: one.generation_tokens),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"glmkit:{name}", text, labels=["model_name"])
            for model, one in stats.items():
                gauge.add_metric([model], value(one))
            yield gauge
        for name, (text, value) in counters.items():
            counter = CounterMetricFamily(f"glmkit:{name}", text, labels=["model_name"])
            for model, one in stats.items():
                counter.add_metric([model], value(one))
            yield counter
        yield InfoMetricFamily("glmkit:build", "the version", value={"version": self._version})
        config = InfoMetricFamily("glmkit:cache_config", "how the cache is bounded", labels=["model_name"])
        for model, one in stats.items():
            config.add_metric([model], {"cache_bytes": str(one.cache_bytes or "unbounded")})
        yield config


def _share(stats: Stats) -> float:
    return stats.cache_bytes_used / stats.cache_bytes if stats.cache_bytes else 0.0
