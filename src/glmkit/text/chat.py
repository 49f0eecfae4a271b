"""Which chat format a tokenizer's model was trained on.

| tokenizer | format | keeps its cache from turn to turn |
|---|---|---|
| chatglm | numbered rounds, [gMASK] <sop> last | no, it reads the prompt both ways |
| chatglm2, codegeex2 | numbered rounds, [gMASK] sop first | yes |
| chatglm3 | roles, tools | yes |
"""

from collections.abc import Sequence
from itertools import takewhile

from glmkit.core.errors import UserError, nearest
from glmkit.text.conversation import ChatFormat, Message, Reply, fitting
from glmkit.text.roles import CHATGLM3
from glmkit.text.rounds import CHATGLM, CHATGLM2, CODEGEEX2
from glmkit.text.tokenizer import Tokenizer

__all__ = ["FORMATS", "ChatFormat", "Message", "Reply", "chat_format", "fitting", "joints"]

FORMATS: dict[str, ChatFormat] = {row.name: row for row in (CHATGLM, CHATGLM2, CHATGLM3, CODEGEEX2)}


def chat_format(tokenizer: Tokenizer, default: str = "") -> ChatFormat:
    """The format of the conversations that a tokenizer's model was trained on: the one that the tokenizer names, else
    the `default` of its family. Raises UserError when there is none."""
    name = tokenizer.chat or default
    if not name:
        raise UserError("this model was not trained to chat; use infill or generate, or load a model of ChatGLM")
    if name not in FORMATS:
        raise UserError(f"no chat format is called {name!r}{nearest(name, FORMATS)}")
    return FORMATS[name]


def joints(form: ChatFormat, tokenizer: Tokenizer, messages: Sequence[Message], prompt: Sequence[int]) -> list[int]:
    """How many ids of the `prompt` of a conversation stand before places where others go on otherwise: behind the
    system message, and before the last message."""
    places = {1} if messages[0]["role"] == "system" else set()
    counts = []
    for place in sorted(places | {len(messages) - 1} - {0}):
        other = [*messages[:place], *({"role": one["role"], "content": ""} for one in messages[place:])]
        pairs = zip(prompt, form.prompt(tokenizer, other), strict=False)
        counts.append(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return counts
