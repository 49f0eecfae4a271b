"""A reply taken apart while it is written: what is text, and what calls a tool.

| family | a call of a tool |
|---|---|
| ChatGLM3 | get_weather, a line break, ```python, tool_call(city="Paris"), ```; messages end at <|assistant|> |
| others | {"name": "get_weather", "arguments": {"city": "Paris"}}, which is all of the reply |

Of a call only literals are read: nothing is ever run. What is no call of a declared tool stays text. The arguments of a
call are given as they are written; one that breaks off, or goes on as none can, ends with half of its JSON.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from glmkit.core.json_types import JsonObject
from glmkit.core.strict_json import dumps, parse
from glmkit.serve.tool_arguments import LiveArguments
from glmkit.text.conversation import Live, LiveText

_ANSWER = "<|assistant|>"
_HELD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(\{.*)', re.DOTALL)


def new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True)
class Call:
    """A call of a tool; `arguments` is a JSON text, or what is known of it when the call is."""

    name: str
    arguments: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True)
class MoreArguments:
    """What else is known of the arguments of the last call."""

    text: str


Part = str | Call | MoreArguments


class Reply(Protocol):
    """Takes text as it is written; gives what is certain of it."""

    def feed(self, text: str) -> list[Part]: ...
    def end(self) -> list[Part]: ...


class PlainReply:
    """Text alone, through the chat format's last touch where there is one (`live`). `bare`: without white space before
    it, which a model writes before a document."""

    def __init__(self, live: Live | None = None, *, bare: bool = False) -> None:
        self._live, self._bare = live, bare

    def feed(self, text: str) -> list[Part]:
        text = text.lstrip(" \n") if self._bare else text
        self._bare = self._bare and not text
        return _shown(text if self._live is None else self._live.feed(text))

    def end(self) -> list[Part]:
        return _shown("" if self._live is None else self._live.end())


class ChatGLM3Reply:
    """ChatGLM3's messages, of which those under the name of a tool are calls. `continued`: the reply goes on from text
    that is there already."""

    def __init__(self, names: Sequence[str], *, continued: bool = False) -> None:
        self._names, self._held = tuple(names), ""
        self._head: str | None = None if continued else ""  # what came so far, while it may become a tool's name
        self._call: LiveArguments | None = None  # what stands under the name of a tool
        self._name, self._called = "", False
        self._text = None if continued else LiveText()

    def _begin(self) -> None:
        self._head, self._call, self._name, self._called, self._text = "", None, "", False, LiveText()

    def feed(self, text: str) -> list[Part]:
        *ended, last = (self._held + text).split(_ANSWER)
        keep = next((n for n in range(min(len(last), len(_ANSWER) - 1), 0, -1) if _ANSWER.startswith(last[-n:])), 0)
        last, self._held = last[: len(last) - keep], last[len(last) - keep :]
        parts: list[Part] = []
        for part in ended:
            parts += [*self._feed(part), *self._end_part()]
            self._begin()
        return [*parts, *self._feed(last)]

    def end(self) -> list[Part]:
        held, self._held = self._held, ""
        return [*self._feed(held), *self._end_part()]

    def _feed(self, text: str) -> list[Part]:
        if self._call is not None:
            return self._arguments(self._call.feed(text))
        if self._head is None:
            return self._say(text)
        self._head += text
        name, line, rest = self._head.partition("\n")
        name = name.strip()
        if line and name in self._names:
            self._name, self._call = name, LiveArguments()
            return self._arguments(self._call.feed(rest))
        if not line and any(known.startswith(name) for known in self._names):
            return []
        text, self._head = self._head, None
        return self._say(text)

    def _end_part(self) -> list[Part]:
        if self._call is not None:
            rest = self._call.end()
            if rest is not None or self._called:
                return self._arguments(rest or "")
            return _shown(f"{self._name}\n{self._call.written}".rstrip())
        said: list[Part] = self._say(self._head) if self._head else []
        return said + _shown("" if self._text is None else self._text.end())

    def _arguments(self, text: str) -> list[Part]:
        if not text:
            return []
        called, self._called = self._called, True
        return [MoreArguments(text) if called else Call(self._name, text)]

    def _say(self, text: str) -> list[Part]:
        return _shown(text if self._text is None else self._text.feed(text))


class JsonReply:
    """A reply that is a call as a whole, where it begins with a brace: {"name": one of `names`, "arguments": {...}}."""

    def __init__(self, names: Sequence[str], live: Live | None = None) -> None:
        self._names, self._live = tuple(names), live
        self._written = ""
        self._plain = False

    def feed(self, text: str) -> list[Part]:
        self._written += text
        beginning = self._written.lstrip()
        if not self._plain and (not beginning or beginning.startswith("{")):
            return []
        text = text if self._plain else self._written
        self._plain = True
        return _shown(text if self._live is None else self._live.feed(text))

    def end(self) -> list[Part]:
        parts: list[Part] = []
        if not self._plain:
            if (call := self._read()) is not None:
                return [call]
            parts = _shown(self._written if self._live is None else self._live.feed(self._written))
        return parts + _shown("" if self._live is None else self._live.end())

    def _read(self) -> Call | None:
        try:
            value = parse(self._written)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        arguments = value.get("arguments", value.get("parameters", {}))
        if value.get("name") not in self._names or not isinstance(arguments, dict):
            return None
        return Call(value["name"], dumps(arguments))


class HeldCall:
    """A reply that a grammar holds to {"name": ..., "arguments": {...}}: what stands behind "arguments" is given as it
    is written."""

    def __init__(self) -> None:
        self._head: str | None = ""  # what came so far, until the arguments begin
        self._depth, self._quoted, self._escaped = 0, False, False

    def feed(self, text: str) -> list[Part]:
        if self._head is None:
            return [MoreArguments(more)] if (more := self._of_object(text)) else []
        self._head += text
        match = _HELD.match(self._head)
        if match is None:
            return []
        self._head = None
        return [Call(parse(match[1]), self._of_object(match[2]))]

    def end(self) -> list[Part]:
        return _shown(self._head or "")

    def _of_object(self, text: str) -> str:
        """What of a text belongs to the object that is being written."""
        for place, sign in enumerate(text):
            if self._quoted:
                self._quoted = self._escaped or sign != '"'
                self._escaped = sign == "\\" and not self._escaped
            elif sign == '"':
                self._quoted = True
            elif sign in "{[":
                self._depth += 1
            elif sign in "}]":
                self._depth -= 1
                if self._depth < 0:
                    return text[:place].rstrip()
        return text.rstrip() if self._depth <= 0 else text


def call_table(call: Call, index: int | None = None) -> JsonObject:
    """A call as a message holds it, or with `index` as an event of a stream does."""
    table = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    return table if index is None else {"index": index} | table


def _shown(text: str) -> list[Part]:
    return [text] if text else []
