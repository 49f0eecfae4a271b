"""A sequence: one row of a batch as it is decoded, and the tokens and completions that come of it."""

from collections import abc, deque
from dataclasses import dataclass
from typing import Literal

from glmkit.core.types import IntArray

FinishReason = Literal["eop", "eod", "turn", "stop", "length"]


@dataclass(frozen=True)
class Token:
    """One sampled token. `finish_reason` says how its blank ended with it: at an end token, at a stop id ("turn"),
    because the watcher said so ("stop"), or at the length allowed. An end token or stop id is not part of the text.

    `logprob` is the model's own, over all ids, before penalties and temperature; so are those of `top`, the most
    probable ids, if any were asked for.
    """

    row: int
    blank: int
    id: int
    logprob: float
    finish_reason: FinishReason | None
    top: tuple[tuple[int, float], ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it is part of the text."""
        return self.finish_reason in (None, "stop", "length")


@dataclass(frozen=True)
class Completion:
    """What a sequence wrote into one blank, or behind its prompt."""

    ids: list[int]
    logprobs: list[float]  # of each id, and of the end token if there was one
    finish_reason: FinishReason

    @property
    def logprob(self) -> float:
        return sum(self.logprobs)


class Sequence:
    """Where one row stands: the tokens it reads next, and the blanks it has yet to fill.

    `pending_tokens` are (id, positions [P]); a sequence with one pending token samples the next one behind it, and a
    sequence without any is finished. `blank_positions` are those of the blanks not begun. `length` counts the tokens of
    the row, pending ones among them.
    """

    def __init__(
        self, row: int, blank_positions: abc.Sequence[int], length: int, max_tokens: int, last_position: IntArray
    ) -> None:
        self.row, self.length, self.max_tokens = row, length, max_tokens
        self.blank_positions = deque(blank_positions)
        self.pending_tokens: deque[tuple[int, IntArray]] = deque()
        self.last_position = last_position  # of the token that was read last
        self.blank, self.num_tokens = 0, 0  # the blank at hand, and how many tokens it holds

    @property
    def finished(self) -> bool:
        return not self.pending_tokens

    def append(self, id: int, position: IntArray) -> None:
        """Queues a token that is read next."""
        self.pending_tokens.append((id, position))
        self.length += 1

    def finish(self) -> None:
        """Ends the sequence, whatever blanks are left."""
        self.pending_tokens.clear()
        self.blank_positions.clear()

    def fork(self) -> "Sequence":
        """A copy that goes its own way."""
        copy = Sequence(self.row, self.blank_positions, self.length, self.max_tokens, self.last_position)
        copy.pending_tokens, copy.blank, copy.num_tokens = deque(self.pending_tokens), self.blank, self.num_tokens
        return copy
