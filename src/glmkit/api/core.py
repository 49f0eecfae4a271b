"""What all of a model's abilities stand on: the module, its config and positions, its tokenizer, its limits."""

from collections.abc import Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from glmkit.api.arguments import checked
from glmkit.api.ids import check_positions, read_bounds, read_ids, read_positions
from glmkit.core.errors import UserError, argument
from glmkit.core.files import atomic_directory
from glmkit.core.forked import computing
from glmkit.core.json_types import Table
from glmkit.core.machine import give_back_memory
from glmkit.core.renamed import Renamed
from glmkit.core.sharded import compute_device
from glmkit.core.types import AttentionMask
from glmkit.families import directory
from glmkit.families.prefix import attach_prefix
from glmkit.families.spec import FamilySpec, ModelConfig, OwnModel
from glmkit.families.vocabulary import add_tokens
from glmkit.generate.draft_model import DraftModel
from glmkit.generate.follow import read
from glmkit.generate.prefix_cache import ReadRow
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.nn.lora import Adapter, find_adapter
from glmkit.objective.read_request import Reader
from glmkit.quantization.plan import quantization_config
from glmkit.text.chat import chat_format
from glmkit.text.conversation import ChatFormat
from glmkit.text.prompts import PromptFormat
from glmkit.text.tokenizer import Tokenizer

MAX_ROWS = 64  # sequences written at once
_SIZES = ("num_layers", "hidden_size", "vocab_size", "max_positions")  # what every family's config has


class Core:
    """A model with its tokenizer; `module` and `logits` are for those who want numbers."""

    geometry = Renamed("position_scheme")  # alias
    infill_run: Table | None = None  # run.json, of a causal model that learned to fill blanks

    def __init__(
        self, family: FamilySpec, config: ModelConfig, module: OwnModel, tokenizer: Tokenizer | None, missing: str = ""
    ) -> None:
        """`missing`: of a model without a tokenizer, which file is not there and where it goes."""
        self.family, self.config, self.module = family, config, module
        self.position_scheme = family.positions(config)
        self._tokenizer, self._missing = tokenizer, missing
        self.adapters: dict[str, Adapter] = {}  # that sequences may be written with, by name
        self._scheduler: Scheduler | None = None  # with what the last chat has read
        self._draft: DraftModel | None = None
        self._reader: Reader | None = None

    def __repr__(self) -> str:
        parameter = next(self.module.parameters())
        size = ", ".join(f"{name}={getattr(self.config, name)}" for name in _SIZES)
        text = "none" if self._tokenizer is None else f"{len(self._tokenizer)} ids"
        quantized = quantization_config(self.module)
        kind = f"{str(parameter.dtype)[6:]} on {parameter.device}"
        kind += f", linear layers in {quantized['bits']} bits" if quantized else ""
        return f"<glmkit.Model of family {self.family.name}: {size}, tokenizer={text}, {kind}>"

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises UserError when the model's directory had none."""
        if self._tokenizer is None:
            raise UserError(
                f"this model has no tokenizer: {self._missing or 'none was given'}; ids still work (m.logits)"
            )
        return self._tokenizer

    @property
    def scheduler(self) -> Scheduler:
        """The engine that writes everything this model is asked to write."""
        if self._scheduler is None:
            self._scheduler = Scheduler(self.module, max_rows=MAX_ROWS, adapters=self.adapters, draft=self._draft)
        return self._scheduler

    @property
    def reader(self) -> Reader:
        """What reads that only reads: the engine, unless this model was given another (`_reading_by`)."""
        return self._reader or partial(read, self.scheduler)

    def _reading_by(self, reader: Reader) -> Self:
        """This model over again, but read by `reader`."""
        other = copy(self)
        other._reader = reader
        return other

    @property
    def _memories(self) -> list[ReadRow]:
        """The kept rows, as version 0.1 called them."""
        return self.scheduler.prefix_cache.rows

    def __getstate__(self) -> dict[str, object]:
        """For pickle and copies, into another process among them: all but what the last chat left behind."""
        return self.__dict__ | {"_scheduler": None, "adapters": dict(self.adapters)}

    def free(self) -> None:
        """Gives back the memory of the last conversation, which is otherwise kept so that going on with it is quick:
        28 KiB a token of a ChatGLM2-6B in 16 bits. The next one is read from its beginning."""
        self.scheduler.prefix_cache.clear()
        give_back_memory()

    @torch.inference_mode()
    def logits(
        self,
        token_ids: Tensor | Sequence[Sequence[int]],
        positions: Tensor | Sequence[object] | None = None,
        context: int | Sequence[int] | Tensor | None = None,
        begin: int | Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """Logits [B, T, V] of ids [B, T], as the model computes them; needs no tokenizer.

        Tokens before `begin` (default 0) are padding; the first `context` tokens of all see each other both ways.
        Both are one number, or one a row. `positions` [B, P, T], or [1, P, T] for all rows alike (of a model with one
        channel also [B, T] and [T]), and `context` default to what the architecture reads from ids alone: GLM
        0 .. T-1, 0 and no context; ChatGLM-6B the prompt before <sop> as context and the answer at its blank, as the
        official code does; ChatGLM2 and 3 0 .. T-1. Raises UserError for ids it cannot read, for shapes that do not
        fit each other, and for positions that the model has not.
        """
        computing()
        tokens = read_ids(token_ids, self.config.vocab_size)
        rows, length = tokens.shape
        begins = read_bounds(0 if begin is None else begin, "begin", rows, length - 1)
        places = None if positions is None else read_positions(positions, rows, length, self.position_scheme.channels)
        contexts = None if context is None else read_bounds(context, "context", rows, length)
        if places is None and length > self.config.max_positions + 1:
            raise UserError(f"token_ids has {length} columns, the model reads at most {self.config.max_positions}")
        if places is not None:
            check_positions(places, self.config.max_positions)
        if places is None or contexts is None:
            defaults = self._read(tokens, begins)
            places, contexts = defaults[0] if places is None else places, defaults[1] if contexts is None else contexts
        device = compute_device(self.module)
        hidden = self.module(tokens.to(device), places.to(device), AttentionMask.prefix(contexts, begins))
        return self.module.logits(hidden)

    def with_prefix(self, path: str | Path) -> Self:
        """The model behind the prefix of the P-tuning checkpoint in the directory `path`; they share their weights.

        Raises UserError for a directory without one, CorruptFile for a prefix of another model.
        """
        checked(path=path)
        config, module = attach_prefix(self.family, self.config, self.module, Path(path))
        return type(self)(self.family, config, module, self._tokenizer)

    def _read(self, tokens: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Positions [B, P, T] and contexts [B] of rows that begin at `begins`, as the architecture reads bare ids."""
        positions = torch.zeros(len(tokens), self.position_scheme.channels, tokens.shape[1], dtype=torch.long)
        contexts = torch.zeros(len(tokens), dtype=torch.long)
        for row, begin in enumerate(begins.tolist()):
            try:
                places, context = self.position_scheme.read(tokens[row, begin:].cpu().numpy())
            except UserError as error:
                start = f" from {argument('begin')} on" if begin else ""
                raise UserError(f"token_ids, row {row}{start}: {error}") from None
            positions[row, :, begin:] = torch.from_numpy(places)
            contexts[row] = begin + context if context else 0
        return positions, contexts

    def save(self, path: str | Path) -> None:
        """Writes the model into the new directory `path`, which `load` accepts. Raises UserError if it exists."""
        checked(path=path)
        with atomic_directory(Path(path)) as partial:
            self._write(partial)

    def _write(self, where: Path) -> None:
        directory.write(where, self.family, self.config, self.module, self._tokenizer, self.infill_run)

    def add_tokens(self, tokens: Sequence[str]) -> dict[str, int]:
        """Adds special tokens, for training to give them a meaning; returns their ids.

        The model's tables grow by rows of 128 when they are full. A new token begins as the mean of all tokens. Raises
        UserError for a token that is there already.
        """
        checked(tokens=tokens)
        ids, self.config, self._tokenizer = add_tokens(self.family, self.config, self.module, self.tokenizer, tokens)
        return ids

    @property
    def prompt_format(self) -> PromptFormat:
        """How the model's family frames a text. Raises UserError without a tokenizer."""
        return self.family.prompt(self.tokenizer.special)

    @property
    def chat_format(self) -> ChatFormat:
        """How the model writes a conversation. Raises UserError for a model that was not trained to chat."""
        return chat_format(self.tokenizer, self.prompt_format.chat)

    def _check_adapter(self, name: str | None) -> None:
        """Raises UserError for the name of an adapter that the model does not have."""
        checked(adapter=name)
        find_adapter(self.adapters, name)

    def _decode_config(self, max_tokens: int, min_tokens: int = 0) -> DecodeConfig:
        tokenizer = self.tokenizer
        return DecodeConfig(
            model=self.module,
            position_scheme=self.position_scheme,
            special=tokenizer.special,
            vocab_size=len(tokenizer),
            max_tokens=max_tokens,
            min_tokens=min_tokens,
            max_length=self.config.max_positions,
        )
