"""How a request wants its text written: its fields as a strategy, limits and stops of the engine."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from glmkit.core.json_types import JsonObject
from glmkit.generate.constraint import Constraint
from glmkit.generate.request import Request
from glmkit.generate.sampling import SamplingParams, Strategy
from glmkit.generate.sequence import FinishReason
from glmkit.generate.session import DecodeConfig
from glmkit.generate.settings import DRAWS, SETTINGS, strategy
from glmkit.serve.engine_thread import Ticket
from glmkit.serve.errors import bad_request, too_long
from glmkit.serve.fields import MAX_STOP_IDS, Fields, logit_bias, max_tokens, stops, token_ids
from glmkit.serve.models import ServedModel
from glmkit.serve.service import Call
from glmkit.serve.watch import Watch

MAX_ANSWER = 1 << 22  # log-probabilities of one reply: tokens times the most probable beside each


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How text is written behind, or into, a prompt: `count` sequences, with the `top` most probable ids beside each
    token. `max_tokens` None is as many as there is room for."""

    strategy: Strategy
    count: int = 1
    max_tokens: int | None = None
    min_tokens: int = 0
    stops: Sequence[str] = ()
    stop_ids: frozenset[int] = frozenset()
    include_stop: bool = False
    top: int = 0
    constraint: Callable[[], Constraint] | None = None

    def ticket(
        self,
        call: Call,
        served: ServedModel,
        prompt: Sequence[int],
        number: int = 0,
        *,
        stop_ids: Sequence[int] = (),
        boundaries: Sequence[int] = (),
        fills: bool = False,
    ) -> Ticket:
        """A request to the engine. `stop_ids` are the format's own; `fills`: it writes into blanks of the prompt.
        Raises ApiError for a prompt beyond the model's context."""
        room = served.limit - (0 if served.model.prompt_format.writes_in_blank or fills else 1)
        if len(prompt) > room:
            raise too_long(len(prompt) + served.limit - room, served.limit)
        if fills:
            config: DecodeConfig = served.filling(self.max_tokens or served.limit, self.min_tokens)
        else:
            config = served.continuing(self.max_tokens, self.min_tokens)
        config = replace(config, stop_ids=self.stop_ids | frozenset(stop_ids), boundaries=tuple(boundaries))
        watch = Watch(served.model.tokenizer, self.count, self.stops, self.include_stop)
        request = Request(
            config=config,
            prompt=prompt,
            strategy=self.strategy,
            num_return_sequences=self.count,
            top=self.top,
            watch=watch,
            owner=call.owner,
            keep=served.keeps_prefixes and not fills,
            constraint=self.constraint,
            adapter=served.adapter,
        )
        return Ticket(served.name, served.engine, request, watch, call.inbox, number)


def read_generation(
    fields: Fields, served: ServedModel, usual: SamplingParams | None, top: int = 0, *, draws: bool = False
) -> Generation:
    """How the fields of a request want its text written. Where they do not say it draws as `usual`, or without one
    takes the most probable token, unless they ask for several texts (`draws`). Raises ApiError."""
    settings: JsonObject = {name: fields[name] for name in SETTINGS if name in fields}
    if settings.get("top_k") == 0:
        del settings["top_k"]
    if "logit_bias" in settings:
        settings["logit_bias"] = logit_bias(settings["logit_bias"], served.vocabulary)
    if 0 < settings.get("temperature", 1) < 1e-5:
        settings["temperature"] = 0
    count = fields.get("n", 1)
    draws = draws or count > 1 or bool(settings.keys() & set(DRAWS))
    if usual is None and draws:
        usual = SamplingParams(p=1.0)
    if usual is not None:
        settings.setdefault("seed", secrets.randbits(48))
    most = max_tokens(fields)
    least = fields.get("min_tokens", 0)
    if fields.get("ignore_eos"):
        least = most or served.limit
    if most is not None and least > most:
        raise bad_request(f"min_tokens {least} is more than max_tokens {most}", "min_tokens")
    return Generation(
        strategy=strategy(settings, usual),
        count=count,
        max_tokens=most,
        min_tokens=least,
        stops=stops(fields),
        stop_ids=frozenset(
            token_ids(fields.get("stop_token_ids", []), "stop_token_ids", served.vocabulary, MAX_STOP_IDS)
        ),
        include_stop=fields.get("include_stop_str_in_output", False),
        top=top,
    )


def finish_reason(reason: FinishReason | None) -> str | None:
    """The engine's reason in the API's words."""
    return None if reason is None else "length" if reason == "length" else "stop"


def usage_table(prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> JsonObject:
    """What a request used, as replies say it."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
