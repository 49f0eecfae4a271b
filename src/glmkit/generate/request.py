"""What the engine is asked to write, and how far it is with it."""

import itertools
import time
from collections import abc, deque
from dataclasses import dataclass, field

from glmkit.generate.beam import Beam, Hypothesis
from glmkit.generate.constraint import Constraint
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.nn.lora import Adapter

_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A prompt, and how it is written on: `num_return_sequences` times, each with a sampler of its own, or by a beam
    search, whose hypotheses come at its end alone.

    `top`: how many of the most probable ids come beside each token. Where `watch` says True to a token its sequence
    ends. A request of lower `priority` goes first; of those alike, that of the `owner` with the fewest at work. Rows
    that are kept (`keep`) are gone on with by the requests of the same owner and adapter that keep theirs too.
    `adapter`: which of the engine's adapters it is written with. `lookup`: the prompt is looked up for drafts
    (glmkit.generate.prompt_lookup). `constraint` is called once for each sequence.
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


@dataclass(eq=False)
class SequenceGroup:
    """The sequences of a request. It is finished when all of them are, or with an `error`, which ends no other.

    `cached_tokens` of the `prompt_length` did not have to be read. Times are those of `time.monotonic`.
    """

    request: Request
    prompt_length: int
    adapter: Adapter | None = None
    id: int = field(default_factory=_numbers.__next__)
    unfinished: int = 1  # sequences
    cached_tokens: int = 0
    error: Exception | None = None
    hypotheses: list[Hypothesis] = field(default_factory=list)  # of a beam search, once it is finished
    added_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None  # its prompt was begun to be read
    first_token_at: float | None = None
    ended_at: float | None = None
    inbox: deque[Token] = field(default_factory=deque)  # of `glmkit.generate.follow`

    @property
    def finished(self) -> bool:
        return not self.unfinished
