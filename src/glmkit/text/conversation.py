"""What every chat format is made of: messages, replies, and which conversations are sound.

A message is {"role": ..., "content": ...} as everywhere; ChatGLM3's may have "tools" (system) and "metadata"
(assistant).
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.json_types import JsonObject, Table
from glmkit.text.prompts import Framing
from glmkit.text.tokenizer import Tokenizer

Message = Table
# What the original's chat carries from turn to turn: rounds (question, answer), or messages of a ChatGLM3.
History = Sequence[Sequence[str] | Message]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model answered.

    `content` is its text, or for a tool call {"name", "parameters"}, for code to run {"name", "content"}.
    `messages` are the messages to add to the conversation.
    """

    content: str | JsonObject
    messages: list[JsonObject]


class Live(Protocol):
    """A reply that is being written: chunks in, text to show out."""

    def feed(self, text: str) -> str: ...
    def end(self) -> str: ...


class ChatFormat(Protocol):
    """How one version writes a conversation, framed by `framing`. `causal`: what was read may be kept while the
    conversation goes on."""

    @property
    def name(self) -> str: ...
    @property
    def causal(self) -> bool: ...
    @property
    def framing(self) -> Framing: ...

    def prompt(self, tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
        """Ids of a conversation up to where the model is to answer. Raises UserError for one that cannot be."""
        ...

    def written(self, tokenizer: Tokenizer, reply: Sequence[Message]) -> list[int]:
        """Ids that the model writes behind a prompt when its reply is these messages, without the one that ends it."""
        ...

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        """The ids that end a reply."""
        ...

    def reply(self, text: str, messages: Sequence[Message]) -> Reply:
        """What the model wrote, its end left out, in answer to `messages`."""
        ...

    def live(self) -> Live:
        """What the model writes as it can be shown while it is written; a call of a tool is not shown."""
        ...

    def messages(self, query: str, history: History) -> list[JsonObject]:
        """The conversation that the original's chat(tokenizer, query, history) means."""
        ...

    def history(self, messages: Sequence[Message]) -> History:
        """A conversation in the form of the original's history."""
        ...


def check(messages: Sequence[Message], follows: Mapping[str, Sequence[str]], name: str) -> None:
    """Raises UserError unless the messages are well formed and their roles in an order that `follows` allows.

    `follows`: role -> what may come after it; "" is the beginning, and "" among the roles after one means that the
    model may answer there.
    """
    before = ""
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise UserError(f'message {number} is not {{"role": ..., "content": ...}}: {short(message)}')
        role, content = message["role"], message.get("content")
        if not role or role not in follows:
            raise UserError(f"message {number} has role {role!r}{nearest(role, [r for r in follows if r])}")
        if not isinstance(content, str):
            raise UserError(f"message {number} ({role}) has content {short(content)}; it must be text")
        try:
            content.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"message {number} ({role}) is no Unicode text: {error}; decode it as UTF-8") from None
        if role not in follows[before]:
            raise UserError(
                f"message {number} ({role}) cannot follow {before or 'the beginning'} in {name}; "
                f"there may be: {', '.join(r for r in follows[before] if r)}"
            )
        before = role
    if not messages:
        raise UserError("there are no messages to answer; give at least one, from the user")
    if "" not in follows[before]:
        raise UserError(
            f"the last message is the {before}'s: there is nothing to answer; end with a message of the user"
        )


_YEAR = "[[训练时间]]"


def dated(text: str) -> str:
    """A reply with the year in which the models were trained, as the originals show it."""
    return text.replace(_YEAR, "2023年")


class LiveText:
    """A reply as it is written, white space around it left out: in sum `polish(text.strip())`, however it is cut.

    `polish` may look at one character on either side. `signs`: the characters that it changes, which wait for the next.
    """

    def __init__(self, polish: Callable[[str], str] = dated, signs: str = "") -> None:
        self._polish = polish
        waiting = [re.escape(_YEAR[:length]) for length in range(1, len(_YEAR))] + [f"[{signs}]"] * bool(signs)
        self._unsettled = re.compile(rf"(?:\s+|{'|'.join(waiting)}|)\Z")
        self._held = self._before = ""

    def feed(self, text: str) -> str:
        """What of the reply is certain now."""
        text = self._held + text if self._before else (self._held + text).lstrip()
        tail = self._unsettled.search(text)
        settled = len(text) if tail is None else tail.start()
        self._held = text[settled:]
        return self._show(text[:settled])

    def end(self) -> str:
        """The rest of it."""
        return self._show(self._held.rstrip())

    def _show(self, text: str) -> str:
        shown = self._polish(self._before + text)[len(self._before) :]
        self._before = shown[-1:] or self._before
        return shown


def fitting(
    messages: Sequence[Message], budget: int, length: Callable[[Sequence[Message]], int]
) -> tuple[list[Message], int]:
    """The conversation without as many of its oldest rounds as it takes to have at most `budget` tokens, and how many.

    A round begins with a message of the user; a system message, and with it the tools, stays. `length` counts the
    tokens of a conversation. Raises UserError when the last round alone is too long.
    """
    if length(messages) <= budget:
        return list(messages), 0
    starts = [place for place, message in enumerate(messages) if message["role"] == "user"] or [len(messages)]
    fixed = messages[: starts[0]]

    def kept(dropped: int) -> list[Message]:
        return [*fixed, *messages[starts[dropped] :]]

    dropped = bisect_left(range(len(starts)), True, key=lambda dropped: length(kept(dropped)) <= budget)
    if dropped == len(starts):
        raise UserError(
            f"the last message and what must stay with it have {length(kept(dropped - 1))} tokens, there is room for "
            f"{budget}; shorten it"
        )
    return kept(dropped), dropped
