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
from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask, IntArray, LanguageModel, StoredCache
from glmkit.generate.sequence import FinishReason, Sequence, Token
from glmkit.infill.position_schemes import EncodedPrompt, PositionScheme, encode_prompt
from glmkit.nn.cache import BLOCK
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    """What is the same for all sequences of a model: how their tokens are numbered, which are allowed, where they end.

    A blank ends with eop, eod or one of `stop_ids` once it has `min_tokens`, or after `max_tokens`; what is written
    behind a prompt ends where both have `max_length` tokens, too. Ids from `vocab_size` on and special ids that end
    nothing are never written. The engine reads a prompt up to each of `boundaries`, which count its tokens, and on from
    there: a prefix cache keeps what stands before one for a prompt that goes on otherwise.
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
        masked = logits.clone()
        self.mask_rows(masked, [*enumerate(sequences)])
        return masked

    def mask_rows(self, logits: Tensor, sequences: abc.Sequence[tuple[int, Sequence]]) -> None:
        """The same in place, for some rows of logits [B, V] and their sequences."""
        rows = [row for row, _ in sequences]
        logits[np.ix_(rows, self.never_ids)] = float("-inf")
        logits[rows, self.vocab_size :] = float("-inf")
        early = [row for row, sequence in sequences if sequence.num_tokens < self.min_tokens]
        if early:
            logits[np.ix_(early, list(self.end_ids))] = float("-inf")

    @cached_property
    def never_ids(self) -> list[int]:
        """Special ids that are no text and end nothing."""
        return [id for id in self.special.never_generated if id not in self.end_ids]

    def prefill(self, prompts: abc.Sequence[abc.Sequence[int]]) -> "DecodeState":
        """Reads prompts into a cache, up to the token behind which each is written on. Raises UserError for a prompt
        without a token, or without a blank where blanks are filled."""
        encoded = [self.encode(prompt, f"text {number}") for number, prompt in enumerate(prompts, start=1)]
        sequences = [self.sequence(row, prompt) for row, prompt in enumerate(encoded)]
        tokens, positions, mask = left_padded(encoded, self.special.pad)
        cache = self.model.new_cache(len(prompts), tokens.shape[1] + min(max(map(self.to_come, sequences)), BLOCK))
        return DecodeState(self, sequences, mask, cache, tokens, positions)

    def sequence(self, row: int, prompt: EncodedPrompt) -> Sequence:
        """A sequence that is to be written behind `prompt`, or into its blanks."""
        length, max_tokens = self._limits(prompt)
        return Sequence(row, prompt.blank_positions[1:], length, max_tokens, prompt.positions[:, -1])

    @staticmethod
    def to_come(sequence: Sequence) -> int:
        """How many tokens a sequence that is at its beginning may still read."""
        return (len(sequence.blank_positions) + 1) * (sequence.max_tokens + 1)

    def encode(self, prompt: abc.Sequence[int], name: str) -> EncodedPrompt:
        """The prompt as it is read before anything is written. Raises UserError, which calls it `name`."""
        try:
            return encode_prompt(self.position_scheme, prompt, self.special)
        except UserError as error:
            raise UserError(f"{name} {error}") from None

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
        cache: StoredCache,
        tokens: IntArray,
        positions: IntArray,
    ) -> None:
        """Reads the prompts: tokens [B, T] at [B, P, T]."""
        self.config, self.sequences, self.mask, self.cache = config, sequences, mask, cache
        self.device = compute_device(config.model)
        self._idle = (config.special.pad, np.zeros(config.position_scheme.channels, dtype=np.int64))
        # [B, D] of the token read last, until logits are computed of it
        self._hidden: Tensor | None = self._forward(tokens, positions)[:, -1]

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
            ids, places = np.array([id for id, _ in inputs]), np.stack([place for _, place in inputs])
            self._hidden = self._forward(ids[:, None], places[:, :, None])[:, -1]
        hidden, self._hidden = self._hidden, None
        assert hidden is not None
        return rows_to_sample, self.config.model.logits(hidden[rows_to_sample]).float()

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
        computing()
        ids, places = torch.from_numpy(tokens).to(self.device), torch.from_numpy(positions).to(self.device)
        return self.config.model(ids, places, self.mask, self.cache)


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
