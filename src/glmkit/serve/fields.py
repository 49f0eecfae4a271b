"""The fields of a request: each is checked once, and an error names it.

| a field | what happens |
|---|---|
| of the endpoint | checked; null is as if it were not there |
| that would change the reply in a way this server does not know | refused by name, unless its value changes nothing |
| that changes nothing here, such as `user` | taken |
| that nobody knows | taken, and named in the header x-ignored-fields of the reply |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glmkit.core.errors import short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import (
    FLAG,
    NOT_UNICODE,
    TEXT,
    Fault,
    Kind,
    either,
    has_surrogates,
    list_of,
    number,
    optional,
    record,
    table_of,
    whole,
)
from glmkit.serve.errors import bad_request

MAX_STOPS, MAX_STOP_LENGTH, MAX_STOP_IDS, MAX_CHOICES, MAX_TOP = 16, 256, 64, 16, 20
NAME = "x-ignored-fields"
_HARMLESS = re.compile(r"[\w.$-]{1,64}", re.ASCII)  # in a header


def at_most(kind: Kind, most: int) -> Kind:
    """A list of `kind`, or a text, of at most `most`."""
    text = kind.schema.get("type") == "string"
    wanted = f"{kind.wanted} of at most {most:,} characters" if text else f"{kind.wanted}, at most {most:,} of them"

    def find(value: Any) -> Fault | None:
        return kind.find(value) or (Fault("", value, wanted) if len(value) > most else None)

    return Kind(wanted, find, {**kind.schema, "maxLength" if text else "maxItems": most})


@dataclass(frozen=True)
class Outlined(Kind):
    """What is checked by `find` before its endpoint looks into it, and as `full` once it has: so an error says what the
    endpoint knows of the place, and a part that it passes over is taken only where the published schema has it."""

    full: Kind | None = None


def outlined(kind: Kind, full: Kind) -> Kind:
    return Outlined(kind.wanted, kind.find, full.schema, full)


TABLE = Kind(
    "an object", lambda value: None if isinstance(value, Mapping) else Fault("", value, "an object"), {"type": "object"}
)
ARRAY = Kind(
    "an array", lambda value: None if isinstance(value, list) else Fault("", value, "an array"), {"type": "array"}
)
_STOP = at_most(TEXT, MAX_STOP_LENGTH)
STOP = either(
    _STOP,
    at_most(list_of(optional(_STOP)), MAX_STOPS),
    wanted=f"text, or a list of at most {MAX_STOPS} texts of at most {MAX_STOP_LENGTH} characters",
)
BIAS = number(-100, 100)
MAX_TOKENS = whole(1, 2**31 - 1)
ID = whole(0)  # of a token; `token_ids` knows the vocabulary
STREAM_OPTIONS = {"include_usage": FLAG, "continuous_usage_stats": FLAG, "include_obfuscation": FLAG}

# How tokens are chosen, in every endpoint that writes text.
SAMPLING: dict[str, Kind] = {
    "model": TEXT,
    "temperature": number(0, 2),
    "top_p": number(above=0, high=1),
    "top_k": whole(0, 2**31 - 1),
    "min_p": number(0, 1),
    "seed": whole(-(2**63), 2**63 - 1),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "repetition_penalty": number(above=0, high=2),
    "logit_bias": outlined(TABLE, table_of(BIAS)),
    "n": whole(1, MAX_CHOICES),
    "stop": STOP,
    "stop_token_ids": outlined(ARRAY, at_most(list_of(ID), MAX_STOP_IDS)),
    "include_stop_str_in_output": FLAG,
    "min_tokens": whole(0, 2**31 - 1),
    "ignore_eos": FLAG,
    "stream": FLAG,
    "stream_options": outlined(TABLE, record({name: optional(kind) for name, kind in STREAM_OPTIONS.items()})),
}

IGNORED = frozenset(
    """
    user store metadata service_tier safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options
    request_id priority cache_salt moderation verbosity
    """.split()  # noqa: SIM905
)
# Fields that would change the reply and that no endpoint here knows: the values that change nothing, and what to do.
REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "audio": ((), "this server writes text alone"),
    "modalities": ((["text"],), 'it writes text alone: leave it out, or give ["text"]'),
    "prediction": ((), "predicted output is not supported; prompt look-up does the same by itself"),
    "web_search_options": ((), "this server searches nothing"),
    "reasoning_effort": (("none",), 'these models do not reason apart from their reply; give "none"'),
    "reasoning": (({"effort": "none"}, {}), "these models do not reason apart from their reply"),
    "thinking": (({"type": "disabled"},), "these models do not reason apart from their reply"),
    "best_of": ((1,), "only /v1/completions takes it"),
    "echo": ((False,), "only /v1/completions takes it"),
    "suffix": (("",), "only /v1/completions takes it"),
    "prompt": ((), "only /v1/completions and /tokenize take it"),
    "previous_response_id": ((), "no response is kept; send the conversation as input"),
    "conversation": ((), "no conversation is kept; send it as messages or input"),
    "background": ((False,), "a reply is written while its client waits"),
    "include": (([],), "nothing else can be added to a reply"),
    "truncation": (("disabled",), "a conversation that is too long is refused; leave out its oldest messages"),
    "context_management": (([],), "a conversation that is too long is refused; leave out its oldest messages"),
    "max_tool_calls": ((), "only functions are called, by the client"),
    "prompt_logprobs": ((False,), "use /logprobs, or /v1/completions with echo and logprobs"),
    "use_beam_search": ((False,), "only /infill searches by beams"),
    "beam_width": ((1,), "only /infill searches by beams"),
    "length_penalty": ((1, 1.0), "only /infill searches by beams"),
    "early_stopping": ((False,), "only /infill searches by beams"),
    "bad_words": (([],), "use logit_bias with -100 for their ids"),
    "allowed_token_ids": (([],), "use logit_bias"),
    "logits_processors": (([],), "no code is taken from a request"),
    "custom_logit_processor": ((), "no code is taken from a request"),
    "chat_template": ((), "a conversation is written as the model was trained; no template is taken from a request"),
    "chat_template_kwargs": (({},), "a conversation is written as the model was trained"),
    "add_generation_prompt": ((True,), "end with a message of the assistant, and it is continued"),
    "documents": (([],), "put them into a message"),
    "prompt_embeds": ((), "no tensors are taken from a request"),
    "truncate_prompt_tokens": ((), "cut the prompt; /tokenize counts its tokens"),
    "skip_special_tokens": ((True,), "special tokens are no text"),
    "spaces_between_special_tokens": ((True,), "special tokens are no text"),
    "return_tokens_as_token_ids": ((False,), "use /tokenize"),
    "return_token_ids": ((False,), "use /tokenize"),
    "return_function_call": ((False,), "read function_call of the reply's message"),
    "dimensions": ((), "a vector has as many numbers as the model is wide"),
    "typical_p": ((1, 1.0), "use top_p or min_p"),
    "tfs_z": ((1, 1.0), "use top_p or min_p"),
    "top_a": ((0, 0.0), "use min_p"),
    "mirostat": ((0,), "use temperature and min_p"),
    "mirostat_mode": ((0,), "use temperature and min_p"),
    "dry_multiplier": ((0, 0.0), "use repetition_penalty"),
    "xtc_probability": ((0, 0.0), "use temperature and min_p"),
    "no_repeat_ngram_size": ((0,), "only /infill searches by beams"),
    "dynatemp_range": ((0, 0.0), "use temperature"),
    "grammar": (("",), "use response_format"),
    "guided_grammar": (("",), "use response_format"),
    "guided_json": ((), "only /v1/chat/completions and /v1/completions take it"),
    "guided_regex": ((), "only /v1/chat/completions and /v1/completions take it"),
    "guided_choice": ((), "only /v1/chat/completions and /v1/completions take it"),
    "structured_outputs": ((), "only /v1/chat/completions and /v1/completions take it"),
    "tools": (([],), "only /v1/chat/completions takes it"),
    "tool_choice": (("none", "auto"), "only /v1/chat/completions takes it"),
    "functions": (([],), "only /v1/chat/completions takes it"),
    "function_call": (("none", "auto"), "only /v1/chat/completions takes it"),
    "response_format": (({"type": "text"},), "only /v1/chat/completions and /v1/completions take it"),
}


@dataclass(frozen=True)
class Fields:
    """The fields of a request that its endpoint knows and that are not null, each of its kind; `ignored` are names of
    fields that nobody knows, `outlines` the kinds of those that are checked in outline so far."""

    values: JsonObject
    ignored: list[str] = field(default_factory=list)
    outlines: Mapping[str, Kind] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def check_rest(self) -> None:
        """Checks in full what was checked in outline. Raises ApiError naming the place."""
        for name, kind in self.outlines.items():
            check_field(self.values[name], kind, name)

    @property
    def headers(self) -> dict[str, str]:
        """Those of the reply that tell which fields did nothing."""
        names = [name for name in self.ignored if _HARMLESS.fullmatch(name)]
        return {NAME: ", ".join(names[:20])} if names else {}


def check_field(value: Any, kind: Kind, name: str) -> Any:
    """`value`, if it is of the kind. Raises ApiError whose `param` is the place inside it that is not."""
    if (fault := kind.find(value)) is None:
        return value
    path = f"{name}{fault.path}"
    if isinstance(fault.value, str) and has_surrogates(fault.value):
        raise bad_request(f"{path} is {NOT_UNICODE}", path)
    raise bad_request(f"{path} must be {fault.wanted}, got {short(fault.value)}", path)


def read_fields(body: Table, schema: Mapping[str, Kind], required: Sequence[str] = ()) -> Fields:
    """The fields of a request's body. Raises ApiError for the first that is not of its kind or refused, or is missing
    though `required`."""
    values = {}
    ignored = []
    outlines = {}
    for name, value in body.items():
        if value is None:
            continue
        if name in schema:
            kind = schema[name]
            values[name] = check_field(value, kind, name)
            if isinstance(kind, Outlined) and kind.full is not None:
                outlines[name] = kind.full
        elif name in REFUSED:
            neutral, remedy = REFUSED[name]
            if not any(type(value) is type(one) and value == one for one in neutral):
                raise bad_request(f"{short(name)} is not supported here: {remedy}", name, "unsupported_parameter")
        elif name not in IGNORED:
            ignored.append(name)
    if missing := [name for name in required if name not in values]:
        raise bad_request(f"the field {missing[0]} is missing", missing[0], "missing_required_parameter")
    return Fields(values, ignored, outlines)


def stops(fields: Fields) -> list[str]:
    """The stop strings; what is null or empty among them stops nothing."""
    given = fields.get("stop", [])
    return [stop for stop in ([given] if isinstance(given, str) else given) if stop]


def wants_usage(fields: Fields) -> bool:
    """Whether a stream ends with what it used."""
    options = fields.get("stream_options", {})
    for name, kind in STREAM_OPTIONS.items():
        if options.get(name) is not None:
            check_field(options[name], kind, f"stream_options.{name}")
    return bool(options.get("include_usage"))


def max_tokens(fields: Fields) -> int | None:
    """How many tokens may be written; None as many as there is room for. Raises ApiError for two answers."""
    given = {fields[name] for name in ("max_tokens", "max_completion_tokens") if name in fields}
    if len(given) > 1:
        raise bad_request("max_tokens and max_completion_tokens differ; give one of them", "max_completion_tokens")
    return next(iter(given), None)


def token_ids(value: object, name: str, vocabulary: int, most: int = 1 << 20) -> list[int]:
    """The one check of every list of token ids. Raises ApiError for what is no list of ids of the vocabulary."""
    if not isinstance(value, list) or len(value) > most:
        raise bad_request(f"{name} must be a list of at most {most:,} token ids, got {short(value)}", name)
    for place, id in enumerate(value):
        if type(id) is not int or not 0 <= id < vocabulary:
            path = f"{name}[{place}]"
            raise bad_request(f"{path} must be a token id from 0 to {vocabulary - 1}, got {short(id)}", path)
    return value


def logit_bias(value: Table, vocabulary: int) -> dict[int, float]:
    """A table of biases, its ids in decimal. Raises ApiError naming the key that is none or the bias out of range."""
    biases = {}
    for key, bias in value.items():
        name = f"logit_bias[{short(key)}]"
        if not (isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 10):
            raise bad_request(f"{name}: keys are token ids in decimal", name)
        (id,) = token_ids([int(key)], "logit_bias", vocabulary)
        biases[id] = float(check_field(bias, BIAS, name))
    return biases
