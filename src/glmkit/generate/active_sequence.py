"""A sequence at work in the engine."""

from collections import abc
from functools import partial

import numpy as np
from torch import Tensor

from glmkit.core.types import IntArray, LanguageModel, StoredCache
from glmkit.generate.beam import Beam, BeamSearch
from glmkit.generate.constraint import Constraint
from glmkit.generate.draft_model import DraftModel
from glmkit.generate.prefix_cache import ReadRow, ReadToken
from glmkit.generate.prompt_lookup import PromptLookup
from glmkit.generate.ragged_forward import Part
from glmkit.generate.request import Drafter, Request, SequenceGroup
from glmkit.generate.samplers import Sampler
from glmkit.generate.sequence import Sequence
from glmkit.generate.session import DecodeConfig
from glmkit.nn.lora import Adapter

MIN_CHUNK = 64  # fewer tokens are not worth a read of their own


class ActiveSequence:
    """A sequence at work: what it has yet to read, the row it reads into, and what chooses its tokens."""

    def __init__(self, group: SequenceGroup, sequence: Sequence, to_read: list[ReadToken], context: int) -> None:
        request = group.request
        self.group, self.config, self.sequence, self.context = group, request.config, sequence, context
        self.to_read = to_read  # of its prompt, or of all that it had read before it lost its row
        self.row: ReadRow | None = None
        self.drafts: list[tuple[int, IntArray]] = []  # in the cache behind what is recorded, with their positions
        self.search: BeamSearch | None = None  # that it is a branch of
        self.sampler: Sampler | None = None
        self.constraint: Constraint | None = request.constraint() if request.constraint else None
        self.drafter: Drafter | None = None
        if isinstance(request.strategy, Beam):
            self.forks = request.strategy.beams - 1  # that may come of it
        else:
            self.forks = request.num_return_sequences - 1
            self.sampler = request.strategy.sampler(request.prompt, sequence.row)
            self.drafter = group.drafter() if request.lookup else None

    @classmethod
    def begin(cls, request: Request, adapter: Adapter | None, draft: DraftModel | None) -> "ActiveSequence":
        """The first sequence of a request. Raises UserError for a prompt with nothing to go on from."""
        prompt = request.config.encode(request.prompt, request.name)
        sequence = request.config.sequence(0, prompt)
        group = SequenceGroup(
            request=request,
            prompt_length=len(prompt.tokens),
            adapter=adapter,
            unfinished=request.num_return_sequences,
            drafter=partial(PromptLookup, request.prompt),
        )
        if draft is not None:
            group.drafter = partial(draft.drafter, prompt, request.config)
        to_read: list[ReadToken] = list(zip(prompt.tokens.tolist(), *prompt.positions.tolist(), strict=True))
        return cls(group, sequence, to_read, prompt.context)

    @property
    def draft_cache(self) -> StoredCache | None:
        """Keys and values of the draft model, if it has read any of it."""
        return None if self.drafter is None else self.drafter.cache

    @property
    def nbytes(self) -> int:
        """Of keys and values, the draft model's among them."""
        caches = (self.row.cache if self.row is not None else None, self.draft_cache)
        return sum(cache.nbytes for cache in caches if cache is not None)

    @property
    def most_tokens(self) -> int:
        """Tokens that its row may come to hold, without the prefix of an adapter."""
        return self.group.prompt_length + DecodeConfig.to_come(self.sequence)

    def chunk(self, room: int, most: int) -> int:
        """How many tokens of its prompt are read at once, whatever is `most`: where chunks end depends on the prompt
        and on where they begin alone, as long as nobody else is at work."""
        start, left = len(row_of(self).tokens), len(self.to_read)
        near = [place - start for place in self.config.boundaries if place >= max(start + MIN_CHUNK, self.context)]
        return min(left, max(room, self.context - start), *near)

    def part(self, size: int, model: LanguageModel, prefixed: bool) -> Part:
        """The next tokens of its prompt, as the model reads them."""
        return part_of(row_of(self), self.to_read[:size])

    def took(self, size: int) -> int:
        """Notes that so many tokens of its prompt were read; returns how many are left."""
        row_of(self).record(self.to_read[:size])
        self.to_read = self.to_read[size:]
        return len(self.to_read)

    def fork(self, number: int) -> "ActiveSequence":
        """Sequence `number` of the group, at the end of the prompt that this one has read."""
        sequence = self.sequence.fork()
        sequence.row = number
        return self.branch(sequence)

    def branch(self, sequence: Sequence) -> "ActiveSequence":
        """One that goes on as `sequence` from what this one has read."""
        other = ActiveSequence(self.group, sequence, [], self.context)
        other.row, other.forks, other.search = row_of(self).fork(), 0, self.search
        return other

    @property
    def order(self) -> tuple[int, int, int]:
        """The lowest goes first, the highest is the first to give up its row."""
        return self.group.request.priority, self.group.id, self.sequence.row

    def take_pending(self, room: int, rows: int) -> list[tuple[int, IntArray]]:
        """The tokens to be read now, with drafts of what comes behind them, `room` at most, in a step of `rows`
        sequences. The branches of a beam search read one each, so that they stay together."""
        sequence = self.sequence
        if self.search is not None:
            tokens = [sequence.pending_tokens.popleft()]
            sequence.last_position = tokens[0][1]
            return tokens
        tokens = list(sequence.pending_tokens)
        sequence.pending_tokens.clear()
        sequence.last_position = tokens[-1][1]
        if self.drafter is not None:
            for token in tokens:
                self.drafter.observe(*token)
            most = min(room, sequence.max_tokens - sequence.num_tokens - 1)
            for id in self.drafter.draft_tokens(most, rows):
                last = self.drafts[-1][1] if self.drafts else sequence.last_position
                self.drafts.append((id, self.config.position_scheme.advance(last)))
        return tokens

    def accept_draft(self) -> bool:
        """Whether the token that was sampled last had been drafted, and so has been read already."""
        sequence = self.sequence
        if not self.drafts or len(sequence.pending_tokens) != 1:
            return False
        (id, position), (draft, place) = sequence.pending_tokens[0], self.drafts[0]
        if id != draft or (position != place).any():
            return False
        assert self.drafter is not None
        sequence.pending_tokens.clear()
        sequence.last_position = position
        self.drafts.pop(0)
        row_of(self).record([as_read(id, position)])
        self.drafter.observe(id, position)
        return True

    def give_up(self) -> None:
        """Leaves its memory to others, and reads all of it again when it begins anew."""
        self.to_read, self.row = [*row_of(self).tokens, *self.to_read], None
        if self.drafter is not None:
            self.drafter.cache = None

    def drop_drafts(self) -> None:
        """Forgets the drafts that were not accepted."""
        if self.drafts:
            self.drafts = []
            row_of(self).cache.cut(len(row_of(self).tokens))


def row_of(active: ActiveSequence) -> ReadRow:
    """The row of a sequence that is being read or written."""
    assert active.row is not None
    return active.row


def part_of(row: ReadRow, tokens: abc.Sequence[ReadToken]) -> Part:
    """Tokens that go behind what a row holds."""
    return Part(np.array(tokens, dtype=np.int64).T, row.cache, row.context, row.adapter)


def as_read(id: int, position: IntArray) -> ReadToken:
    """A token and its positions, as a row records them."""
    return (id, *position.tolist())


def mask_logits(actives: abc.Sequence[ActiveSequence], logits: Tensor) -> Tensor:
    """Logits [B, V] with -inf for what may not be appended to each sequence, whatever their configs."""
    groups: dict[int, list[tuple[int, Sequence]]] = {}
    for place, active in enumerate(actives):
        groups.setdefault(id(active.config), []).append((place, active.sequence))
    masked = logits.clone()
    for group in groups.values():
        actives[group[0][0]].config.mask_rows(masked, group)
    return masked


def go_on(
    branches: abc.Sequence[ActiveSequence], parents: abc.Sequence[int], sequences: abc.Sequence[Sequence]
) -> list[ActiveSequence]:
    """Of a beam search the branches after a step: sequence i goes on from branch `parents[i]`, the first of several in
    its row, the others in copies of it."""
    alive: list[ActiveSequence] = []
    taken: dict[int, Sequence] = {}
    for parent, sequence in zip(parents, sequences, strict=True):
        if parent in taken:
            alive.append(branches[parent].branch(sequence))
        else:
            alive.append(branches[parent])
            taken[parent] = sequence
    for number, active in enumerate(branches):
        active.forks, active.sequence = 0, taken.get(number, active.sequence)
    return alive
