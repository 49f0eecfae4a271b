"""Decoding, ids in and ids out: a batch of prompts is read once, then every sequence is written at its own pace.

Rows are padded on the left, so that all of them go on at the same place in the cache; padding is never seen. An
architecture that fills blanks writes them from left to right, each seeing those before it; others write behind the end
of their prompt (glmkit.infill.position_schemes.encode_prompt):

    row 0   [CLS] a [M] b [M] <eod> sop | x y eop|  sop z eop|          row 0   a b c | x y z </s>|
    row 1    pad pad [CLS] c [M] d  sop | u v w x    y eop   |          row 1   pad d | u </s>    |
"""

from collections import abc
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from glmkit.core.errors import UserError
from glmkit.core.forked import computing
from glmkit.core.types import AttentionMask, Cache, IntArray, LanguageModel
from glmkit.generate.prefix_cache import PrefixCache
from glmkit.generate.prompt_lookup import PromptLookup
from glmkit.generate.sequence import FinishReason, Sequence, Token
from glmkit.infill.position_schemes import EncodedPrompt, PositionScheme, encode_prompt
from glmkit.nn.cache import BLOCK
from glmkit.text.special import SpecialIds

CHUNK = 512  # tokens of a prompt read at once, where its context allows
MIN_CHUNK = 64  # fewer tokens are not worth a read of their own


@dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    """What is the same for all sequences of a model: how their tokens are numbered, which are allowed, where they end.

    A blank ends with eop, eod or one of `stop_ids` once it has `min_tokens`, or after `max_tokens`; what is written
    behind a prompt ends where both have `max_length` tokens, too. Ids from `vocab_size` on and special ids that end
    nothing are never written. A prompt is read up to each of `boundaries`, which count its tokens, and on from there,
    but for less than MIN_CHUNK tokens: a prefix cache keeps what stands before one for a prompt that goes on otherwise.
    """

    model: LanguageModel
    position_scheme: PositionScheme
    special: SpecialIds
    vocab_size: int
    max_tokens: int
    min_tokens: int = 0
    max_length: int | None = None
    stop_ids: frozenset[int] = frozenset()
    boundaries: tuple[int, ...] = ()

    @cached_property
    def end_ids(self) -> dict[int, FinishReason]:
        """The ids that end a blank, and the reason each gives."""
        turns: dict[int, FinishReason] = dict.fromkeys(sorted(self.stop_ids), "turn")
        return {**turns, self.special.eod: "eod", self.special.eop: "eop"}

    def append_token(
        self, sequence: Sequence, id: int, logprob: float, top: tuple[tuple[int, float], ...] = ()
    ) -> Token:
        """Appends `id` to the blank at hand, and queues what is read next."""
        token = Token(sequence.row, sequence.blank, id, logprob, self.end_ids.get(id), top)
        if token.finish_reason is None:
            sequence.num_tokens += 1
            sequence.append(id, self.position_scheme.advance(sequence.last_position))
            if sequence.num_tokens == sequence.max_tokens:
                token = replace(token, finish_reason="length")
                if not sequence.blank_positions:
                    sequence.finish()  # nothing is sampled behind the last token
        if token.finish_reason and sequence.blank_positions:
            start = self.position_scheme.start(sequence.blank_positions.popleft(), sequence.length)
            sequence.append(self.special.sop, start)
            sequence.blank, sequence.num_tokens = sequence.blank + 1, 0
        return token

    def mask_logits(self, logits: Tensor, sequences: abc.Sequence[Sequence]) -> Tensor:
        """Logits [B, V] with -inf for what may not be appended to each sequence."""
        masked = logits.index_fill(1, self._never_ids.to(logits.device), float("-inf"))
        masked[:, self.vocab_size :] = float("-inf")
        early = [row for row, sequence in enumerate(sequences) if sequence.num_tokens < self.min_tokens]
        if early:
            masked[np.ix_(early, list(self.end_ids))] = float("-inf")
        return masked

    @cached_property
    def _never_ids(self) -> Tensor:
        """Special ids that are no text and end nothing."""
        return torch.tensor([id for id in self.special.never_generated if id not in self.end_ids], dtype=torch.long)

    def prefill(
        self,
        prompts: abc.Sequence[abc.Sequence[int]],
        prefix_cache: PrefixCache | None = None,
        lookup: PromptLookup | None = None,
    ) -> "DecodeState":
        """Reads prompts into a cache, up to the token behind which each is written on. A `prefix_cache` holds what it
        has read of the one prompt, a `lookup` drafts what is written behind it. Raises UserError for a prompt without a
        token, or without a blank where blanks are filled."""
        encoded = [self._encode(prompt, number) for number, prompt in enumerate(prompts, start=1)]
        sequences = [
            Sequence(row, prompt.blank_positions[1:], *self._limits(prompt), prompt.positions[:, -1])
            for row, prompt in enumerate(encoded)
        ]
        tokens, positions, mask = left_padded(encoded, self.special.pad)
        to_come = max((len(one.blank_positions) + 1) * (one.max_tokens + 1) for one in sequences)
        capacity = tokens.shape[1] + min(to_come, BLOCK)
        if prefix_cache is None:
            cache, cached = self.model.new_cache(len(prompts), capacity), 0
        else:
            assert len(prompts) == 1, "a prefix cache is of one row"
            cache, cached = prefix_cache.open(self.model, tokens[0], positions[0], encoded[0].context, capacity)
        state = DecodeState(self, sequences, mask, cache, prefix_cache, lookup)
        state.read(tokens[:, cached:], positions[:, :, cached:])
        return state

    def _encode(self, prompt: abc.Sequence[int], number: int) -> EncodedPrompt:
        try:
            return encode_prompt(self.position_scheme, prompt, self.special)
        except UserError as error:
            raise UserError(f"text {number} {error}") from None

    def _limits(self, prompt: EncodedPrompt) -> tuple[int, int]:
        """Length of the prompt, and how many tokens a blank of it may hold, or the text behind it."""
        length, blanks = len(prompt.tokens), len(prompt.blank_positions)
        if self.max_length is None or (blanks and not self.position_scheme.spans_take_positions):
            return length, self.max_tokens
        starts = max(0, blanks - 1)  # of the blanks behind the first, whose sop is read with the prompt
        left = (self.max_length - length - starts) // max(1, blanks)
        if left < 1:
            raise UserError(f"a prompt of {length} tokens leaves no room to write: the model reads {self.max_length}")
        return length, min(self.max_tokens, left)


class DecodeState:
    """A closed batch of sequences and the cache of what they have read."""

    def __init__(
        self,
        config: DecodeConfig,
        sequences: list[Sequence],
        mask: AttentionMask,
        cache: Cache,
        prefix_cache: PrefixCache | None = None,
        lookup: PromptLookup | None = None,
    ) -> None:
        self.config, self.sequences, self.mask, self.cache = config, sequences, mask, cache
        self.prefix_cache, self.lookup = prefix_cache, lookup  # each of the one sequence there is
        self.device = next(config.model.parameters()).device
        self._idle = (config.special.pad, np.zeros(config.position_scheme.channels, dtype=np.int64))
        self._hidden: Tensor | None = None  # [B, D] of the token read last, until logits are computed of it
        self._drafts: list[tuple[int, IntArray]] = []  # draft tokens in the cache, with their positions
        self._draft_logits = torch.empty(0)  # [len(_drafts), V], behind them

    def read(self, tokens: IntArray, positions: IntArray) -> None:
        """Reads prompts [B, T] at [B, P, T]: what is seen both ways in one piece, the rest in chunks of bounded size.
        Where chunks end depends on the prompt and on where they begin alone."""
        computing()
        context = int(self.mask.context.max()) - self.cache.length
        boundaries = [boundary - self.cache.length for boundary in self.config.boundaries]
        begin, width = 0, tokens.shape[1]
        while begin < width:
            near = [boundary for boundary in boundaries if boundary >= begin + MIN_CHUNK]
            end = min(width, begin + max(CHUNK, context - begin), *near)
            chunk = tokens[:, begin:end], positions[:, :, begin:end]
            self._hidden = self._forward(*chunk)[:, -1]
            self._record(*chunk)
            begin = end

    def step(self) -> tuple[list[int], Tensor]:
        """Reads the next pending token of each sequence. Returns the rows to sample, and their logits [R, V] in
        float32.

        In the first step the prompts have just been read, and all rows are to be sampled.
        """
        rows_to_sample = list(range(len(self.sequences)))
        if self._hidden is None:
            running = [row for row in rows_to_sample if not self.sequences[row].finished]
            inputs = [one.pending_tokens.popleft() if one.pending_tokens else self._idle for one in self.sequences]
            rows_to_sample = [row for row in running if not self.sequences[row].pending_tokens]
            for sequence, (_, position) in zip(self.sequences, inputs, strict=True):
                sequence.last_position = position
            if self.lookup is not None:
                return rows_to_sample, self._read_with_draft(self.sequences[0], *inputs[0])[rows_to_sample]
            arrays = _arrays(inputs, 0)
            self._hidden = self._forward(*arrays)[:, -1]
            self._record(*arrays)
        hidden, self._hidden = self._hidden, None
        assert hidden is not None
        return rows_to_sample, self.config.model.logits(hidden[rows_to_sample]).float()

    def _read_with_draft(self, sequence: Sequence, id: int, position: IntArray) -> Tensor:
        """Logits [1, V] behind the next token of the only sequence, which is read with a draft of what comes after it,
        unless it was itself drafted right."""
        assert self.lookup is not None
        self.lookup.observe(id)
        if not self._drafts or self._drafts[0][0] != id or (self._drafts[0][1] != position).any():
            self.cache.cut(self.cache.length - len(self._drafts))
            self._drafts = [(id, position)]
            if not sequence.pending_tokens:
                for draft in self.lookup.draft_tokens(sequence.max_tokens - sequence.num_tokens - 1):
                    self._drafts.append((draft, self.config.position_scheme.advance(self._drafts[-1][1])))
            hidden = self._forward(*_arrays(self._drafts, 1))
            self._draft_logits = self.config.model.logits(hidden[0]).float()
        self._record(*_arrays(self._drafts[:1], 1))
        logits, self._drafts, self._draft_logits = self._draft_logits[:1], self._drafts[1:], self._draft_logits[1:]
        return logits

    def select(self, index: abc.Sequence[int], sequences: list[Sequence]) -> None:
        """Goes on with `sequences`, which stand where the present rows `index` stood."""
        if sequences and list(index) != list(range(len(self.sequences))):
            rows = torch.tensor(index, dtype=torch.long, device=self.device)
            self.cache.select(rows)
            self.mask = self.mask.rows(rows)
            self._hidden = None if self._hidden is None else self._hidden[rows]
        self.sequences = sequences

    def _forward(self, tokens: IntArray, positions: IntArray) -> Tensor:
        """Reads [B, T] at [B, P, T]; hidden [B, T, D]."""
        ids, places = torch.from_numpy(tokens).to(self.device), torch.from_numpy(positions).to(self.device)
        return self.config.model(ids, places, self.mask, self.cache)

    def _record(self, tokens: IntArray, positions: IntArray) -> None:
        if self.prefix_cache is not None:
            self.prefix_cache.record(tokens[0], positions[0])


def _arrays(tokens: abc.Sequence[tuple[int, IntArray]], axis: int) -> tuple[IntArray, IntArray]:
    """Ids and positions of tokens, one for each row (axis 0) or one after another in one row (axis 1)."""
    ids, positions = np.array([id for id, _ in tokens]), np.stack([position for _, position in tokens])
    return (ids[:, None], positions[:, :, None]) if axis == 0 else (ids[None], positions.T[None])


def left_padded(prompts: abc.Sequence[EncodedPrompt], pad: int) -> tuple[IntArray, IntArray, AttentionMask]:
    """Prompts as tokens [B, T], positions [B, P, T] and a mask that hides the padding on their left."""
    width = max(len(prompt.tokens) for prompt in prompts)
    begins = [width - len(prompt.tokens) for prompt in prompts]
    tokens = np.full((len(prompts), width), pad, dtype=np.int64)
    positions = np.zeros((len(prompts), len(prompts[0].positions), width), dtype=np.int64)
    for row, (begin, prompt) in enumerate(zip(begins, prompts, strict=True)):
        tokens[row, begin:], positions[row, :, begin:] = prompt.tokens, prompt.positions
    context = [begin + prompt.context if prompt.context else 0 for begin, prompt in zip(begins, prompts, strict=True)]
    return tokens, positions, AttentionMask.prefix(context, begins)
