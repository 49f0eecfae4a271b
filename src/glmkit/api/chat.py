"""Conversations, with the chat format the model was trained on."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Unpack, overload

from glmkit.api.arguments import checked
from glmkit.api.generate import Generates, Overflow
from glmkit.api.official_calls import OF_CHATGLM, OF_THE_OTHERS, Turn, old_chat, old_stream_chat
from glmkit.core.errors import UserError, argument
from glmkit.core.json_types import JsonObject
from glmkit.generate.follow import follow
from glmkit.generate.request import Request
from glmkit.generate.sampling import SamplingParams, Strategy
from glmkit.generate.sequence import FinishReason
from glmkit.generate.session import DecodeConfig
from glmkit.generate.settings import Settings, chosen
from glmkit.generate.texts import Texts
from glmkit.text.chat import fitting, joints
from glmkit.text.conversation import ChatFormat, History, Message, Reply
from glmkit.text.tokenizer import Tokenizer


class ChatOptions(Settings, total=False):
    """What `chat` takes beside the messages."""

    max_new_tokens: int | None
    sampling: Strategy | None
    stop: Sequence[str]
    overflow: Overflow
    adapter: str | None


_ARGUMENTS = ("max_new_tokens", "sampling", "stop", "overflow", "adapter")


class Answer:
    """A reply while it is written: iterate over it for pieces of text. It can be stopped at any piece.

    `reply` is what has been written so far, with the messages to add to the conversation; `ids` its tokens;
    `finish_reason` how it ended (None: it did not). `prompt_length` counts the tokens of the conversation as it was
    read, `cached_tokens` those that were still known from the conversation before, `dropped` the oldest rounds that did
    not fit.
    """

    def __init__(self, model: "Chats", messages: Sequence[Message], **how: Any) -> None:
        self._format = model.chat_format
        self.ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._messages, self._text = messages, ""
        self._pieces = model._answer(self, self._format, **how)
        self.prompt_length = self.cached_tokens = self.dropped = 0
        next(self._pieces)  # what is wrong with the conversation shows now, not at the first piece

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Ends it here."""
        self._pieces.close()

    @property
    def reply(self) -> Reply:
        return self._format.reply(self._text, self._messages)

    @property
    def ended(self) -> FinishReason | None:
        """`finish_reason`, by its name in version 0.1."""
        return self.finish_reason

    @property
    def reused(self) -> int:
        """`cached_tokens`, by its name in version 0.1."""
        return self.cached_tokens


class Chats(Generates):
    """The ability to chat. A GLM has none: its family has no chat format."""

    @property
    def chat_sampling(self) -> SamplingParams:
        """How the official code draws the replies of this model, which `chat` does by default."""
        return OF_CHATGLM if self.chat_format.name == "chatglm" else OF_THE_OTHERS

    @overload
    def chat(self, messages: Sequence[Message], **how: Unpack[ChatOptions]) -> str | JsonObject: ...
    @overload
    def chat(
        self, messages: Tokenizer, query: str, history: History | None = None, **how: Any
    ) -> tuple[str | JsonObject, History]: ...
    @overload
    def chat(
        self, *, tokenizer: Tokenizer, query: str, history: History | None = None, **how: Any
    ) -> tuple[str | JsonObject, History]: ...
    def chat(
        self,
        messages: Any = None,
        query: str | None = None,
        history: History | None = None,
        *,
        tokenizer: Tokenizer | None = None,
        **how: Any,
    ) -> object:
        """The reply to a conversation, [{"role": "user", "content": "..."}, ...]: its text, or {"name", ...} where
        ChatGLM3 calls a tool.

        `max_new_tokens`, `sampling` or its keywords (temperature=0.7, ...), `stop` and `overflow` are those of
        `generate`, but what is not said of sampling is as in the official code, and a conversation that leaves no room
        loses its oldest rounds unless `overflow` is "error"; the system message stays. What a conversation shares with
        the last one is not read again. `adapter` is the name of one that was given to `add_adapter`. Raises UserError
        for messages that are no conversation, NotFinite for a model whose scores are NaN or infinite.

        Scripts written for the official code may call `response, history = m.chat(tokenizer, query, history)`.
        """
        if _is_old(messages, query, history, tokenizer):
            return old_chat(self, query, history, messages if tokenizer is None else tokenizer, **how)
        answer = self.stream_chat(messages, **how)
        for _ in answer:
            pass
        return answer.reply.content

    @overload
    def stream_chat(self, messages: Sequence[Message], **how: Unpack[ChatOptions]) -> Answer: ...
    @overload
    def stream_chat(
        self, messages: Tokenizer, query: str, history: History | None = None, **how: Any
    ) -> Iterator[Turn]: ...
    @overload
    def stream_chat(
        self, *, tokenizer: Tokenizer, query: str, history: History | None = None, **how: Any
    ) -> Iterator[Turn]: ...
    def stream_chat(
        self,
        messages: Any = None,
        query: str | None = None,
        history: History | None = None,
        *,
        tokenizer: Tokenizer | None = None,
        **how: Any,
    ) -> object:
        """`chat`, in pieces of text as they are written.

        Called as the official code is, it yields (response so far, history so far), and with
        `return_past_key_values=True` what to give as `past_key_values` to the next turn.
        """
        if _is_old(messages, query, history, tokenizer):
            return old_stream_chat(self, query, history, messages if tokenizer is None else tokenizer, **how)
        given = {name: how.pop(name) for name in _ARGUMENTS if name in how}
        if given.get("max_new_tokens", 0) is None:  # as much as there is room for
            del given["max_new_tokens"]
        checked(messages=messages, **given)
        sampling = chosen("chat", given.pop("sampling", None), how, self.chat_sampling, takes=_ARGUMENTS)
        return Answer(self, messages, sampling=sampling, **given)

    def _answer(
        self,
        answer: Answer,
        form: ChatFormat,
        *,
        sampling: Strategy,
        max_new_tokens: int | None = None,
        stop: Sequence[str] = (),
        overflow: Overflow = "truncate",
        adapter: str | None = None,
    ) -> Generator[str, None, None]:
        """First nothing, once the conversation is known to be sound; then the pieces of the reply."""
        self._check_adapter(adapter)
        tokenizer = self.tokenizer
        texts, live = Texts(tokenizer, 1, stop), form.live()
        messages, prompt, answer.dropped = self._conversation(form, answer._messages, max_new_tokens, overflow)
        answer.prompt_length = len(prompt)
        boundaries = joints(form, tokenizer, messages, prompt) if form.causal else []
        config = replace(self._chat_config(form, max_new_tokens), boundaries=tuple(boundaries))
        request = Request(
            config=config, prompt=prompt, strategy=sampling, watch=texts, keep=form.causal, adapter=adapter
        )
        yield ""
        with closing(follow(self.scheduler, request)) as steps:
            for group, token in steps:
                answer.cached_tokens = group.cached_tokens
                answer.ids += [token.id] if token.is_text else []
                answer.finish_reason = token.finish_reason
                new = texts.take(0)
                answer._text += new
                if shown := live.feed(new) + (live.end() if token.finish_reason else ""):
                    yield shown

    def _chat_config(self, form: ChatFormat, max_new_tokens: int | None) -> DecodeConfig:
        config = self._continuation_config(self.config.max_positions if max_new_tokens is None else max_new_tokens)
        return replace(config, stop_ids=frozenset(form.stop_ids(self.tokenizer)))

    def _conversation(
        self, form: ChatFormat, messages: Sequence[Message], max_new_tokens: int | None, overflow: Overflow
    ) -> tuple[Sequence[Message], list[int], int]:
        """A conversation that leaves room for a reply, its ids, and how many of its oldest rounds did not fit."""
        limit = self.config.max_positions
        room = min(limit if max_new_tokens is None else max_new_tokens, limit // 4)
        prompt = form.prompt(self.tokenizer, messages)
        if len(prompt) + room <= limit:
            return messages, prompt, 0
        if overflow == "error":
            if len(prompt) < limit:
                return messages, prompt, 0
            raise UserError(
                f"the conversation has {len(prompt)} tokens, the model reads at most {limit}; shorten it, or let "
                f"{argument('overflow', 'truncate')} drop its oldest rounds"
            )
        kept, dropped = fitting(messages, limit - room, lambda some: len(form.prompt(self.tokenizer, some)))
        return kept, form.prompt(self.tokenizer, kept), dropped


def _is_old(messages: object, query: object, history: object, tokenizer: object) -> bool:
    """Whether a call is one of the official code: (tokenizer, query, history), by place or by name."""
    return messages is None or isinstance(messages, Tokenizer) or not query is history is tokenizer is None
