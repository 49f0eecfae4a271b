"""The calls of the official ChatGLM code, for scripts that were written for it:

response, history = model.chat(tokenizer, "你好", history=[])
for response, history in model.stream_chat(tokenizer, "你好", history=history): ...
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, FLAG, TEXT, Kind, check, number, whole
from glmkit.families.spec import ModelConfig
from glmkit.generate.penalties import Penalties
from glmkit.generate.sampling import Greedy, SamplingParams, Strategy
from glmkit.text.chat import fitting
from glmkit.text.conversation import ChatFormat, History, Message
from glmkit.text.tokenizer import Tokenizer

Turn = tuple[Any, ...]  # the response, the history with it, and a Past where it is asked for

# What the official code draws with by default (facts/chatglm.md, section 1).
OF_CHATGLM, OF_THE_OTHERS = SamplingParams(p=0.7, temperature=0.95), SamplingParams(p=0.8, temperature=0.8)

_OPTIONS: dict[str, Kind] = {
    "role": TEXT,
    "max_length": whole(low=1),
    "max_new_tokens": whole(low=1),
    "do_sample": FLAG,
    "top_p": number(above=0, high=1),
    "top_k": whole(low=0),
    "temperature": number(low=0),
    "repetition_penalty": number(above=0),
    "seed": whole(),
    "num_beams": whole(low=1),
    "return_past_key_values": FLAG,
    "past_key_values": ANY,
    "logits_processor": ANY,
}


class ChatModel(Protocol):
    """What these calls need of a model that chats."""

    config: ModelConfig

    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def chat_format(self) -> ChatFormat: ...
    @property
    def chat_sampling(self) -> SamplingParams: ...
    def stream_chat(
        self, messages: Sequence[Message], *, sampling: Strategy, max_new_tokens: int | None
    ) -> Any: ...  # an Answer


@dataclass(frozen=True)
class Past:
    """What scripts carry from turn to turn as `past_key_values`. Keys and values stay with the model, which knows by
    itself what a conversation shares with the last one; this is the history they belong to."""

    history: History


def old_chat(
    model: ChatModel, query: str | None, history: History | None, tokenizer: object = None, **options: object
) -> tuple[str | JsonObject, History]:
    """The response, and the history with it."""
    *_, last = old_stream_chat(model, query, history, tokenizer, **options)
    return last[0], last[1]


def old_stream_chat(
    model: ChatModel, query: str | None, history: History | None, tokenizer: object = None, **options: object
) -> Iterator[Turn]:
    """The response so far, and the history with it, as it grows; with `return_past_key_values` what to give as
    `past_key_values` to the next turn, too.

    `max_length` counts prompt and response together; where the history alone has as many tokens its oldest rounds are
    left out. None stands for what is usual. Raises UserError for an option that cannot be obeyed.
    """
    if not (tokenizer is None or isinstance(tokenizer, Tokenizer)):
        raise UserError(
            f"chat(tokenizer, query, history) takes this model's own tokenizer, m.tokenizer, got a "
            f"{type(tokenizer).__name__}; or call m.chat(messages)"
        )
    if not isinstance(query, str):
        raise UserError(
            f"chat(tokenizer, query, history) needs a text as query, got {short(query)}; chat(messages) takes messages"
        )
    given: JsonObject = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name not in _OPTIONS:
            raise UserError(f"chat has no option {name!r}{nearest(name, _OPTIONS)}")
        check(value, _OPTIONS[name], name)
    if given.get("logits_processor"):
        raise UserError("chat cannot obey logits_processor; leave it out, or call m.chat(messages, sampling=...)")
    if given.get("num_beams", 1) != 1:
        raise UserError(f"chat writes one reply, not {given['num_beams']} beams; leave out num_beams")
    past = given.get("past_key_values")
    if past is not None and not (isinstance(past, Past) and (history or not past.history)):
        raise UserError(
            "past_key_values is what the last turn of stream_chat(..., return_past_key_values=True) gave, beside its "
            "history; or leave it out: the model keeps keys and values itself"
        )
    form = model.chat_format
    messages = form.messages(query, history or [])
    if given.get("role", "user") != "user":
        messages[-1]["role"] = given["role"]
    read, room = _room(model, form, messages, given.get("max_length"), given.get("max_new_tokens"))
    answer = model.stream_chat(read, sampling=_sampling(given, model.chat_sampling), max_new_tokens=room)
    while True:
        more = next(answer, None)
        said = form.history([*messages, *answer.reply.messages])
        kept = (Past(said),) if given.get("return_past_key_values") else ()
        yield answer.reply.content, said, *kept
        if more is None:
            return


def _room(
    model: ChatModel, form: ChatFormat, messages: Sequence[Message], max_length: int | None, max_new_tokens: int | None
) -> tuple[Sequence[Message], int | None]:
    """The conversation to read, and how many tokens the reply may have (None: as many as the model's context has)."""
    if max_length is None:
        return messages, max_new_tokens

    def length(some: Sequence[Message]) -> int:
        return len(form.prompt(model.tokenizer, some))

    limit = min(max_length, model.config.max_positions)
    if length(messages) >= limit:
        try:
            messages, _ = fitting(messages, limit - max(1, limit // 4), length)
        except UserError as error:
            raise UserError(f"max_length={max_length}: {error}, or raise max_length") from None
    left = limit - length(messages)
    return messages, left if max_new_tokens is None else min(left, max_new_tokens)


def _sampling(options: Table, usual: SamplingParams = OF_CHATGLM) -> Strategy:
    """The strategy the options ask for; what they do not name is as usual."""
    penalties = Penalties(repetition=options.get("repetition_penalty", 1.0))
    if not options.get("do_sample", True) or options.get("temperature") == 0:
        return Greedy(penalties=penalties)
    return replace(
        usual,
        p=options.get("top_p", usual.p),
        k=options.get("top_k") or None,  # 0: any
        temperature=options.get("temperature", usual.temperature),
        seed=options.get("seed", usual.seed),
        penalties=penalties,
    )
