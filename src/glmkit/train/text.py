"""The text of a pretraining run: opened, checked, cut, and split into what is trained on and what is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.processes import ALONE, Processes
from glmkit.core.types import IntArray
from glmkit.data.chunks import ChunkTable, ExampleSource, ObjectiveSchedule, cut, cut_short, split_validation
from glmkit.data.mixture import MixtureSource, Source, shares_of
from glmkit.data.order import WindowedSource, count_chunks
from glmkit.data.remote import open_corpus
from glmkit.data.shards import TOKENIZER, Corpus, Shards, open_part
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
    corpora: tuple[Corpus, ...]


def open_text(config: PretrainConfig, *, verify: bool = True, processes: Processes = ALONE) -> Text:
    """Opens the prepared data of a run; the processes share out its checksums. Raises UserError when data are missing,
    damaged or too few, and for an objective that the model's family cannot learn."""
    if not config.corpora:
        raise UserError("no data: give data=DIR, a directory made by `glmkit data prepare`")
    share = (processes.rank, processes.world)
    open_one = partial(open_corpus, config=config.stream, verify=verify, share=share)
    corpora = tuple(open_one(corpus.path) for corpus in config.corpora)
    for corpus in corpora[1:]:
        _refuse_other_tokenizer(corpus, corpora[0])
    tokenizer = _tokenizer(corpora[0])
    template = _template(config, corpora[0], tokenizer)
    sources: list[ExampleSource | WindowedSource] = []
    kept: list[ExampleSource] = []
    for corpus in corpora:
        blank = replace(template, first=sum(map(len, sources)))
        windowed = len(corpus.shards) > config.stream.window
        training, rest = (_windowed if windowed else _whole)(config, blank, corpus)
        if not len(training):
            raise UserError(f"{corpus.place} holds no text to train on")
        sources.append(training)
        kept.append(rest)
    if config.objective.changes:
        sources = _changing(config, sources)
    source: Source = sources[0] if len(sources) == 1 else _mixture(config, sources)
    shown = range(min(len(source), 64))
    sample = source((0, index) for index in shown)
    targets = sum(float(e.weights.sum()) for e in sample) / sum(int(source.lengths[index]) for index in shown)
    return Text(tokenizer, source, _validation(config, kept, corpora[0], open_one), targets, corpora)


def _whole(config: PretrainConfig, template: ExampleSource, corpus: Corpus) -> tuple[ExampleSource, ExampleSource]:
    """The chunks of all documents: those to train on, and those to measure."""
    shards = corpus.open()
    training, kept = split_validation(len(shards), _share(config), config.seed)
    source = replace(template, shards=shards, table=_chunks(config, template, shards.lengths, shards.prompts, training))
    return source, _measured(config, template, shards, kept)


def _windowed(config: PretrainConfig, template: ExampleSource, corpus: Corpus) -> tuple[WindowedSource, ExampleSource]:
    """The same of a corpus of which a window is in memory. What is measured is of its first shard."""
    first = open_part(corpus.store, corpus.manifest, corpus.shards[:1])
    training, kept = split_validation(len(first), _share(config), config.seed)

    def cutting(lengths: IntArray, prompts: IntArray, shard: int) -> ChunkTable:
        documents = np.arange(len(lengths)) if shard else training
        return _chunks(config, template, lengths, prompts, documents, shard)

    settings = (config.seq_length, len(template.opening), config.objective.short, config.seed, _share(config))
    source = WindowedSource(
        corpus=corpus,
        template=template,
        cutting=cutting,
        counts=count_chunks(corpus, cutting, repr(settings)),
        window=config.stream.window,
    )
    if not len(kept):
        return source, template
    return source, _measured(config, template, first.copied(kept), np.arange(len(kept)))


def _share(config: PretrainConfig) -> float:
    """Of the documents of a corpus that are measured."""
    return 0 if config.validation_data else config.validation


def _chunks(
    config: PretrainConfig,
    template: ExampleSource,
    lengths: IntArray,
    prompts: IntArray,
    documents: IntArray,
    shard: int = 0,
) -> ChunkTable:
    """The chunks of these documents to train on."""
    table = cut(lengths, prompts, documents, config.seq_length, len(template.opening))
    if config.objective.short:
        table = cut_short(table, prompts, config.objective.short, _SHORTEST, config.seq_length, config.seed, shard)
    return table


def _measured(config: PretrainConfig, template: ExampleSource, shards: Shards, documents: IntArray) -> ExampleSource:
    """The chunks of these documents to measure."""
    table = cut(shards.lengths, shards.prompts, documents, config.seq_length, len(template.opening))
    return replace(template, shards=shards, table=table)


def _tokenizer(corpus: Corpus) -> Tokenizer:
    """The tokenizer beside prepared data."""
    tokenizer = load(corpus.store.directory / TOKENIZER)
    if tokenizer.fingerprint != corpus.manifest["tokenizer"]:
        raise UserError(f"{corpus.place}: its tokenizer is not the one its manifest names; prepare the data again")
    return tokenizer


def _template(config: PretrainConfig, corpus: Corpus, tokenizer: Tokenizer) -> ExampleSource:
    """What the sources of all texts have in common, with nothing to read yet."""
    spec = family_of(config.model)
    position_scheme = spec.positions(spec.for_tokenizer(config.model, tokenizer))
    prompt = spec.prompt(tokenizer.special)
    check_objectives(config.objective, spec.name, bidirectional=prompt.bidirectional)
    begin, nothing = tuple(prompt.opening), np.arange(0)
    return ExampleSource(
        shards=open_part(corpus.store, corpus.manifest, []),
        table=ChunkTable(nothing, nothing, nothing, len(begin)),
        opening=begin,
        vocabulary=Vocabulary(special=tokenizer.special, size=len(tokenizer), sentence_ends=tokenizer.sentence_ends),
        objective=mixture(config.objective, bidirectional=prompt.bidirectional),
        position_scheme=position_scheme,
        seed=config.seed,
    )


def _mixture(config: PretrainConfig, sources: Sequence[ExampleSource | WindowedSource]) -> MixtureSource:
    """The corpora as one, each with its share of the tokens. Raises UserError for one that does not fit a window."""
    parts = []
    for source in sources:
        if isinstance(source, WindowedSource):
            raise UserError(
                f"{source.corpus.place} has {len(source.corpus.shards)} shards, and of several corpora each is read as "
                f"a whole: give stream.window={len(source.corpus.shards)}, or prepare them as one corpus"
            )
        parts.append(source)
    return MixtureSource(
        parts=tuple(parts), names=names_of(config), shares=tuple(_shares(config, parts)), seed=config.seed
    )


def _shares(config: PretrainConfig, sources: Sequence[ExampleSource | WindowedSource]) -> list[float]:
    return shares_of([corpus.weight for corpus in config.corpora], [int(source.lengths.sum()) for source in sources])


def _changing(
    config: PretrainConfig, sources: Sequence[ExampleSource | WindowedSource]
) -> list[ExampleSource | WindowedSource]:
    """The sources with an objective that changes over the run, whose rows are taken to be full."""
    bidirectional = family_of(config.model).prompt.bidirectional
    tokens = config.steps * config.batch_size * config.seq_length
    results: list[ExampleSource | WindowedSource] = []
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
    config: PretrainConfig, kept: Sequence[ExampleSource], first: Corpus, open_one: Callable[[str], Corpus]
) -> dict[str, ExampleSource]:
    """What is measured: of every objective the documents kept out of each corpus."""
    if config.validation_data:
        corpus = open_one(config.validation_data)
        _refuse_other_tokenizer(corpus, first)
        shards = corpus.open()
        kept = [_measured(config, kept[0], shards, np.arange(len(shards)))]
    names = [""] if len(kept) == 1 else [f"{name} " for name in names_of(config)]
    measured = objectives(config.objective, bidirectional=family_of(config.model).prompt.bidirectional)
    return {
        name + which: replace(source, objective=objective, seed=config.seed + 1)
        for name, source in zip(names, kept, strict=True)
        for which, objective in measured.items()
        if len(source)
    }


def _refuse_other_tokenizer(corpus: Corpus, first: Corpus) -> None:
    if corpus.manifest["tokenizer"] != first.manifest["tokenizer"]:
        raise UserError(
            f"{corpus.place} was prepared with another tokenizer than {first.place}; "
            f"prepare it again with --tokenizer {first.store.directory / TOKENIZER}"
        )
