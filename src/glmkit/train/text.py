"""The text of a pretraining run: opened, checked, cut, and split into what is trained on and what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.data.chunks import ChunkTable, ExampleSource, ObjectiveSchedule, cut, cut_short, split_validation
from glmkit.data.mixture import MixtureSource, Source, shares_of
from glmkit.data.shards import TOKENIZER, Shards, open_shards
from glmkit.families.registry import family_of
from glmkit.infill.corruption import Vocabulary
from glmkit.infill.mixture import check_objectives, mixture, objectives
from glmkit.text.load import load
from glmkit.text.tokenizer import Tokenizer
from glmkit.train.config import PretrainConfig

_SHORTEST = 32  # tokens, of the pieces the short-sequence option cuts


@dataclass(frozen=True)
class Text:
    """The text of a run: what it trains on, what it is measured on, and the tokenizer of both."""

    tokenizer: Tokenizer
    training: Source
    validation: dict[str, ExampleSource]
    targets_per_token: float
    corpora: tuple[Shards, ...]


def open_text(config: PretrainConfig, *, verify: bool = True) -> Text:
    """Opens the prepared data of a run. Raises UserError when they are missing, damaged or too few, and for an
    objective that the model's family cannot learn."""
    if not config.corpora:
        raise UserError("no data: give data=DIR, a directory made by `glmkit data prepare`")
    corpora = tuple(open_shards(Path(corpus.path), verify=verify) for corpus in config.corpora)
    for shards in corpora[1:]:
        _refuse_other_tokenizer(shards, corpora[0])
    tokenizer = _tokenizer(corpora[0])
    template = _template(config, corpora[0], tokenizer)
    sources: list[ExampleSource] = []
    kept = []
    for shards in corpora:
        training, rest = split_validation(len(shards), 0 if config.validation_data else config.validation, config.seed)
        table = cut(shards.lengths, shards.prompts, training, config.seq_length, len(template.opening))
        if config.objective.short:
            table = cut_short(table, shards.prompts, config.objective.short, _SHORTEST, config.seq_length, config.seed)
        if not len(table):
            raise UserError(f"{shards.directory} holds no text to train on")
        sources.append(replace(template, shards=shards, table=table, first=sum(map(len, sources))))
        kept.append(rest)
    if config.objective.changes:
        sources = _changing(config, sources)
    source = sources[0] if len(sources) == 1 else _mixture(config, sources)
    sample = source((0, index) for index in range(min(len(source), 64)))
    targets = sum(float(e.weights.sum()) for e in sample) / sum(int(n) for n in source.lengths[: len(sample)])
    return Text(tokenizer, source, _validation(config, sources, kept, verify), targets, corpora)


def _tokenizer(shards: Shards) -> Tokenizer:
    """The tokenizer beside prepared data."""
    tokenizer = load(shards.directory / TOKENIZER)
    if tokenizer.fingerprint != shards.manifest["tokenizer"]:
        raise UserError(f"{shards.directory}: its tokenizer is not the one its manifest names; prepare the data again")
    return tokenizer


def _template(config: PretrainConfig, shards: Shards, tokenizer: Tokenizer) -> ExampleSource:
    """What the sources of all texts have in common, with nothing to read yet."""
    spec = family_of(config.model)
    position_scheme = spec.positions(spec.for_tokenizer(config.model, tokenizer))
    prompt = spec.prompt(tokenizer.special)
    check_objectives(config.objective, spec.name, bidirectional=prompt.bidirectional)
    begin, nothing = tuple(prompt.opening), np.arange(0)
    return ExampleSource(
        shards=shards,
        table=ChunkTable(nothing, nothing, nothing, len(begin)),
        opening=begin,
        vocabulary=Vocabulary(special=tokenizer.special, size=len(tokenizer), sentence_ends=tokenizer.sentence_ends),
        objective=mixture(config.objective, bidirectional=prompt.bidirectional),
        position_scheme=position_scheme,
        seed=config.seed,
    )


def _mixture(config: PretrainConfig, sources: Sequence[ExampleSource]) -> MixtureSource:
    """The corpora as one, each with its share of the tokens."""
    shares = tuple(_shares(config, sources))
    return MixtureSource(parts=tuple(sources), names=names_of(config), shares=shares, seed=config.seed)


def _shares(config: PretrainConfig, sources: Sequence[ExampleSource]) -> list[float]:
    return shares_of([corpus.weight for corpus in config.corpora], [int(source.lengths.sum()) for source in sources])


def _changing(config: PretrainConfig, sources: Sequence[ExampleSource]) -> list[ExampleSource]:
    """The sources with an objective that changes over the run, whose rows are taken to be full."""
    bidirectional = family_of(config.model).prompt.bidirectional
    tokens = config.steps * config.batch_size * config.seq_length
    results = []
    for source, share in zip(sources, _shares(config, sources), strict=True):
        schedule = ObjectiveSchedule(
            at=lambda progress: mixture(config.objective.at(progress), bidirectional=bidirectional),
            epochs=tokens * share / int(source.lengths.sum()),
        )
        results.append(replace(source, schedule=schedule))
    return results


def names_of(config: PretrainConfig) -> tuple[str, ...]:
    """What the corpora of a run are called: by their directories, where those have names of their own."""
    paths = [corpus.path for corpus in config.corpora]
    names = [Path(path).name for path in paths]
    return tuple(names if len(set(names)) == len(names) else (f"{number}" for number in range(len(paths))))


def _validation(
    config: PretrainConfig, training: Sequence[ExampleSource], kept: Sequence[np.ndarray], verify: bool
) -> dict[str, ExampleSource]:
    """What is measured: of every objective the documents kept out of each corpus."""
    if config.validation_data:
        shards = open_shards(Path(config.validation_data), verify=verify)
        _refuse_other_tokenizer(shards, training[0].shards)
        training, kept = [replace(training[0], shards=shards)], [np.arange(len(shards))]
    names = [""] if len(training) == 1 else [f"{name} " for name in names_of(config)]
    measured = objectives(config.objective, bidirectional=family_of(config.model).prompt.bidirectional)
    results = {}
    for name, source, documents in zip(names, training, kept, strict=True):
        shards = source.shards
        table = cut(shards.lengths, shards.prompts, documents, config.seq_length, len(source.opening))
        for which, objective in measured.items():
            if len(table):
                results[name + which] = replace(
                    source, table=table, objective=objective, seed=config.seed + 1, schedule=None
                )
    return results


def _refuse_other_tokenizer(shards: Shards, first: Shards) -> None:
    if shards.manifest["tokenizer"] != first.manifest["tokenizer"]:
        raise UserError(
            f"{shards.directory} was prepared with another tokenizer than {first.directory}; "
            f"prepare it again with --tokenizer {first.directory / TOKENIZER}"
        )
