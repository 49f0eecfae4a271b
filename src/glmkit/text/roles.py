"""Conversations in roles, each message behind the id of its role: ChatGLM3, with tools and their calls.

    [gMASK] sop <|user|> "\\n" q <|assistant|> "\\n" a <|user|> "\\n" q <|assistant|>

Metadata (the name of a tool that is called) stands before the line break. Metadata and content are encoded apart, each
as a text of its own.
"""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError, short
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import TEXT
from glmkit.core.kinds import check as check_kind
from glmkit.text.conversation import History, Live, LiveText, Message, Reply, check, dated
from glmkit.text.prompts import CausalPrompt, Framing
from glmkit.text.tokenizer import Tokenizer

_FOLLOWS = {
    "": ("system", "user"),
    "system": ("user", ""),
    "user": ("user", "assistant", ""),
    "assistant": ("user", "observation", "assistant"),
    "observation": ("observation", "user", "assistant", ""),
}
_ANSWER = "<|assistant|>"


@dataclass(frozen=True, kw_only=True)
class Roles:
    """ChatGLM3's format."""

    name: str = "chatglm3"
    framing: Framing = CausalPrompt
    causal: bool = True

    def prompt(self, tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
        check(messages, _FOLLOWS, self.name)
        return self.framing(tokenizer.special).continuation(self._ids(tokenizer, messages))

    def message(self, tokenizer: Tokenizer, message: Message) -> list[int]:
        """Ids of one message. Raises UserError for metadata or tools that cannot be written."""
        metadata = message.get("metadata", "")
        check_kind(metadata, TEXT, "the metadata of a message, the name of a tool,")
        if "tools" in message and message["role"] != "system":
            raise UserError(f"a message of the {message['role']} has tools; they belong to the system message")
        content = message["content"] + (f"\n{_schema(message['tools'])}" if "tools" in message else "")
        role = tokenizer.marks[f"<|{message['role']}|>"]
        return [role, *tokenizer.encode(f"{metadata}\n"), *tokenizer.encode(content)]

    def written(self, tokenizer: Tokenizer, reply: Sequence[Message]) -> list[int]:
        ids = [id for message in reply for id in self.message(tokenizer, message)]
        return ids[1:]  # the first role stands in the prompt

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        return (tokenizer.special.eod, tokenizer.marks["<|user|>"], tokenizer.marks["<|observation|>"])

    def reply(self, text: str, messages: Sequence[Message]) -> Reply:
        added = [_as_message(part) for part in text.split(_ANSWER)]
        name, last = added[-1]["metadata"].strip(), added[-1]["content"]
        if not name:
            return Reply(content=dated(last), messages=added)
        if messages and "tools" in messages[0]:
            parameters = call_parameters("\n".join(last.split("\n")[1:-1]))
            return Reply(
                content=last if parameters is None else {"name": name, "parameters": parameters}, messages=added
            )
        return Reply(content={"name": name, "content": last}, messages=added)

    def live(self) -> Live:
        return LiveRoles()

    def messages(self, query: str, history: History, role: str = "user") -> list[JsonObject]:
        said = [message for message in history if isinstance(message, dict)]
        if len(said) < len(history):
            raise UserError(f"the history of {self.name} is a list of messages, got {short(list(history))}")
        return [*said, {"role": role, "content": query}]

    def history(self, messages: Sequence[Message]) -> History:
        return [dict(message) for message in messages]

    def _ids(self, tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
        ids = [id for message in messages for id in self.message(tokenizer, message)]
        return [*ids, tokenizer.marks[_ANSWER]]


CHATGLM3 = Roles()


class LiveRoles:
    """A reply as it is written: the content of its messages without metadata. What calls a tool is not shown."""

    def __init__(self) -> None:
        self._begin()

    def feed(self, text: str) -> str:
        *ended, text = text.split(_ANSWER)
        shown = ""
        for part in ended:
            shown += self._feed(part) + self.end()
            self._begin()
        return shown + self._feed(text)

    def end(self) -> str:
        head = "" if self._head is None or "\n" in self._head else self._head  # without a line break all is content
        return self._text.feed(head) + self._text.end()

    def _begin(self) -> None:
        self._head: str | None = ""  # what came before the content: the line of the metadata, or a whole call
        self._text = LiveText()

    def _feed(self, text: str) -> str:
        if self._head is None:
            return self._text.feed(text)
        self._head += text
        metadata, line, content = self._head.partition("\n")
        if not line or metadata.strip():
            return ""
        self._head = None
        return self._text.feed(content)


def call_parameters(text: str) -> object:
    """The parameters of a written call, tool_call(name=literal, ...) or, as the official code takes it too, a literal
    alone; None when it is anything else.

    Nothing of it is ever run: only literals are read.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            return ast.literal_eval(call)
        if not isinstance(call.func, ast.Name) or call.func.id != "tool_call":
            return None
        names = [keyword.arg for keyword in call.keywords]
        if call.args or None in names or len(set(names)) < len(names):
            return None
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _as_message(part: str) -> JsonObject:
    metadata, line, content = part.partition("\n")
    if not line:
        metadata, content = "", part
    return {"role": "assistant", "metadata": metadata, "content": content if metadata.strip() else content.strip()}


def _schema(tools: object) -> str:
    try:
        return json.dumps(tools, indent=4, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"the tools of the system message are not JSON: {error}; describe them by plain values"
        ) from None
