"""Conversations in rounds of question and answer: ChatGLM-6B, ChatGLM2 and CodeGeeX2.

ChatGLM-6B   [Round 0]\\n问：q\\n答：a\\n[Round 1]\\n问：q\\n答：[gMASK] <sop>     one question alone stays as it is
ChatGLM2     [gMASK] sop [Round 1]\\n\\n问：q\\n\\n答：a\\n\\n[Round 2]\\n\\n问：q\\n\\n答：

These models know no system message: its text goes in front of the first question.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from glmkit.core.errors import UserError, short
from glmkit.core.json_types import JsonObject
from glmkit.text.conversation import (
    History,
    Live,
    LiveText,
    Message,
    Reply,
    check,
    dated,
)
from glmkit.text.prompts import CausalPrompt, Framing, PrefixPrompt
from glmkit.text.tokenizer import Tokenizer

_FOLLOWS = {"": ("system", "user"), "system": ("user",), "user": ("assistant", ""), "assistant": ("user",)}


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """A format of numbered rounds. `alone` and `round` are templates of a question, `gap` stands after an answer."""

    name: str
    framing: Framing
    alone: str
    round: str
    gap: str
    first: int  # number of the first round
    causal: bool
    polish: Callable[[str], str] = dated
    signs: str = ""  # the characters that `polish` changes

    def text(self, messages: Sequence[Message]) -> str:
        """The conversation as one text, up to where the model is to answer. Raises UserError."""
        questions, answers = self._rounds(messages)
        if len(questions) == 1:
            return self.alone.format(number=self.first, query=questions[0])
        rounds = [self.round.format(number=self.first + i, query=query) for i, query in enumerate(questions)]
        return (
            "".join(f"{query}{answer}{self.gap}" for query, answer in zip(rounds, answers, strict=False)) + rounds[-1]
        )

    def prompt(self, tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
        return self.framing(tokenizer.special).continuation(tokenizer.encode(self.text(messages)))

    def written(self, tokenizer: Tokenizer, reply: Sequence[Message]) -> list[int]:
        return tokenizer.encode("".join(message["content"] for message in reply))

    def stop_ids(self, tokenizer: Tokenizer) -> tuple[int, ...]:
        return (tokenizer.special.eod,)

    def reply(self, text: str, messages: Sequence[Message]) -> Reply:
        content = self.polish(text.strip())
        return Reply(content=content, messages=[{"role": "assistant", "content": content}])

    def live(self) -> Live:
        return LiveText(self.polish, self.signs)

    def messages(self, query: str, history: History) -> list[JsonObject]:
        if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in history):
            raise UserError(f"the history of {self.name} is pairs (question, answer), got {short(list(history))}")
        said = [text for pair in history for text in pair]
        roles = ("user", "assistant")
        return [{"role": roles[i % 2], "content": text} for i, text in enumerate([*said, query])]

    def history(self, messages: Sequence[Message]) -> History:
        questions = [message["content"] for message in messages if message["role"] == "user"]
        answers = [message["content"] for message in messages if message["role"] == "assistant"]
        return list(zip(questions, answers, strict=False))

    def _rounds(self, messages: Sequence[Message]) -> tuple[list[str], list[str]]:
        """Questions and answers, the system message in front of the first question."""
        check(messages, _FOLLOWS, self.name)
        for number, message in enumerate(messages, start=1):
            if "tools" in message:
                raise UserError(f"message {number} has tools, which {self.name} does not know; ChatGLM3 does")
        said: dict[str, list[str]] = {"system": [], "user": [], "assistant": []}
        for message in messages:
            said[message["role"]].append(message["content"])
        first, *more = said["user"]
        return ["".join([*said["system"], first]), *more], said["assistant"]


_SIGNS = ",!:;?"
_FULL_WIDTH = str.maketrans(_SIGNS, "，！：；？")
_BESIDE_CHINESE = re.compile(f"(?<=[\u4e00-\u9fff])[{_SIGNS}]|[{_SIGNS}](?=[\u4e00-\u9fff])")


def punctuated(text: str) -> str:
    """`dated`, with the full-width form of , ! : ; ? beside a Chinese character (ChatGLM-6B)."""
    return _BESIDE_CHINESE.sub(lambda sign: sign[0].translate(_FULL_WIDTH), dated(text))


_ROUND = "[Round {number}]\n\n问：{query}\n\n答："
CHATGLM = Rounds(
    name="chatglm",
    framing=PrefixPrompt,
    alone="{query}",
    round="[Round {number}]\n问：{query}\n答：",
    gap="\n",
    first=0,
    causal=False,
    polish=punctuated,
    signs=_SIGNS,
)
CHATGLM2 = Rounds(name="chatglm2", framing=CausalPrompt, alone=_ROUND, round=_ROUND, gap="\n\n", first=1, causal=True)
CODEGEEX2 = replace(CHATGLM2, name="codegeex2")
