"""The model as people use it: text in, text out."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory
from glmkit.core.types import AttentionMask
from glmkit.families import directory
from glmkit.families.assemble import Progress, unwatched
from glmkit.families.load import read
from glmkit.families.prefix import lay_prefix
from glmkit.families.spec import FamilySpec
from glmkit.families.vocabulary import add_tokens
from glmkit.generate.beam import Beam
from glmkit.generate.engine import Ending, Filled, Writer, write
from glmkit.generate.fill import fill
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.objective.choices import choice_logprobs
from glmkit.objective.spans import LogProb, span_logprob
from glmkit.text.stream import Detokenizer
from glmkit.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Infilling:
    """A text with its blanks filled. `logprobs`: log p of each filling, its end included, given all to its left."""

    text: str
    spans: list[str]
    logprobs: list[float]
    ended: list[Ending]  # how each filling ended: "eop", "eod", or at the "length" allowed
    ids: list[list[int]]

    @property
    def logprob(self) -> float:
        """log p of all fillings together."""
        return sum(self.logprobs)


@dataclass(frozen=True)
class Infillings(Infilling):
    """The best filling, and in `alternatives` all that were asked for, best first."""

    alternatives: tuple[Infilling, ...] = ()


class Model:
    """A model with its tokenizer. Texts go in and come out; `logits` and `module` are for those who want numbers."""

    def __init__(
        self, family: FamilySpec, config: Any, module: Any, tokenizer: Tokenizer | None, missing: str = ""
    ) -> None:
        """`missing`: of a model without a tokenizer, which file is not there and where it goes."""
        self.family, self.config, self.module = family, config, module
        self.geometry = family.geometry(config)
        self._tokenizer, self._missing = tokenizer, missing

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises UserError when the model's directory had none."""
        if self._tokenizer is None:
            raise UserError(
                f"this model has no tokenizer: {self._missing or 'none was given'}; ids still work (m.logits)"
            )
        return self._tokenizer

    def infill(
        self,
        text: str,
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
    ) -> Infillings:
        """Fills every [MASK], [sMASK] and [gMASK] of `text`, from left to right, each seeing those before it.

        A blank gets from `min_tokens` to `max_tokens` tokens. `sampling` is `Greedy()` unless given; more than one of
        `alternatives` needs a random one such as `TopP()`, or a `Beam()` of as many beams. Raises UserError for a
        text without a blank or longer than the model.
        """
        return self.infill_batch(
            [text], sampling, max_tokens=max_tokens, min_tokens=min_tokens, alternatives=alternatives
        )[0]

    def infill_batch(
        self,
        texts: Sequence[str],
        sampling: Strategy | Beam | None = None,
        *,
        max_tokens: int = 64,
        min_tokens: int = 1,
        alternatives: int = 1,
    ) -> list[Infillings]:
        """`infill` of several texts in one batch; what a text gets does not depend on the others."""
        how = sampling or Greedy()
        prompts = [self._prompt(text) for text in texts]
        self._check_lengths(prompts, max_tokens)
        groups = fill(self._writer(max_tokens, min_tokens), prompts, how, alternatives)
        found = []
        for text, rows in zip(texts, groups, strict=True):
            group = tuple(self._infilling(text, row) for row in rows)
            found.append(Infillings(**vars(group[0]), alternatives=group))
        return found

    def generate(self, text: str, max_new_tokens: int = 128, sampling: Strategy | None = None) -> str:
        """Continues `text` through [gMASK]; returns the continuation alone."""
        return "".join(self.stream(text, max_new_tokens, sampling))

    def stream(self, text: str, max_new_tokens: int = 128, sampling: Strategy | None = None) -> Iterator[str]:
        """`generate`, in pieces of text as they are written; half a character is held back until it is whole."""
        tokenizer = self.tokenizer
        prompt = [
            tokenizer.special.begin,
            *tokenizer.encode(tokenizer.pieces.before_mask(text)),
            tokenizer.special.gmask,
        ]
        self._check_lengths([prompt], max_new_tokens)
        text_of = Detokenizer(tokenizer)
        for (token,) in write(self._writer(max_new_tokens), [prompt], sampling or Greedy()):
            whole = "" if token.ended in ("eop", "eod") else text_of.feed(token.id)
            whole += text_of.end() if token.ended else ""
            if whole:
                yield whole

    def logprob(
        self,
        text: str,
        spans: Sequence[str] | Sequence[tuple[int, int]],
        order: Literal["given", "sampled"] | int | Sequence[int] = "given",
        seed: int = 0,
    ) -> LogProb:
        """log p of `spans` given the rest of the text (paper, equation 2).

        `spans`: the filling of each blank of `text` in text order, or places (start, end) of `text` to blank, in
        characters. `order`: "given" writes them from left to right, a permutation in that order, "sampled" in one
        random order, a number k in k random orders, whose mean has a standard error.
        """
        tokenizer = self.tokenizer
        text, fillings = _as_fillings(text, spans)
        prompt = self._prompt(text)
        ids = [tokenizer.encode(filling) for filling in self._spaced(text, fillings)]
        self._check_lengths([prompt], max(map(len, ids), default=0))
        orders = _orders(order, len(ids), seed)
        return span_logprob(self.module, self.geometry, tokenizer.special, prompt, ids, orders)

    def score(
        self, context: str, choices: Sequence[str], *, ended: bool = True, length_penalty: float = 0.0
    ) -> list[float]:
        """log p of each choice as the filling of the last blank of `context`; the context is read once for all.

        `ended`: whether the end of a choice counts, as it does in generation; one-word labels are compared without.
        `length_penalty` a divides by (tokens scored) ** a. Choices may have different lengths.
        """
        tokenizer = self.tokenizer
        prompt = self._prompt(context)
        *_, before, _ = ["", *_split_at_blanks(tokenizer, context)]
        space = before[len(tokenizer.pieces.before_mask(before)) :]
        ids = [tokenizer.encode(space + choice) for choice in choices]
        self._check_lengths([prompt], max(map(len, ids), default=0))
        (scored,) = choice_logprobs(self.module, self.geometry, tokenizer.special, [prompt], [ids])
        counted = [logprobs if ended else logprobs[:-1] for logprobs in scored]
        return [sum(logprobs) / len(logprobs) ** length_penalty for logprobs in counted]

    @torch.inference_mode()
    def logits(
        self,
        token_ids: Tensor | Sequence[Sequence[int]],
        positions: Tensor | Any = None,
        context: int | Sequence[int] | Tensor | None = None,
        begin: int | Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """Logits [B, T, V] of ids [B, T], as the model computes them; needs no tokenizer.

        Tokens before `begin` (default 0) are padding; the first `context` tokens of all see each other both ways.
        Both are one number, or one a row. `positions` [B, P, T] and `context` default to what the architecture reads
        from ids alone: GLM 0 .. T-1, 0 and no context; ChatGLM-6B the prompt before <sop> as context and the answer
        at its blank, as the official code does; ChatGLM2 and 3 0 .. T-1. Raises UserError for ids it cannot read.
        """
        tokens = torch.as_tensor(token_ids, dtype=torch.long)
        begins = torch.as_tensor(0 if begin is None else begin).long().expand(len(tokens))
        if positions is None or context is None:
            read, contexts = self._read(tokens, begins)
            positions, context = read if positions is None else positions, contexts if context is None else context
        device = next(self.module.parameters()).device
        mask = AttentionMask.prefix(torch.as_tensor(context).long().expand(len(tokens)), begins)
        hidden = self.module(tokens.to(device), torch.as_tensor(positions, dtype=torch.long).to(device), mask)
        return self.module.logits(hidden)

    def with_prefix(self, path: str | Path) -> "Model":
        """The model behind the prefix of the P-tuning checkpoint in the directory `path`; they share their weights.

        Raises UserError for a directory without one, CorruptFile for a prefix of another model.
        """
        config, module = lay_prefix(self.family, self.config, self.module, Path(path))
        return Model(self.family, config, module, self._tokenizer)

    def _read(self, tokens: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Positions [B, P, T] and contexts [B] of rows that begin at `begins`, as the architecture reads bare ids."""
        positions = torch.zeros(len(tokens), self.geometry.channels, tokens.shape[1], dtype=torch.long)
        contexts = torch.zeros(len(tokens), dtype=torch.long)
        for row, begin in enumerate(begins.tolist()):
            places, context = self.geometry.read(tokens[row, begin:].cpu().numpy())
            positions[row, :, begin:] = torch.from_numpy(places)
            contexts[row] = begin + context if context else 0
        return positions, contexts

    def save(self, path: str | Path) -> None:
        """Writes the model into the new directory `path`, which `load` accepts. Raises UserError if it exists."""
        with atomic_directory(Path(path)) as partial:
            directory.write(partial, self.family, self.config, self.module, self._tokenizer, None)

    def add_tokens(self, tokens: Sequence[str]) -> dict[str, int]:
        """Adds special tokens, for training to give them a meaning; returns their ids.

        The model's tables grow by rows of 128 when they are full. A new token begins as the mean of all tokens.
        """
        ids, self.config, self._tokenizer = add_tokens(self.family, self.config, self.module, self.tokenizer, tokens)
        return ids

    def _writer(self, max_tokens: int, min_tokens: int = 1) -> Writer:
        tokenizer = self.tokenizer
        return Writer(
            model=self.module,
            geometry=self.geometry,
            special=tokenizer.special,
            vocab_size=len(tokenizer),
            max_tokens=max_tokens,
            min_tokens=min_tokens,
        )

    def _prompt(self, text: str) -> list[int]:
        """[CLS] text <eod>, as a whole document stands in training; a text that ends with [gMASK] goes on instead."""
        special = self.tokenizer.special
        ids = [special.begin, *self.tokenizer.encode_marked(text)]
        return ids if ids[-1] == special.gmask and special.gmask != special.mask else [*ids, special.eod]

    def _check_lengths(self, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
        limit = self.config.max_positions
        for number, prompt in enumerate(prompts, start=1):
            if len(prompt) > limit:
                raise UserError(f"text {number} has {len(prompt)} tokens, the model reads at most {limit}; shorten it")
        if not 1 <= max_tokens <= limit:
            raise UserError(f"a blank holds from 1 to {limit} tokens in this model, asked for {max_tokens}")

    def _infilling(self, text: str, row: list[Filled]) -> Infilling:
        tokenizer = self.tokenizer
        spans = [tokenizer.decode(filled.ids) for filled in row]
        return Infilling(
            text=_put_together(tokenizer, text, spans),
            spans=[span.strip() for span in spans],
            logprobs=[filled.logprob for filled in row],
            ended=[filled.ended for filled in row],
            ids=[filled.ids for filled in row],
        )

    def _spaced(self, text: str, fillings: Sequence[str]) -> list[str]:
        """The fillings with the white space that stood before their blank, which belongs to them."""
        parts = _split_at_blanks(self.tokenizer, text)
        spaces = [part[len(self.tokenizer.pieces.before_mask(part)) :] for part in parts[:-1]]
        return [space + filling for space, filling in zip(spaces, fillings, strict=False)] + list(
            fillings[len(spaces) :]
        )


def load(
    path: str | Path,
    *,
    dtype: str = "auto",
    device: str = "auto",
    quantize: str | None = None,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    progress: Progress = unwatched,
    **options: Any,
) -> Model:
    """The model in `path`: a model directory of any published layout, or a training run.

    `dtype` "auto" keeps the one it was saved in. `options` override fields of the model's config, such as
    `gelu="erf"` or `max_positions=2048` of a GLM. `model` names the published model where its files do not tell;
    `tokenizer` is the directory of the vocabulary's files where they lie elsewhere. `progress` is told of bytes read
    and their total. Raises UserError or CorruptFile naming the file and what to do.
    """
    kind = None if dtype == "auto" else getattr(torch, dtype, None)
    if dtype != "auto" and not isinstance(kind, torch.dtype):
        raise UserError(f"unknown dtype {dtype!r}; use auto, float32, bfloat16 or float16")
    place = machine.default_device() if device == "auto" else device
    loaded = read(
        Path(path),
        dtype=kind,
        device=place,
        quantize=quantize,
        options=options,
        model=model,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        progress=progress,
    )
    return Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)


def _split_at_blanks(tokenizer: Tokenizer, text: str) -> list[str]:
    """The text before, between and after its blanks."""
    return re.split("|".join(map(re.escape, tokenizer.blanks)), text)


def _put_together(tokenizer: Tokenizer, text: str, spans: Sequence[str]) -> str:
    """The user's text, unchanged, with `spans` in its blanks; where it has white space, a span brings none."""
    before, *rest = _split_at_blanks(tokenizer, text)
    for span, after in zip(spans, rest, strict=True):
        before += (span.lstrip() if not before or before[-1].isspace() else span) + after
    return before


def _as_fillings(text: str, spans: Sequence[Any]) -> tuple[str, list[str]]:
    """Places in a text as a text with [MASK]s and their fillings; fillings stay what they are."""
    if all(isinstance(span, str) for span in spans):
        return text, list(spans)
    places = [(int(start), int(end)) for start, end in spans]
    if places != sorted(places) or any(not 0 <= start < end <= len(text) for start, end in places):
        raise UserError(f"spans {places} must be in text order and inside the {len(text)} characters of the text")
    if any(before[1] > after[0] for before, after in itertools.pairwise(places)):
        raise UserError(f"spans {places} overlap")
    corrupted, last = "", 0
    for start, end in places:
        corrupted += text[last:start] + "[MASK]"
        last = end
    return corrupted + text[last:], [text[start:end] for start, end in places]


def _orders(order: str | int | Sequence[int], count: int, seed: int) -> list[list[int]]:
    if order == "given":
        return [list(range(count))]
    if isinstance(order, str) and order != "sampled":
        raise UserError(f"order must be 'given', 'sampled', a number of orders or a permutation, got {order!r}")
    if isinstance(order, str | int):
        number = 1 if isinstance(order, str) else order
        if number < 1:
            raise UserError(f"order must be at least 1 when it is a number of orders, got {number}")
        rng = np.random.default_rng(seed)
        return [rng.permutation(count).tolist() for _ in range(number)]
    return [list(order)]
