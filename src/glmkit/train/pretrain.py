"""Pretraining: data, model and trainer of a run put together from its config."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from glmkit.checkpoint.store import CheckpointStore
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_directory
from glmkit.data.loader import Loader
from glmkit.data.mixture import MixtureSource
from glmkit.families import directory
from glmkit.families.registry import family_of
from glmkit.train.config import FREE_ON_RESUME, PretrainConfig, from_record, to_record
from glmkit.train.heldout import measure_all
from glmkit.train.model import build_model, continued
from glmkit.train.optimizer import adamw
from glmkit.train.parallel import Loss, join, replicate
from glmkit.train.run import Watchers, begin, carry_out, read_record, refuse_others, versions
from glmkit.train.schedule import learning_rate
from glmkit.train.text import Text, open_text
from glmkit.train.trainer import Trainer


def pretrain(
    config: PretrainConfig,
    observers: Watchers = lambda trainer, done: (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Trains as `config` says and returns the finished model's directory.

    `observers` makes whoever wants to watch, given the trainer and the steps already done; `say` is told the shares of
    several corpora. Raises UserError for a
    mistake in config or data, TrainingDiverged, or Interrupted once the run has been saved.
    """
    device = torch.device(machine.device_of(config.device))
    machine.use_threads(config.threads)
    refuse_others(config.output, *(corpus.path for corpus in config.corpora))
    processes = join()
    run = Path(config.output)
    config = continued(config) if config.init_from else config
    text = open_text(config, verify=processes.first)
    if not config.output:
        raise UserError("no output: give output=DIR for the run")
    spec = family_of(config.model)
    model, model_config = build_model(config, text.tokenizer)
    config = replace(config, model=model_config)
    model.to(device)
    if processes.first and isinstance(text.training, MixtureSource):
        tell_shares(text.training, config, say)
    record = run_record(config, text)
    store = CheckpointStore(run, config.keep_last)
    optimizer = adamw(model, config.optimizer)
    with begin(store, record, config.resume, FREE_ON_RESUME, model, optimizer, processes) as state:
        write_model = functools.partial(
            directory.write, spec=spec, config=model_config, model=model, tokenizer=text.tokenizer, run=record
        )
        loader = Loader(
            text.training,
            rows=config.batch_size,
            micro_rows=config.micro_batch_size,
            seq_length=config.seq_length,
            rank=processes.rank,
            world=processes.world,
            state=state["data"],
        )
        if config.checkpoint_activations:
            checkpoint_blocks(model)
        loss = replicate(Loss(model), processes)
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": machine.fastest_dtype(device.type)}[
            config.precision
        ]
        trainer = Trainer(
            model=model,
            loss=torch.compile(loss, dynamic=True) if config.compile else loss,  # type: ignore[arg-type]
            optimizer=optimizer,
            learning_rate=lambda step: learning_rate(config.schedule, step, config.steps),
            steps=config.steps,
            grad_clip=config.optimizer.grad_clip,
            dtype=dtype,
            seed=config.seed,
            processes=processes,
            store=store,
            write_model=write_model,
            measure=lambda: measure_all(
                model,
                text.heldout,
                rows=config.micro_batch_size,
                seq_length=config.seq_length,
                limit=config.heldout_examples,
                dtype=dtype,
            ),
            heldout_every=config.heldout_every,
            save_every=config.save_every,
            log_every=config.log_every,
            flops_per_token=spec.flops_per_token(model_config, config.seq_length, text.targets_per_token),
            peak_flops=machine.matmul_rate(spec.matmul_shapes(model_config, 1024), dtype, device.type),
        )
        carry_out(trainer, loader, state, run, observers, config.tensorboard, processes)
        if processes.first:
            with atomic_directory(run / "model", replace=True) as partial:
                write_model(partial)
        processes.wait()
        return run / "model"


def checkpoint_blocks(model: Any) -> None:
    """Keeps only the input of each block for the backward pass and works the rest out again."""
    for block in model.blocks:
        block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)


def run_record(config: PretrainConfig, text: Text) -> dict[str, Any]:
    """What run.json says: the resolved config, library versions, and what data it was; of several corpora with the
    share that each has of the tokens."""
    data: list[dict[str, Any]] = [
        {name: shards.manifest[name] for name in ("documents", "tokens", "tokenizer")}
        | {"sha256": [shard["sha256"][0] for shard in shards.manifest["shards"]]}
        for shards in text.corpora
    ]
    if isinstance(text.training, MixtureSource):
        shares = [{"share": share} for share in text.training.shares]
        return _record(config, {"corpora": [one | share for one, share in zip(data, shares, strict=True)]})
    return _record(config, data[0])


def _record(config: PretrainConfig, data: dict[str, Any]) -> dict[str, Any]:
    return {"config": to_record(config), "versions": versions(), "data": data}


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
    return from_record(read_record(run)["config"], f"{path}: config")
