"""A run that learns to answer: rows with a right answer among known ones, by cloze or by a head."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from glmkit.core import machine
from glmkit.core.errors import UserError, counted, nearest
from glmkit.core.json_types import JsonObject
from glmkit.core.processes import ALONE, Processes
from glmkit.core.random import epoch_generator
from glmkit.data.steps import RowPlan, StepSource
from glmkit.families import directory
from glmkit.families.adapter import refuse_adapter
from glmkit.families.detect import detect
from glmkit.families.load import Loaded, read
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.dataset import Dataset, open_dataset
from glmkit.finetuning.finetune_run import DEV, FinetuneRun
from glmkit.finetuning.prompted import add_prompts, is_prompt, plain_weights, restore_prompted, write_prompts
from glmkit.finetuning.saved import Saved, read_saved
from glmkit.finetuning.task_module import ClozeModule, TaskModule, TrainExample
from glmkit.nn.quantized import is_quantized
from glmkit.tasks.evaluate import long_words
from glmkit.tasks.instance import Instance
from glmkit.tasks.metrics import METRICS, Judged
from glmkit.tasks.pair import instance_input
from glmkit.tasks.score import scoring_model_of
from glmkit.train.methods import NOT_IN_FULL
from glmkit.train.validation import EvalResult

_ORDER = 3  # keeps these random numbers apart from others of the same seed


@dataclass(kw_only=True)
class TaskRun(FinetuneRun):
    """Rows of a task, and the task module that turns them into examples."""

    base: Loaded
    dataset: Dataset
    saved: Saved
    task_module: TaskModule
    examples: list[TrainExample]

    @property
    def loaded(self) -> Loaded:
        return self.base

    @property
    def loss(self) -> nn.Module:
        return self.task_module.loss

    @property
    def lengths(self) -> list[int]:
        return [example.length for example in self.examples]

    @property
    def cut(self) -> int:
        return sum(example.cut > 0 for example in self.examples)

    @property
    def summary(self) -> str:
        dataset = self.dataset
        return (
            f"task {dataset.task.name}: {len(dataset.train)} rows to learn from, {len(dataset.dev)} to measure; "
            f"labels {', '.join(dataset.task.labels) or 'of each row its own choices'}"
            + "".join(f"; {line}" for line in (*self.long_words, *dataset.notes))
        )

    @property
    def long_words(self) -> list[str]:
        """A line that names the label words of several tokens, or none."""
        words = self.dataset.task.patterns[self.saved.pattern].words if self.saved.kind == "cloze" else ()
        return long_words(self.task_module.scorer.tokenizer, words)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.examples) // self.config.batch_size)

    def steps(
        self, place: JsonObject | None, processes: Processes, enough: Callable[[], bool] = lambda: False
    ) -> StepSource:
        """Every row once an epoch, in an order that depends on (seed, epoch) alone."""

        def order(epoch: int) -> np.ndarray:
            return epoch_generator(self.config.seed, epoch, _ORDER).permutation(len(self.examples))

        return StepSource(
            plan=RowPlan(len(self.examples), order, self.config.batch_size, **(place or {})),
            batch=lambda rows: self.task_module.batch([self.examples[index] for row in rows for _, index in row]),
            lengths=np.array(self.lengths),
            micro_rows=self.config.micro_batch_size,
            rank=processes.rank,
            world=processes.world,
            enough=enough,
        )

    @property
    def metric_name(self) -> str:
        return self.config.metric or self.dataset.task.metrics[0]

    @property
    def unit(self) -> str:
        """What the training loss is counted in."""
        nats = self.saved.kind == "classify" or self.config.loss in ("cross_entropy", "generative")
        return "nats per row" if nats else f"{self.config.loss} per row; held out: nats"

    def measure(self, dtype: torch.dtype, processes: Processes) -> dict[str, EvalResult]:
        return {DEV: measure(self.task_module, self.dataset, self.metric_name, self.model, processes)}

    def better(self, measured: EvalResult) -> float:
        return -measured.value(self.metric_name)

    def fingerprint(self) -> JsonObject:
        return fingerprint(self.dataset)

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

    def finish(self) -> None:
        """Calibrates the probabilities of the kept weights on dev."""
        super().finish()
        dev = self.dataset.dev
        if self.dataset.task.labels and not self.dataset.task.match:
            probabilities = [probabilities for _, probabilities in self.task_module.predict(dev)]
            self.saved = self.saved.calibrated(probabilities, [instance.gold or 0 for instance in dev])

    def shown(self, index: int) -> list[str]:
        rows = self.dataset.train
        if not 0 <= index < len(rows):
            raise UserError(f"row {index}: there are {len(rows)} training rows, numbered from 0")
        instance, task, task_module = rows[index], self.dataset.task, self.task_module
        tokenizer = self.loaded.tokenizer
        assert tokenizer is not None
        if not isinstance(task_module, ClozeModule):
            ids, cut = instance_input(tokenizer, task_module.scorer.prompt, task, instance, self.saved.length)
            right = task.labels[instance.gold or 0]
            return [
                f"row {instance.uid}: {len(ids)} tokens, {cut} cut; the head reads the {self.saved.pool} token",
                f"read    {tokenizer.decode(ids)}",
                f"class   {right}, weight {instance.weight:.3g}",
            ]
        (cloze,) = task_module.clozes([instance])
        shown = [f"row {cloze.uid}: {sum(len(item.ids) for item in cloze.contexts)} tokens read, {cloze.cut} cut"]
        for context in cloze.contexts:
            known = [id if id < len(tokenizer) else tokenizer.special.pad for id in context.ids.tolist()]
            shown.append(f"read    {tokenizer.decode(known)}")
        scored = "its first token" if cloze.single else "every token and the end"
        gold = 0 if task.match else cloze.gold
        for number, choice in enumerate(cloze.choices):
            mark = "right " if number == gold else "wrong "
            size = counted(len(choice), "token")
            shown.append(f"{mark}  {tokenizer.decode(choice)}   ({size}; scored: {scored})")
        return shown

    def write(self, path: Path, record: JsonObject) -> None:
        loaded, saved = self.loaded, self.saved
        weights = plain_weights(loaded.model, path) if saved.prompted else None
        directory.write(path, loaded.family, loaded.config, loaded.model, loaded.tokenizer, record, weights)
        if saved.prompted:
            write_prompts(loaded.model, path)
        saved.write(path)


def task_run(config: FinetuneConfig) -> TaskRun:
    """Opens model and rows. Raises UserError for what is missing or does not fit together."""
    if config.metric and config.metric not in METRICS:
        raise UserError(f"unknown metric {config.metric!r}{nearest(config.metric, METRICS)}")
    dataset = open_dataset(config)
    labels = len(dataset.task.labels) if config.task == "classify" else 0
    loaded = start_from(config, labels)
    if loaded.tokenizer is None:
        raise UserError(loaded.missing)
    prompt = loaded.family.prompt(loaded.tokenizer.special)
    if config.task == "cloze" and not prompt.scores_in_blank:
        raise UserError(f"a model of family {loaded.family.name} fills no blanks: use task=classify")
    longest = loaded.config.max_positions
    if config.length > longest:
        raise UserError(f"length {config.length} is longer than the {longest} positions of the model; lower it")
    if config.pool == "cls" and prompt.pool != "cls":
        raise UserError("pool=cls is the first token, which in a ChatGLM2 or 3 has seen nothing of the text: use end")
    saved = Saved(
        kind="cloze" if config.task == "cloze" else "classify",
        name="" if dataset.custom else dataset.task.name,
        custom=dataset.custom,
        pattern=dataset.pattern,
        length=config.length,
        pool=config.pool or prompt.pool,
        penalty=config.penalty,
        prompts=config.prompts,
        prefix=config.prefix,
        prompt_kind=config.prompt_kind,
    )
    if saved.prompted:
        add_prompts(loaded.model, config.prompts + config.prefix, config.prompt_kind, config.seed)
    if config.freeze:
        _freeze(loaded.model)
    task_module = saved.task_module(scoring_model_of(loaded), dataset.task, config.loss)
    examples = task_module.encode(dataset.train)
    return TaskRun(config=config, base=loaded, dataset=dataset, saved=saved, task_module=task_module, examples=examples)


def start_from(config: FinetuneConfig, labels: int) -> Loaded:
    """The model to train, in float32, with a new head of `labels` classes where its own has another number."""
    path, device = Path(config.model), machine.device_of(config.device)
    refuse_adapter(path)
    options = {"dropout": config.dropout} if "dropout" in detect(path).family.options else {}
    loaded = read(path, dtype=torch.float32, device=device, options=options)
    if is_quantized(loaded.model):
        raise UserError(f"{NOT_IN_FULL}; start from the original")
    before = getattr(loaded.config, "num_labels", 0)
    if labels == before:
        return loaded
    if not hasattr(loaded.config, "num_labels"):
        raise UserError(f"a model of family {loaded.family.name} has no classification head: use a GLM or a ChatGLM2")
    changed = replace(loaded.config, num_labels=labels)
    model = loaded.family.build(changed)
    loaded.family.initialize(model, torch.Generator().manual_seed(config.seed))
    weights = loaded.model.state_dict()
    body = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier.")}
    model.load_state_dict(body, strict=False)
    return replace(loaded, config=changed, model=model.to(device))


def _freeze(model: torch.nn.Module) -> None:
    """Leaves the head, or the continuous prompts, alone to be trained."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("classifier.") or is_prompt(name))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError("freeze=true leaves nothing to train: use task=classify, or prompts")


@torch.no_grad()
def measure(
    task_module: TaskModule, dataset: Dataset, metric: str, model: torch.nn.Module, processes: Processes = ALONE
) -> EvalResult:
    """`loss`: -log p of the right answer; `scores`: the metric asked for, where it is not the accuracy; of dev."""
    was_training = model.training
    model.eval()
    given = processes.unshare(processes.gather(task_module.predict(processes.share(dataset.dev))))
    model.train(was_training)
    judged = [Judged(instance, predicted) for instance, (predicted, _) in zip(dataset.dev, given, strict=True)]
    scores = {} if metric == "accuracy" else {metric: METRICS[metric](judged)}
    loss = _mean_nll([probabilities for _, probabilities in given], dataset.dev)
    return EvalResult(loss, sum(row.right for row in judged) / len(judged), len(judged), scores)


def fingerprint(dataset: Dataset) -> JsonObject:
    """What run.json says of the rows: how many, from where, and a hash of them all."""
    rows = [[dict(item.fields), list(item.choices), item.gold] for item in (*dataset.train, *dataset.dev)]
    text = json.dumps(rows, ensure_ascii=False)
    return {
        "train": len(dataset.train),
        "dev": len(dataset.dev),
        "files": dataset.sources,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _mean_nll(probabilities: Sequence[np.ndarray], instances: Sequence[Instance]) -> float:
    """-log p of the right answer in nats, averaged over the rows that have one among their choices."""
    right = [p[i.gold] for p, i in zip(probabilities, instances, strict=True) if i.gold is not None and i.gold < len(p)]
    return float(-np.mean(np.log(np.maximum(right, 1e-30)))) if right else 0.0
