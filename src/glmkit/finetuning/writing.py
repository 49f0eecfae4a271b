"""Writing as a run learns it: targets of sources, replies of conversations, packed into rows."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from glmkit.core import machine
from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError
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
from glmkit.finetuning.dataset import held_out_note, hold_out, no_rows
from glmkit.finetuning.finetune_run import FinetuneRun, dtype_of
from glmkit.finetuning.forms import form
from glmkit.finetuning.samples import Samples
from glmkit.finetuning.scribe import Scribe, Written
from glmkit.finetuning.talks import Pair, Talk, read_pairs, read_talks
from glmkit.tasks.score import subject_of
from glmkit.train.heldout import Measure, measure_batches
from glmkit.train.methods import Tuned, tune
from glmkit.train.parallel import Loss, Processes
from glmkit.train.pretrain import checkpoint_blocks
from glmkit.train.trainer import Observer

FILE = "writing.json"
_ORDER, _CHECKED = 4, 64  # the purpose of these random numbers; pieces of general text that are measured


@dataclass(kw_only=True)
class Writing(FinetuneRun):
    """Rows to write: `train` and `mixed` are learned, `dev` and `general` measured."""

    tuned: Tuned
    scribe: Scribe
    train: list[Written]
    mixed: list[Example]
    dev: list[Written]
    rows: Sequence[Pair | Talk]  # of dev
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
        return [each for row in self.train for each in row.examples] + self.mixed

    @property
    def names(self) -> list[str]:
        """Where each example stands."""
        mix = [f"{self.config.data.mix}: piece {number}" for number in range(len(self.mixed))]
        return [row.where for row in self.train for _ in row.examples] + mix

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [len(each) for each in self.examples]

    @property
    def cut(self) -> int:
        """Training rows that lost tokens."""
        return sum(row.cut > 0 for row in self.train)

    @property
    def told(self) -> str:
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
        self, place: dict[str, Any] | None, processes: Processes, enough: Callable[[], bool] = lambda: False
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
        return self.scribe.subject.special.pad

    def observers(self, done: int) -> Sequence[Observer]:
        if not self.config.samples:
            return ()
        return (Samples(Path(self.config.output), self.scribe, self.rows[: self.config.samples], done),)

    def measure(self, dtype: torch.dtype) -> dict[str, Measure]:
        """-log p of a target's token, and the share of tokens predicted right: of dev, and of general text."""
        parts = {"dev": [each for row in self.dev for each in row.examples], "general": self.general}
        return {
            name: measure_batches(self.loaded.model, self._batches(examples), dtype)
            for name, examples in parts.items()
            if examples
        }

    def better(self, measured: Measure) -> float:
        return measured.loss

    def fingerprint(self) -> dict[str, Any]:
        """What run.json says of the rows: how many, from where, and a hash of all that is learned."""
        digest = hashlib.sha256()
        for each in (*self.examples, *(example for row in self.dev for example in row.examples), *self.general):
            digest.update(each.tokens.tobytes() + each.weights.tobytes())
        data = self.config.data
        files = {name: getattr(data, name) for name in ("train", "dev", "mix", "general") if getattr(data, name)}
        return {"train": len(self.train), "dev": len(self.dev), "files": files, "sha256": digest.hexdigest()}

    def write(self, path: Path, record: dict[str, Any]) -> None:
        """What is kept of the model, and how it was asked."""
        self.tuned.write(path, record)
        c = self.config
        kept = {"task": c.task, "pattern": c.pattern, "length": c.length, "data": asdict(c.data)}
        (path / FILE).write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        cover(path, FILE)

    def shown(self, index: int) -> list[str]:
        if not 0 <= index < len(self.train):
            raise UserError(f"row {index}: there are {len(self.train)} training rows, numbered from 0")
        row, decode = self.train[index], self.scribe.subject.tokenizer.decode
        lines = [f"row {row.where}: {sum(map(len, row.examples))} tokens, {row.cut} cut"]
        for each in row.examples:
            lines.append(f"read    {decode(each.tokens.tolist())}")
            learned = np.flatnonzero(each.weights)
            for part in np.split(learned, np.flatnonzero(np.diff(learned) > 1) + 1):
                lines.append(f"learn   {decode(each.targets[part].tolist())}   ({len(part)} tokens)")
        return lines

    def _batches(self, examples: Sequence[Example]) -> Iterator[Batch]:
        """The examples a few at a time, the longest together."""
        ordered = sorted(examples, key=len, reverse=True)
        size = self.config.micro_batch_size
        for at in range(0, len(ordered), size):
            yield pack([[each] for each in ordered[at : at + size]], self._pad)


def writing(config: FinetuneConfig) -> Writing:
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
    scribe = scribe_of(tuned.loaded, config)
    train, notes = rows_of(config, data.train), []
    if data.dev:
        dev = rows_of(config, data.dev)
    else:
        train, dev = hold_out(train, data.dev_share, config.seed)
        notes = [held_out_note(dev, train, config)]
    notes += [f"read as {form}" for form in dict.fromkeys(getattr(row, "form", "") for row in train) if form]
    train, dev = train[: data.limit or None], dev[: data.dev_limit or None]
    learned = _learned(config, scribe, train, data.train)
    return Writing(
        config=config,
        tuned=tuned,
        scribe=scribe,
        train=learned,
        mixed=_mixed(config, scribe, sum(len(each) for row in learned for each in row.examples)),
        dev=_learned(config, scribe, dev, data.dev or data.train),
        rows=dev,
        notes=tuple(notes),
        general=list(islice(_general(scribe, data.general), _CHECKED)) if data.general else [],
    )


def start_from(config: FinetuneConfig) -> tuple[Loaded, AdapterOf]:
    """The model to train, and what its adapter will say of it.

    In full training everything is in float32; a frozen base is in the type that is computed in. Raises UserError.
    """
    path = Path(config.model)
    refuse_adapter(path)
    found = detect(path)
    device = machine.device_of(config.device)
    dtype = torch.float32 if config.method == "full" else dtype_of(config, torch.device(device))
    full = config.method == "full" and config.dropout and "dropout" in found.family.options
    loaded = read(
        path,
        dtype=dtype,
        device=device,
        quantize=config.quantize or None,
        activations="exact",
        options={"dropout": config.dropout} if full else {},
    )
    where = str(found.directory.resolve())
    base = AdapterOf(
        method="ptuning" if config.method == "ptuning" else "lora",
        family=found.family.name,
        base=where,
        fingerprint="" if config.method == "full" else fingerprint(open_model(path)),
    )
    return loaded, base


def scribe_of(loaded: Loaded, config: FinetuneConfig) -> Scribe:
    """What writes the rows of `config` out for a model. Raises UserError without a tokenizer."""
    target = min(config.data.target_length, config.length // 2)
    shape = form(config.data.form, config.pattern)
    return Scribe(subject=subject_of(loaded), form=shape, length=config.length, target_length=target)


def rows_of(config: FinetuneConfig, file: str) -> list[Any]:
    """The conversations or pairs of a file."""
    return [*(read_talks if config.task == "chat" else read_pairs)(Path(file), config.data)]


def _learned(config: FinetuneConfig, scribe: Scribe, rows: Sequence[Any], file: str) -> list[Written]:
    """The rows written out. Raises UserError when too many have no room for what is to be learned."""
    found = [scribe.talk(row) if config.task == "chat" else scribe.pair(row) for row in rows]
    lost = [row.where for row in found if not row.examples]
    if len(lost) > config.max_lost * len(found):
        raise UserError(
            f"{file}: length={config.length} leaves no room for the answer in {len(lost)} of {len(found)} rows (first "
            f"{lost[0]}); raise it, or max_lost to leave such rows out"
        )
    return found


def _general(scribe: Scribe, file: str) -> Iterator[Example]:
    for document in documents(Path(file), "blank-line"):
        yield from scribe.text(document.prompt + document.text)


def _mixed(config: FinetuneConfig, scribe: Scribe, tokens: int) -> list[Example]:
    """As much general text as makes its share of all tokens, or all there is."""
    if not config.data.mix:
        return []
    share = config.data.mix_share
    missing = tokens * share / (1 - share)
    taken = []
    for piece in _general(scribe, config.data.mix):
        taken.append(piece)
        missing -= len(piece)
        if missing <= 0:
            break
    return taken


def asked_of(path: Path) -> FinetuneConfig | None:
    """How a model that was trained to write was asked; None for other models."""
    place = find_adapter(path) or detect(path).directory
    if not (place / FILE).is_file():
        return None
    table = read_table(place / FILE)
    return replace(from_mapping(FinetuneConfig, table, str(place / FILE)), model=str(path))
