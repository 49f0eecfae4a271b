"""Fine-tuning: a model made to answer a task, by the trainer that pretrains."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core import machine
from glmkit.core.config import to_mapping
from glmkit.core.errors import UserError, nearest
from glmkit.core.files import atomic_directory
from glmkit.families import directory
from glmkit.families.load import Loaded, read
from glmkit.tasks.batching import Rows
from glmkit.tasks.config import FREE, FinetuneConfig
from glmkit.tasks.dataset import Dataset, open_dataset
from glmkit.tasks.evaluate import long_words
from glmkit.tasks.instance import Instance
from glmkit.tasks.learner import Learner, Taught
from glmkit.tasks.metrics import METRICS, Judged
from glmkit.tasks.prompted import add_prompts, is_prompt, plain_weights, restore_prompted, write_prompts
from glmkit.tasks.samples import Samples
from glmkit.tasks.saved import Saved, read_saved
from glmkit.tasks.score import subject_of
from glmkit.tasks.writing import Writing, dtype_of, writing
from glmkit.train.heldout import Measure
from glmkit.train.logs import measures_of
from glmkit.train.optimizer import adamw
from glmkit.train.parallel import Processes, join, replicate
from glmkit.train.run import Watchers, begin, carry_out, refuse_others, versions
from glmkit.train.schedule import learning_rate
from glmkit.train.trainer import Observer, Trainer

DEV = "dev"  # the name of the measured rows in the log


@dataclass(frozen=True)
class Prepared:
    """A run made ready: what it starts from, reads and learns."""

    config: FinetuneConfig
    loaded: Loaded
    dataset: Dataset
    saved: Saved
    learner: Learner
    examples: list[Taught]

    @property
    def loss(self) -> nn.Module:
        return self.learner.loss

    def restore(self, path: Path, model: nn.Module) -> None:
        """Puts back what `write` wrote.

        Raises UserError where other words filled the blank then: version 0.1.0 wrote labels that are booleans True and
        False, and a label without a word is its own.
        """
        before, now = (
            [*saved.custom.words.values()] if saved.custom else [] for saved in (read_saved(path), self.saved)
        )
        if self.saved.kind == "cloze" and before != now:
            raise UserError(
                f"{path} has learned the words {', '.join(before)}, and the labels of the rows are "
                f"{', '.join(now)} now: begin the run again in another output"
            )
        (restore_prompted if self.saved.prompted else directory.restore)(path, model)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each training row."""
        return [each.length for each in self.examples]

    @property
    def told(self) -> str:
        dataset = self.dataset
        return (
            f"task {dataset.task.name}: {len(dataset.train)} rows to learn from, {len(dataset.dev)} to measure; "
            f"labels {', '.join(dataset.task.labels) or 'of each row its own choices'}"
            + "".join(f"; {line}" for line in (*self.long_words, *dataset.notes))
        )

    @property
    def long_words(self) -> list[str]:
        """What is to be said of label words that are no single token."""
        words = self.dataset.task.patterns[self.saved.pattern].words if self.saved.kind == "cloze" else ()
        return long_words(self.learner.subject.tokenizer, words)

    def steps(self, state: dict[str, Any] | None, processes: Processes) -> Rows:
        sizes = (self.config.batch_size, self.config.micro_batch_size)
        return Rows(self.learner, self.examples, *sizes, self.config.seed, processes, **(state or {}))

    @property
    def metric(self) -> str:
        return self.config.metric or self.dataset.task.metrics[0]

    @property
    def unit(self) -> str:
        """What the training loss is counted in."""
        nats = self.saved.kind == "classify" or self.config.loss in ("cross_entropy", "generative")
        return "nats per row" if nats else f"{self.config.loss} per row; held out: nats"

    def measure(self, dtype: torch.dtype) -> dict[str, Measure]:
        return {DEV: measure(self.learner, self.dataset, self.metric, self.loaded.model)}

    def rank(self, measured: Measure) -> float:
        """Lower is better."""
        return -measured.value(self.metric)

    def fingerprint(self) -> dict[str, Any]:
        return fingerprint(self.dataset)

    def write(self, path: Path, record: dict[str, Any]) -> None:
        _write(path, self, self.saved, record)

    def finished(self) -> "Prepared":
        """With its probabilities calibrated on dev."""
        dev = self.dataset.dev
        if not self.dataset.task.labels or self.dataset.task.match:
            return self
        chances = [chances for _, chances in self.learner.predict(dev)]
        return replace(self, saved=self.saved.calibrated(chances, [instance.gold or 0 for instance in dev]))

    @property
    def cut(self) -> int:
        """Training rows that were too long and lost tokens."""
        return sum(each.cut > 0 for each in self.examples)


def prepare(config: FinetuneConfig) -> Prepared | Writing:
    """Opens model and rows. Raises UserError for what is missing or does not fit together."""
    if not config.model:
        raise UserError("no model: give the directory of the one to start from")
    machine.use_threads(config.threads)
    machine.device_of(config.device)  # a device there is not is told before rows are read
    return writing(config) if config.task in ("seq2seq", "chat") else _answering(config)


def _answering(config: FinetuneConfig) -> Prepared:
    """Of rows with answers."""
    if config.metric and config.metric not in METRICS:
        raise UserError(f"unknown metric {config.metric!r}{nearest(config.metric, METRICS)}")
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
    if config.pool == "cls" and loaded.tokenizer.special.cls is None:
        raise UserError("pool=cls is the first token, which in a ChatGLM2 or 3 has seen nothing of the text: use end")
    saved = Saved(
        kind="cloze" if config.task == "cloze" else "classify",
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
    return Prepared(config, loaded, dataset, saved, learner, learner.encode(dataset.train))


def start_from(config: FinetuneConfig, labels: int) -> Loaded:
    """The model to train, in float32, with a new head of `labels` classes where its own has another number."""
    device = machine.device_of(config.device)
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


def finetune(
    config: FinetuneConfig,
    observers: Watchers = lambda trainer, done: (),
    told: Callable[[str], None] = lambda line: None,
) -> Path:
    """Trains as `config` says and returns the directory of the best model; `told` hears how many rows there are.

    Raises UserError for a mistake in config or data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    refuse_others(config.output)
    processes = join()
    if config.batch_size % processes.world:
        raise UserError(f"batch_size {config.batch_size} must be a multiple of the {processes.world} processes")
    prepared = prepare(config)
    if processes.first:
        told(f"{prepared.told}; {prepared.cut} are longer than {config.length} tokens and are cut")
    model, run = prepared.loaded.model, Path(config.output)
    device = next(model.parameters()).device
    record = {"config": to_mapping(config), "versions": versions(), "data": prepared.fingerprint()}
    store = CheckpointStore(run, config.keep_last)
    optimizer = adamw(model, config.optimizer)
    with begin(store, record, config.resume, FREE, model, optimizer, processes, prepared.restore) as state:
        rows = prepared.steps(state["data"], processes)
        every = config.evaluate_every or rows.steps_per_epoch
        steps = config.epochs * rows.steps_per_epoch
        before = _measured(run, state["step"])
        best = Patience(config.patience, [prepared.rank(found) for found in before])
        rows.enough = lambda: processes.agree(best.exhausted)  # the first process alone measures
        dtype = dtype_of(config, device)

        def measured() -> dict[str, Measure]:
            found = prepared.measure(dtype)
            best.take(prepared.rank(found[DEV]))
            return found

        width = prepared.loaded.config.hidden_size
        trainer = Trainer(
            model=model,
            loss=replicate(prepared.loss, processes, idle=True),
            optimizer=optimizer,
            learning_rate=lambda step: learning_rate(config.schedule, step, steps),
            steps=steps,
            grad_clip=config.optimizer.grad_clip,
            dtype=dtype,
            seed=config.seed,
            processes=processes,
            store=store,
            write_model=lambda path: prepared.write(path, record),
            measure=measured,
            heldout_every=every,
            save_every=every,
            log_every=config.log_every,
            flops_per_token=6.0 * sum(p.numel() for p in model.parameters() if p.dim() > 1),
            peak_flops=machine.matmul_rate([(1024, width, 4 * width)], dtype, device.type),
            rank=lambda measures: prepared.rank(measures[DEV]) if measures else None,
        )

        def watching(trainer: Trainer, done: int) -> list[Observer]:
            own = [Samples(run, prepared, done)] if isinstance(prepared, Writing) and config.samples else []
            return [*own, *observers(trainer, done)]

        carry_out(trainer, rows, state, run, watching, config.tensorboard, processes, prepared.unit)
        if processes.first:
            _keep_best(store, prepared, record, run)
        processes.wait()
        return run / "model"


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
    """`loss`: -log p of the right answer; `scores`: the metric asked for, where it is not the accuracy; of dev."""
    was_training = model.training
    model.eval()
    given = learner.predict(dataset.dev)
    model.train(was_training)
    judged = [Judged(instance, predicted) for instance, (predicted, _) in zip(dataset.dev, given, strict=True)]
    scores = {} if metric == "accuracy" else {metric: METRICS[metric](judged)}
    nats = _nats([chances for _, chances in given], dataset.dev)
    return Measure(nats, sum(row.right for row in judged) / len(judged), len(judged), scores)


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


def _measured(run: Path, done: int) -> list[Measure]:
    """What was measured of dev up to step `done`."""
    return [measured for step, measured in measures_of(run, DEV) if step <= done]


def _write(path: Path, prepared: Prepared, saved: Saved, record: dict[str, Any]) -> None:
    loaded = prepared.loaded
    weights = plain_weights(loaded.model, path) if saved.prompted else None
    directory.write(path, loaded.family, loaded.config, loaded.model, loaded.tokenizer, record, weights)
    if saved.prompted:
        write_prompts(loaded.model, path)
    saved.write(path)


def _keep_best(store: CheckpointStore, prepared: Prepared | Writing, record: dict[str, Any], run: Path) -> None:
    """Writes RUN/model from the best checkpoint."""
    model = prepared.loaded.model
    path = store.best()
    if path is not None:
        prepared.restore(path, model)
    model.eval()
    with atomic_directory(run / "model", replace=True) as partial:
        prepared.finished().write(partial, record)
