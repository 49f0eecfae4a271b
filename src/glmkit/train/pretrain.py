"""Pretraining: text, model and objectives of a run, put together from its config for the launcher."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.processes import Processes, init_distributed
from glmkit.core.sharded import compute_device
from glmkit.data.loader import pretraining_steps
from glmkit.data.mixture import MixtureSource
from glmkit.data.order import WindowedSource
from glmkit.data.remote import is_remote
from glmkit.data.steps import refuse_idle
from glmkit.data.store import WHOLE, StreamConfig
from glmkit.families import directory
from glmkit.families.registry import family_of
from glmkit.objective.loss import Loss, language_model
from glmkit.train.config import FREE_ON_RESUME, PretrainConfig, from_record, to_record
from glmkit.train.launch import Compute, Course, launch
from glmkit.train.logs import read_record
from glmkit.train.model import blank_model, build_model, continued, fill
from glmkit.train.optimizer import optimizer_flops
from glmkit.train.run import Watchers, refuse_others
from glmkit.train.samples import BlankSamples
from glmkit.train.shard import checkpoint_blocks, compile_blocks, mesh_of, parallelize
from glmkit.train.text import Text, open_text
from glmkit.train.trainer import Observer, mean_loss
from glmkit.train.validation import EvalResult, measure


@dataclass(frozen=True, kw_only=True)
class PretrainRun:
    """A model that learns from text (see `train.launch.TrainingRun`); `config.model` is its own config."""

    config: PretrainConfig
    text: Text
    model: nn.Module
    alone: bool = True  # there is one process
    kept: ClassVar[None] = None
    measures_whole: ClassVar[bool] = False
    unit: ClassVar[str] = "nats per predicted token"
    free: ClassVar[frozenset[str]] = FREE_ON_RESUME

    @cached_property
    def loss(self) -> nn.Module:
        return Loss(language_model(self.model))

    @property
    def dtype(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        return machine.training_dtype(self.config.precision, compute_device(self.model).type)

    def settings(self) -> JsonObject:
        return to_record(self.config)

    def fingerprint(self) -> JsonObject:
        """Of several corpora with the share that each has of the tokens."""
        data: list[JsonObject] = [
            {name: shards.manifest[name] for name in ("documents", "tokens", "tokenizer")}
            | {"sha256": [shard["sha256"][0] for shard in shards.manifest["shards"]]}
            for shards in self.text.corpora
        ]
        if isinstance(self.text.training, WindowedSource):
            return data[0] | {"window": self.text.training.window}
        if not isinstance(self.text.training, MixtureSource):
            return data[0]
        shares = [{"share": share} for share in self.text.training.shares]
        return {"corpora": [one | share for one, share in zip(data, shares, strict=True)]}

    def restore(self, path: Path, model: nn.Module) -> None:
        directory.restore(path, model)

    def compute(self) -> Compute:
        spec, config = family_of(self.config.model), self.config
        shapes, kind = spec.matmul_shapes(config.model, 1024), compute_device(self.model).type
        optimizer = optimizer_flops(self.model, config.optimizer) / (config.batch_size * config.seq_length)
        return Compute(
            dtype=self.dtype,
            flops_per_token=spec.flops_per_token(config.model, config.seq_length, self.text.targets_per_token)
            + optimizer,
            peak_flops=machine.matmul_rate(shapes, self.dtype, kind),
        )

    def course(self, state: Table, processes: Processes) -> Course:
        config = self.config
        source = pretraining_steps(
            self.text.training,
            rows=config.batch_size,
            micro_rows=config.micro_batch_size,
            seq_length=config.seq_length,
            rank=processes.rank,
            world=processes.world,
            state=state["data"],
        )
        return Course(
            source=source,
            steps=config.steps,
            validate_every=config.validation_every,
            save_every=config.save_every,
            save_minutes=config.save_minutes,
            skip_spikes=config.skip_spikes,
        )

    def validate(self, processes: Processes) -> dict[str, EvalResult]:
        config, model = self.config, language_model(self.model)
        return {
            objective: measure(
                model,
                source,
                rows=config.micro_batch_size,
                seq_length=config.seq_length,
                limit=config.validation_examples,
                dtype=self.dtype,
                processes=processes,
            )
            for objective, source in self.text.validation.items()
        }

    def metric(self, measures: Mapping[str, EvalResult]) -> float | None:
        return mean_loss(measures)

    def observers(self, done: int) -> Sequence[Observer]:
        if not self.alone:  # a model in parts is called in every process or in none
            return ()
        model, sources, run = language_model(self.model), self.text.validation, Path(self.config.output)
        return (BlankSamples(run, model, sources, self.text.tokenizer, self.dtype, done),)

    def chosen(self, store: CheckpointStore) -> None:
        """The last weights are kept."""

    def finish(self) -> None:
        """They need nothing more."""

    def write(self, path: Path, record: JsonObject) -> None:
        spec = family_of(self.config.model)
        directory.write(path, spec, self.config.model, self.model, self.text.tokenizer, record)


def pretrain(
    config: PretrainConfig,
    observers: Watchers = lambda trainer, done: (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Trains as `config` says and returns the finished model's directory.

    `observers` makes whoever wants to watch, given the trainer and the steps already done; `say` is called with the
    shares of several corpora. Raises UserError for a mistake in config or data, TrainingDiverged, or Interrupted once
    the run has been saved.
    """
    device = torch.device(machine.device_of(config.device))
    machine.use_threads(config.threads)
    refuse_others(config.output, *(corpus.path for corpus in config.corpora if not is_remote(corpus.path)))
    processes = init_distributed(device)
    refuse_idle(config.batch_size, processes.world)
    mesh_of(config.parallel, processes.world)
    config = continued(config) if config.init_from else config
    text = open_text(config, processes=processes)
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    if processes.first and isinstance(text.training, MixtureSource):
        tell_shares(text.training, config, say)
    model, model_config = (build_model if processes.world == 1 else blank_model)(config, text.tokenizer)
    config = replace(config, model=model_config)
    if config.checkpoint_activations:
        checkpoint_blocks(model)
    if config.compile:
        compile_blocks(model)
    dtype = machine.training_dtype(config.precision, device.type)
    parallel = parallelize(model, config.parallel, processes, dtype, device)
    if processes.world == 1:
        model.to(device)
    else:
        model.to_empty(device="cpu" if config.parallel.offload else device)
        fill(model, config)
    run = PretrainRun(config=config, text=text, model=model, alone=processes.world == 1)
    return launch(run, parallel, observers)


def tell_shares(source: MixtureSource, config: PretrainConfig, say: Callable[[str], None]) -> None:
    """Says of each corpus what share of the run it is, and how often it will be read."""
    read = config.steps * config.batch_size * config.seq_length
    for name, part, share in zip(source.names, source.parts, source.shares, strict=True):
        tokens = int(part.lengths.sum())
        say(
            f"{name}: {share:.1%} of the tokens, {len(part):,} pieces of {tokens:,} tokens, "
            f"about {read * share / tokens:.2g} epochs in {config.steps:,} steps"
        )


def config_of(run: Path) -> PretrainConfig:
    """The config a run was started with, from its run.json. Raises UserError when it is not a pretraining run."""
    path = run / directory.RUN
    if not path.is_file():
        raise UserError(f"{run} has no {path.name}: not a pretraining run")
    values = read_record(run)["config"]
    config = from_record(values, f"{path}: config")
    # Before there were windows every corpus was read as a whole.
    return config if "stream" in values else replace(config, stream=StreamConfig(window=WHOLE))
