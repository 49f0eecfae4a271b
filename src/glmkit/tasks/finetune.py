"""Fine-tuning: a model made to answer a task, by the trainer that pretrains."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core import machine
from glmkit.core.config import to_mapping
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory
from glmkit.families import directory
from glmkit.families.load import Loaded, read
from glmkit.tasks.batching import Rows
from glmkit.tasks.config import FREE, FinetuneConfig
from glmkit.tasks.dataset import Dataset, open_dataset
from glmkit.tasks.instance import Instance
from glmkit.tasks.learner import Learner, Taught
from glmkit.tasks.metrics import METRICS, Judged
from glmkit.tasks.prompted import add_prompts, is_prompt, plain_weights, restore_prompted, write_prompts
from glmkit.tasks.saved import Saved
from glmkit.tasks.score import Subject
from glmkit.train.heldout import Measure
from glmkit.train.logs import read_log
from glmkit.train.optimizer import adamw
from glmkit.train.parallel import join, replicate
from glmkit.train.run import Watchers, begin, carry_out, versions
from glmkit.train.schedule import learning_rate
from glmkit.train.trainer import Trainer

DEV = "dev"  # the name of the measured rows in the log


@dataclass(frozen=True)
class Prepared:
    """A run made ready: what it starts from, reads and learns."""

    loaded: Loaded
    dataset: Dataset
    saved: Saved
    learner: Learner
    examples: list[Taught]

    @property
    def cut(self) -> int:
        """Training rows that were too long and lost tokens."""
        return sum(each.cut > 0 for each in self.examples)


def prepare(config: FinetuneConfig) -> Prepared:
    """Opens model and rows. Raises UserError for what is missing or does not fit together."""
    if not config.model:
        raise UserError("no model: give the directory of the one to start from")
    dataset = open_dataset(config)
    labels = len(dataset.task.labels) if config.task == "classify" else 0
    loaded = start_from(config, labels)
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    if config.task == "cloze" and loaded.tokenizer.special.cls is None:
        raise UserError(f"a model of family {loaded.family.name} fills no blanks: use task=classify")
    longest = loaded.config.max_positions
    if config.length > longest:
        raise UserError(f"length {config.length} is longer than the {longest} positions of the model; lower it")
    saved = Saved(
        kind=config.task,
        name="" if dataset.custom else dataset.task.name,
        custom=dataset.custom,
        pattern=dataset.pattern,
        length=config.length,
        pool=config.pool or ("cls" if loaded.tokenizer.special.cls is not None else "end"),
        penalty=config.penalty,
        prompts=config.prompts,
        prefix=config.prefix,
        prompt_kind=config.prompt_kind,
    )
    if saved.prompted:
        add_prompts(loaded.model, config.prompts + config.prefix, config.prompt_kind, config.seed)
    if config.freeze:
        _freeze(loaded.model)
    learner = saved.learner(subject_of(loaded), config.loss)
    return Prepared(loaded, dataset, saved, learner, learner.encode(dataset.train))


def subject_of(loaded: Loaded) -> Subject:
    """The model as tasks see it. Raises UserError without a tokenizer."""
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    return Subject(
        model=loaded.model,
        geometry=loaded.family.geometry(loaded.config),
        tokenizer=loaded.tokenizer,
        max_length=loaded.config.max_positions,
    )


def start_from(config: FinetuneConfig, labels: int) -> Loaded:
    """The model to train, in float32, with a new head of `labels` classes where its own has another number."""
    device = machine.default_device() if config.device == "auto" else config.device
    loaded = read(Path(config.model), dtype=torch.float32, device=device)
    before = getattr(loaded.config, "num_labels", 0)
    if labels and not hasattr(loaded.config, "num_labels"):
        raise UserError(f"a model of family {loaded.family.name} has no classification head: use a GLM or a ChatGLM2")
    try:
        changed = replace(loaded.config, dropout=config.dropout)
    except TypeError:
        changed = loaded.config
    changed = replace(changed, num_labels=labels) if labels != before else changed
    model = loaded.family.build(changed)
    generator = torch.Generator().manual_seed(config.seed)
    loaded.family.initialise(model, generator)
    weights = loaded.model.state_dict()
    if labels != before:
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    model.load_state_dict(weights, strict=False)
    return replace(loaded, config=changed, model=model.to(device))


def _freeze(model: torch.nn.Module) -> None:
    """Leaves the head, or the continuous prompts, alone to be trained."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("classifier.") or is_prompt(name))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError("freeze=true leaves nothing to train: use task=classify, or prompts")


def finetune(config: FinetuneConfig, observers: Watchers = lambda trainer, done: ()) -> Path:
    """Trains as `config` says and returns the directory of the best model.

    Raises UserError for a mistake in config or data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    processes = join()
    if processes.world > 1:
        raise UserError("fine-tuning runs in one process: start it without torchrun")
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    prepared = prepare(config)
    model, run = prepared.loaded.model, Path(config.output)
    device = next(model.parameters()).device
    record = {"config": to_mapping(config), "versions": versions(), "data": fingerprint(prepared.dataset)}
    store = CheckpointStore(run, config.keep_last)
    optimizer = adamw(model, config.optimizer)
    restore = restore_prompted if prepared.saved.prompted else directory.restore
    state = begin(store, record, config.resume, FREE, model, optimizer, processes, restore)
    rows = Rows(
        prepared.learner,
        prepared.examples,
        config.batch_size,
        config.micro_batch_size,
        config.seed,
        **(state["data"] or {}),
    )
    every = config.evaluate_every or rows.steps_per_epoch
    steps = config.epochs * rows.steps_per_epoch
    best = Patience(config.patience, [-event["accuracy"] for event in _measured(run, state["step"])])
    rows.enough = lambda: best.exhausted
    chosen = config.metric or prepared.dataset.task.metrics[0]
    if chosen not in METRICS:
        raise UserError(f"unknown metric {chosen!r}; known: {', '.join(METRICS)}")

    def measured() -> dict[str, Measure]:
        found = measure(prepared.learner, prepared.dataset, chosen, model)
        best.take(-found.accuracy)
        return {DEV: found}

    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": machine.fastest_dtype(device.type)}[
        config.precision
    ]
    width = prepared.loaded.config.hidden_size
    trainer = Trainer(
        model=model,
        loss=replicate(prepared.learner.loss, processes),  # type: ignore[arg-type]
        optimizer=optimizer,
        learning_rate=lambda step: learning_rate(config.schedule, step, steps),
        steps=steps,
        grad_clip=config.optimizer.grad_clip,
        dtype=dtype,
        seed=config.seed,
        processes=processes,
        store=store,
        write_model=lambda path: _write(path, prepared, prepared.saved, record),
        measure=measured,
        heldout_every=every,
        save_every=every,
        log_every=config.log_every,
        flops_per_token=6.0 * sum(p.numel() for p in model.parameters() if p.dim() > 1),
        peak_flops=machine.matmul_rate([(1024, width, 4 * width)], dtype, device.type),
        rank=lambda measures: -measures[DEV].accuracy if measures else None,
    )
    carry_out(trainer, rows, state, run, observers, config.tensorboard, processes)
    return _keep_best(store, prepared, record, run)


@dataclass
class Patience:
    """Counts measurements (lower is better) since the best one; `history` are those of the run so far."""

    allowed: int
    history: list[float]

    def take(self, value: float) -> None:
        self.history.append(value)

    @property
    def exhausted(self) -> bool:
        if not self.allowed or not self.history:
            return False
        return len(self.history) - 1 - int(np.argmin(self.history)) >= self.allowed


@torch.no_grad()
def measure(learner: Learner, dataset: Dataset, metric: str, model: torch.nn.Module) -> Measure:
    """`loss`: -log p of the right answer; `accuracy`: the metric asked for; over the rows of dev."""
    was_training = model.training
    model.eval()
    given = learner.predict(dataset.dev)
    model.train(was_training)
    judged = [Judged(instance, predicted) for instance, (predicted, _) in zip(dataset.dev, given, strict=True)]
    return Measure(_nats([chances for _, chances in given], dataset.dev), METRICS[metric](judged), len(judged))


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What run.json says of the rows: how many, from where, and a hash of them all."""
    rows = [[dict(each.fields), list(each.choices), each.gold] for each in (*dataset.train, *dataset.dev)]
    text = json.dumps(rows, ensure_ascii=False)
    return {
        "train": len(dataset.train),
        "dev": len(dataset.dev),
        "files": dataset.sources,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _nats(chances: Sequence[np.ndarray], instances: Sequence[Instance]) -> float:
    """-log p of the right answer, averaged over the rows that have one among their choices."""
    right = [p[i.gold] for p, i in zip(chances, instances, strict=True) if i.gold is not None and i.gold < len(p)]
    return float(-np.mean(np.log(np.maximum(right, 1e-30)))) if right else 0.0


def _measured(run: Path, done: int) -> list[Mapping[str, Any]]:
    return [event for event in read_log(run) if event["kind"] == "heldout" and event["step"] <= done]


def _write(path: Path, prepared: Prepared, saved: Saved, record: dict[str, Any]) -> None:
    loaded = prepared.loaded
    weights = plain_weights(loaded.model, path) if saved.prompted else loaded.model
    directory.write(path, loaded.family, loaded.config, weights, loaded.tokenizer, record)
    if saved.prompted:
        write_prompts(loaded.model, path)
    saved.write(path)


def _keep_best(store: CheckpointStore, prepared: Prepared, record: dict[str, Any], run: Path) -> Path:
    """Writes RUN/model from the best checkpoint, its probabilities calibrated on dev."""
    model, dev = prepared.loaded.model, prepared.dataset.dev
    path = store.best()
    if path is not None:
        (restore_prompted if prepared.saved.prompted else directory.restore)(path, model)
    model.eval()
    saved = prepared.saved
    if prepared.dataset.task.labels and not prepared.dataset.task.match:
        chances = [chances for _, chances in prepared.learner.predict(dev)]
        saved = saved.calibrated(chances, [instance.gold or 0 for instance in dev])
    with atomic_directory(run / "model", replace=True) as partial:
        _write(partial, prepared, saved, record)
    return run / "model"
