"""Supervised fine-tuning on text: targets of sources and replies of conversations, packed into rows."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from glmkit.core import machine
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.core.processes import Processes
from glmkit.core.random import epoch_generator
from glmkit.core.types import Batch, Example
from glmkit.data.packing import DensePlan, pack
from glmkit.data.sources import documents
from glmkit.data.steps import StepSource
from glmkit.families.adapter import AdapterOf, find_adapter, fingerprint, refuse_adapter
from glmkit.families.detect import detect, read_table
from glmkit.families.directory import cover
from glmkit.families.load import Loaded, open_model, read
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.conversations import Conversation, SFTRow, read_conversations, read_source_targets
from glmkit.finetuning.dataset import held_out_note, hold_out, no_rows
from glmkit.finetuning.finetune_run import FinetuneRun
from glmkit.finetuning.forms import form
from glmkit.finetuning.samples import Samples
from glmkit.finetuning.sft_encoder import EncodedRow, SFTEncoder
from glmkit.objective.loss import Loss
from glmkit.tasks.score import scoring_model_of
from glmkit.train.methods import Tuned, tune
from glmkit.train.shard import checkpoint_blocks
from glmkit.train.trainer import Observer
from glmkit.train.validation import EvalResult, measure_batches

FILE = "writing.json"
_ORDER, _CHECKED = 4, 64  # the purpose of these random numbers; pieces of general text that are measured


@dataclass(kw_only=True)
class SFTRun(FinetuneRun):
    """Rows to write: `train` and `mixed` are learned, `dev` and `general` measured."""

    tuned: Tuned
    encoder: SFTEncoder
    train: list[EncodedRow]
    mixed: list[Example]
    dev: list[EncodedRow]
    rows: Sequence[SFTRow]  # of dev
    general: list[Example]
    notes: tuple[str, ...] = ()  # what a reader should know of the rows
    unit: str = "nats per predicted token"

    @property
    def loaded(self) -> Loaded:
        return self.tuned.loaded

    def restore(self, path: Path, model: nn.Module) -> None:
        self.tuned.restore(path, model)

    @cached_property
    def loss(self) -> nn.Module:
        return Loss(self.loaded.model, self.config.smoothing)

    @cached_property
    def examples(self) -> list[Example]:
        return [example for row in self.train for example in row.examples] + self.mixed

    @property
    def names(self) -> list[str]:
        """Where each example stands."""
        mix = [f"{self.config.data.mix}: piece {number}" for number in range(len(self.mixed))]
        return [row.where for row in self.train for _ in row.examples] + mix

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [len(example) for example in self.examples]

    @property
    def cut(self) -> int:
        """Training rows that lost tokens."""
        return sum(row.cut > 0 for row in self.train)

    @property
    def summary(self) -> str:
        model = self.loaded.model
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        total = sum(p.numel() for p in model.parameters()) + sum(b.numel() for b in model.buffers())
        lost = sum(not row.examples for row in self.train)
        return (
            f"method {self.config.method}: {trainable:,} of {total:,} numbers are trained; {len(self.train)} rows to "
            f"learn from ({lost} without room for an answer), {len(self.mixed)} pieces of general text, "
            f"{len(self.dev)} rows to measure" + "".join(f"; {note}" for note in self.notes)
        )

    @property
    def steps_per_epoch(self) -> int:
        """As many as all tokens take."""
        return math.ceil(sum(self.lengths) / (self.config.batch_size * self.config.length))

    def steps(
        self, place: JsonObject | None, processes: Processes, enough: Callable[[], bool] = lambda: False
    ) -> StepSource:
        """Rows of `length` tokens, as full as they get; every example comes once an epoch, in an order of (seed, epoch)
        alone."""
        c, lengths, place = self.config, np.array(self.lengths), dict(place or {})
        place["waiting"] = [(epoch, index) for epoch, index in place.get("waiting", ())]

        def order(epoch: int) -> np.ndarray:
            return epoch_generator(c.seed, epoch, _ORDER).permutation(len(lengths))

        return StepSource(
            plan=DensePlan(lengths, order, c.batch_size, c.length, **place),
            batch=lambda rows: pack([[self.examples[index] for _, index in row] for row in rows], self._pad),
            lengths=lengths,
            micro_rows=c.micro_batch_size,
            rank=processes.rank,
            world=processes.world,
            names=self.names,
            enough=enough,
        )

    @property
    def _pad(self) -> int:
        return self.encoder.scorer.special.pad

    def observers(self, done: int) -> Sequence[Observer]:
        if not self.config.samples:
            return ()
        return (Samples(Path(self.config.output), self.encoder, self.rows[: self.config.samples], done),)

    @property
    def kept(self) -> Collection[str] | None:
        """Of an adapter its own parameters."""
        if self.config.method == "full":
            return None
        return [name for name, parameter in self.loaded.model.named_parameters() if parameter.requires_grad]

    def measure(self, dtype: torch.dtype, processes: Processes) -> dict[str, EvalResult]:
        """-log p of a target's token, and the share of tokens predicted right: of dev, and of general text."""
        parts = {"dev": [example for row in self.dev for example in row.examples], "general": self.general}
        return {
            name: measure_batches(self.loaded.model, processes.share(list(self._batches(examples))), dtype, processes)
            for name, examples in parts.items()
            if examples
        }

    def better(self, measured: EvalResult) -> float:
        return measured.loss

    def fingerprint(self) -> JsonObject:
        """What run.json says of the rows: how many, from where, and a hash of all that is learned."""
        digest = hashlib.sha256()
        for item in (*self.examples, *(example for row in self.dev for example in row.examples), *self.general):
            digest.update(item.tokens.tobytes() + item.weights.tobytes())
        data = self.config.data
        files = {name: getattr(data, name) for name in ("train", "dev", "mix", "general") if getattr(data, name)}
        return {"train": len(self.train), "dev": len(self.dev), "files": files, "sha256": digest.hexdigest()}

    def write(self, path: Path, record: JsonObject) -> None:
        """Writes the trained model, and the part of the config that says how to prompt it."""
        self.tuned.write(path, record)
        c = self.config
        kept = {"task": c.task, "pattern": c.pattern, "length": c.length, "data": asdict(c.data)}
        (path / FILE).write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        cover(path, FILE)

    def shown(self, index: int) -> list[str]:
        if not 0 <= index < len(self.train):
            raise UserError(f"row {index}: there are {len(self.train)} training rows, numbered from 0")
        row, decode = self.train[index], self.encoder.scorer.tokenizer.decode
        lines = [f"row {row.where}: {sum(map(len, row.examples))} tokens, {row.cut} cut"]
        for example in row.examples:
            lines.append(f"read    {decode(example.tokens.tolist())}")
            counted = np.flatnonzero(example.weights)
            for part in np.split(counted, np.flatnonzero(np.diff(counted) > 1) + 1):
                lines.append(f"learn   {decode(example.targets[part].tolist())}   ({len(part)} tokens)")
        return lines

    def _batches(self, examples: Sequence[Example]) -> Iterator[Batch]:
        """The examples a few at a time, the longest together."""
        ordered = sorted(examples, key=len, reverse=True)
        size = self.config.micro_batch_size
        for at in range(0, len(ordered), size):
            yield pack([[item] for item in ordered[at : at + size]], self._pad)


def open_sft_run(config: FinetuneConfig) -> SFTRun:
    """Opens model and rows. Raises UserError for what is missing or does not fit together."""
    data = config.data
    for split in ("train", "dev"):
        if not getattr(data, split) and not (split == "dev" and data.dev_share):
            raise UserError(no_rows(split))
    loaded, base = start_from(config)
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    if config.length > loaded.config.max_positions:
        raise UserError(
            f"length {config.length} is longer than the {loaded.config.max_positions} positions of the model; lower it"
        )
    tuned = tune(config.method, loaded, base, config.lora, config.ptuning, config.seed)
    if config.checkpoint_activations:
        checkpoint_blocks(tuned.loaded.model)
    encoder = sft_encoder_of(tuned.loaded, config)
    train, notes = rows_of(config, data.train), []
    if data.dev:
        dev = rows_of(config, data.dev)
    else:
        train, dev = hold_out(train, data.dev_share, config.seed)
        notes = [held_out_note(dev, train, config)]
    notes += [f"read as {form}" for form in dict.fromkeys(getattr(row, "form", "") for row in train) if form]
    train, dev = train[: data.limit or None], dev[: data.dev_limit or None]
    encoded = _encoded(config, encoder, train, data.train)
    return SFTRun(
        config=config,
        tuned=tuned,
        encoder=encoder,
        train=encoded,
        mixed=_mixed(config, encoder, sum(len(example) for row in encoded for example in row.examples)),
        dev=_encoded(config, encoder, dev, data.dev or data.train),
        rows=dev,
        notes=tuple(notes),
        general=list(islice(_general(encoder, data.general), _CHECKED)) if data.general else [],
    )


def start_from(config: FinetuneConfig) -> tuple[Loaded, AdapterOf]:
    """The model to train, and what its adapter will say of it.

    In full training everything is in float32; a frozen base is in the type that is computed in. Raises UserError.
    """
    path = Path(config.model)
    refuse_adapter(path)
    detected = detect(path)
    device = machine.device_of(config.device)
    dtype = (
        torch.float32
        if config.method == "full"
        else machine.training_dtype(config.precision, torch.device(device).type)
    )
    full = config.method == "full" and config.dropout and "dropout" in detected.family.options
    loaded = read(
        path,
        dtype=dtype,
        device=device,
        quantize=config.quantize or None,
        activations="exact",
        options={"dropout": config.dropout} if full else {},
    )
    where = str(detected.directory.resolve())
    base = AdapterOf(
        method="ptuning" if config.method == "ptuning" else "lora",
        family=detected.family.name,
        base=where,
        fingerprint="" if config.method == "full" else fingerprint(open_model(path)),
    )
    return loaded, base


def sft_encoder_of(loaded: Loaded, config: FinetuneConfig) -> SFTEncoder:
    """The encoder of the rows of `config` for a model. Raises UserError without a tokenizer."""
    target = min(config.data.target_length, config.length // 2)
    shape = form(config.data.form, config.pattern)
    return SFTEncoder(scorer=scoring_model_of(loaded), form=shape, length=config.length, target_length=target)


def rows_of(config: FinetuneConfig, file: str) -> list[SFTRow]:
    """The conversations or pairs of a file."""
    return [*(read_conversations if config.task == "chat" else read_source_targets)(Path(file), config.data)]


def _encoded(config: FinetuneConfig, encoder: SFTEncoder, rows: Sequence[SFTRow], file: str) -> list[EncodedRow]:
    """The encoded rows. Raises UserError when too many have no room for what is to be learned."""
    encoded = [
        encoder.conversation(row) if isinstance(row, Conversation) else encoder.source_target(row) for row in rows
    ]
    lost = [row.where for row in encoded if not row.examples]
    if len(lost) > config.max_lost * len(encoded):
        raise UserError(
            f"{file}: length={config.length} leaves no room for the answer in {len(lost)} of {len(encoded)} rows "
            f"(first {lost[0]}); raise it, or max_lost to leave such rows out"
        )
    return encoded


def _general(encoder: SFTEncoder, file: str) -> Iterator[Example]:
    for document in documents(Path(file), "blank-line"):
        yield from encoder.text(document.prompt + document.text)


def _mixed(config: FinetuneConfig, encoder: SFTEncoder, tokens: int) -> list[Example]:
    """As much general text as makes its share of all tokens, or all there is."""
    if not config.data.mix:
        return []
    fraction = config.data.mix_share
    missing = tokens * fraction / (1 - fraction)
    taken = []
    for piece in _general(encoder, config.data.mix):
        taken.append(piece)
        missing -= len(piece)
        if missing <= 0:
            break
    return taken


def saved_config(path: Path) -> FinetuneConfig | None:
    """The config that says how to prompt a model trained by such a run; None for other models."""
    place = find_adapter(path) or detect(path).directory
    if not (place / FILE).is_file():
        return None
    table = read_table(place / FILE)
    return replace(from_mapping(FinetuneConfig, table, str(place / FILE)), model=str(path))
