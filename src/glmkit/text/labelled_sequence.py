"""A conversation as labelled sequences: the ids that chat reads before each reply, and the reply behind them.

    tokens    [gMASK] sop q1 | a b   | q2 | c          two rounds of ChatGLM2
    learned   .     .     a  | b end | c  | end        after each token; a dot where nothing is

A reply stands behind exactly the ids that `ChatFormat.prompt` gives for the messages before it. Where the prompt of a
later reply goes on from the ids so far (roles; rounds whose text is cut into the same pieces) both are one sequence;
where it does not, or is read both ways (ChatGLM-6B), the later reply has a sequence of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError, short
from glmkit.core.kinds import TEXT, check
from glmkit.text.conversation import ChatFormat, Message
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class LabelledSequence:
    """Ids to read, the id to predict after each, and which of those predictions count in the loss; all of one
    length."""

    tokens: list[int]
    targets: list[int]
    loss_mask: list[bool]

    @classmethod
    def of(cls, ids: Sequence[int], replies: Sequence[tuple[int, Sequence[int]]]) -> "LabelledSequence":
        """The sequence whose `replies` (place among `ids`, the reply with its end) stand in `ids`, the last one's end
        left out."""
        targets, loss_mask = [*ids[1:], ids[-1]], [False] * len(ids)
        for place, reply in replies:
            span = slice(place - 1, place - 1 + len(reply))
            targets[span], loss_mask[span] = reply, [True] * len(reply)
        return cls(list(ids), targets, loss_mask)

    def __len__(self) -> int:
        return len(self.tokens)

    def cut(self, length: int) -> "LabelledSequence":
        """The sequence without what lies beyond `length` tokens."""
        return LabelledSequence(self.tokens[:length], self.targets[:length], self.loss_mask[:length])


def labelled_sequences(form: ChatFormat, tokenizer: Tokenizer, messages: Sequence[Message]) -> list[LabelledSequence]:
    """The labelled sequences of a conversation; each of its replies counts in the loss of one of them.

    Raises UserError for a conversation without a reply, one whose last message nobody answered, or an empty reply.
    """
    sequences: list[LabelledSequence] = []
    ids: list[int] = []
    replies: list[tuple[int, Sequence[int]]] = []
    stops = form.stop_ids(tokenizer)
    for begin, end in _replies(messages):
        prompt = form.prompt(tokenizer, messages[:begin])
        if ids and (not form.causal or prompt[: len(ids)] != ids):
            sequences.append(LabelledSequence.of(ids, replies))
            ids, replies = [], []
        elif ids and prompt[len(ids)] in stops:  # of roles, the next one ends the reply
            place, reply = replies[-1]
            replies[-1] = place, [*reply[:-1], prompt[len(ids)]]
        reply = form.written(tokenizer, messages[begin:end])
        replies.append((len(prompt), [*reply, tokenizer.special.eod]))
        ids = [*prompt, *reply]
    return [*sequences, LabelledSequence.of(ids, replies)]


def _replies(messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    """Where each reply begins and ends: messages of the assistant that stand together."""
    roles = [message.get("role") for message in messages]
    if not roles or roles[-1] != "assistant":
        last = f"the last message is the {roles[-1]}'s" if roles else "there are no messages"
        raise UserError(f"{last}; a conversation to learn from ends with a message of the assistant")
    if roles[0] == "assistant":
        raise UserError("message 1 is the assistant's; a conversation begins with a message that it answers")
    begin: int | None = None
    for place, role in enumerate([*roles, None]):
        if role == "assistant":
            content = messages[place].get("content")
            if not isinstance(content, str) or not content.strip():
                raise UserError(
                    f"message {place + 1} (assistant) has content {short(content)}: there is nothing to learn"
                )
            check(content, TEXT, f"message {place + 1} (assistant)")
            begin = place if begin is None else begin
        elif begin is not None:
            yield begin, place
            begin = None
