"""The calls of the official ChatGLM code, for scripts that were written for it:

response, history = model.chat(tokenizer, "你好", history=[])
for response, history in model.stream_chat(tokenizer, "你好", history=history): ...
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glmkit.core.errors import UserError, nearest
from glmkit.generate.sampling import Greedy, Penalties, Strategy, TopP
from glmkit.text.chat import chat_format

if TYPE_CHECKING:
    from glmkit.api.chat import Chats

History = list[Any]

_KNOWN = {"role", "max_length", "max_new_tokens", "do_sample", "top_p", "top_k", "temperature", "repetition_penalty"}
_KNOWN |= {"num_beams", "logits_processor", "past_key_values", "return_past_key_values", "seed"}


def old_chat(
    model: "Chats", query: str | None, history: Sequence[Any] | None, **options: Any
) -> tuple[str | dict[str, Any], History]:
    """The response, and the history with it."""
    *_, last = old_stream_chat(model, query, history, **options)
    return last


def old_stream_chat(
    model: "Chats", query: str | None, history: Sequence[Any] | None, **options: Any
) -> Iterator[tuple[str | dict[str, Any], History]]:
    """The response so far, and the history with it, as it grows.

    `max_length` counts prompt and response together. The cache is kept by the model itself, so `past_key_values` is
    of no use. Raises UserError for an option that cannot be obeyed.
    """
    if not isinstance(query, str):
        raise UserError(f"chat(tokenizer, query, history) needs a text as query, got {query!r}")
    for name, value in options.items():
        if name not in _KNOWN:
            raise UserError(f"chat has no option {name!r}{nearest(name, _KNOWN)}")
        if name in ("logits_processor", "past_key_values", "return_past_key_values") and value:
            raise UserError(f"chat cannot obey {name}; leave it out")
    if options.get("num_beams", 1) != 1:
        raise UserError(f"chat writes one reply, not {options['num_beams']} beams; leave out num_beams")
    form = chat_format(model.tokenizer)
    messages = form.messages(query, history or [])
    if options.get("role", "user") != "user":
        messages[-1]["role"] = options["role"]
    answer = model.stream_chat(messages, sampling=_sampling(options), max_new_tokens=options.get("max_new_tokens"))
    left = options.get("max_length", model.config.max_positions) - answer.prompt_length
    while True:
        more = next(answer, None)
        if more is None or len(answer.ids) >= left:
            break
        yield answer.reply.content, form.history([*messages, *answer.reply.messages])
    answer.close()
    yield answer.reply.content, form.history([*messages, *answer.reply.messages])


def _sampling(options: Mapping[str, Any]) -> Strategy | None:
    """The strategy the options ask for; None when they leave it to the model's own."""
    penalties = Penalties(repetition=options.get("repetition_penalty", 1.0))
    if not options.get("do_sample", True):
        return Greedy(penalties=penalties)
    if not options.keys() & {"top_p", "top_k", "temperature", "repetition_penalty", "seed"}:
        return None
    return TopP(
        p=options.get("top_p", 0.8),
        k=options.get("top_k"),
        temperature=options.get("temperature", 0.8),
        seed=options.get("seed", 0),
        penalties=penalties,
    )
