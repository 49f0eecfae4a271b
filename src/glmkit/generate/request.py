"""What the engine is asked to write or to read, and how far it is with it."""

import itertools
import time
from collections import abc, deque
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from glmkit.core.types import IntArray, StoredCache
from glmkit.generate.beam import Beam, Hypothesis
from glmkit.generate.constraint import Constraint
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.nn.lora import Adapter
from glmkit.objective.read_request import ReadRequest

_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A prompt, and how it is written on: `num_return_sequences` times, each with a sampler of its own, or by a beam
    search, whose hypotheses come at its end alone.

    `top`: how many of the most probable ids come beside each token. Where `watch` says True to a token its sequence
    ends. A request of lower `priority` goes first; of those alike, that of the `owner` with the fewest at work. Rows
    that are kept (`keep`) are gone on with by the requests of the same owner and adapter that keep theirs too.
    `adapter`: which of the engine's adapters it is written with. `lookup`: there are drafts, of the prompt
    (glmkit.generate.prompt_lookup) or of the engine's draft model. `constraint` is called once for each sequence.
    """

    config: DecodeConfig
    prompt: abc.Sequence[int]
    strategy: Strategy | Beam
    num_return_sequences: int = 1
    top: int = 0
    watch: abc.Callable[[Token], bool] | None = None
    priority: int = 0
    owner: str = ""
    keep: bool = False
    adapter: str | None = None
    lookup: bool = True
    constraint: abc.Callable[[], Constraint] | None = None
    name: str = "the prompt"  # what errors call it


class Drafter(Protocol):
    """Proposes the next tokens of one sequence, which observes all that are read; `cache` are keys and values that it
    has of its own."""

    cache: StoredCache | None

    def observe(self, id: int, position: IntArray) -> None: ...
    def draft_tokens(self, most: int, rows: int = 1) -> list[int]: ...


@dataclass(eq=False, kw_only=True)
class Group:
    """What came of a request so far. It is finished when nothing is left to do, or with an `error`, which ends no
    other. Times are those of `time.monotonic`."""

    adapter: Adapter | None = None
    id: int = field(default_factory=_numbers.__next__)
    unfinished: int = 1  # sequences
    error: Exception | None = None
    added_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None  # its prompt was begun to be read
    ended_at: float | None = None

    @property
    def finished(self) -> bool:
        return not self.unfinished


@dataclass(eq=False, kw_only=True)
class SequenceGroup(Group):
    """The sequences of a request; `cached_tokens` of the `prompt_length` did not have to be read."""

    request: Request
    prompt_length: int
    drafter: abc.Callable[[], Drafter]  # of a sequence that may have drafts
    cached_tokens: int = 0
    hypotheses: list[Hypothesis] = field(default_factory=list)  # of a beam search, once it is finished
    first_token_at: float | None = None
    inbox: deque[Token] = field(default_factory=deque)  # of `glmkit.generate.follow`


@dataclass(eq=False, kw_only=True)
class ReadGroup(Group):
    """A request that only reads; its `result` [n, ...] is there once it is finished."""

    request: ReadRequest
    result: Tensor | None = None
