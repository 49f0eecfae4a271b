"""`glmkit.evaluate`: puts a model to tasks, or measures texts, or what it writes for the rows of a file."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from glmkit.api.arguments import FILE, PATH, PROGRESS, check_arguments
from glmkit.api.evaluation import Evaluation, OnRows, evaluate_on_ray, uncounted
from glmkit.api.load import Model, load
from glmkit.core.errors import UserError, argument
from glmkit.core.kinds import TEXT, TEXTS, either, instance_of, number, one_of, optional, whole
from glmkit.families.load import Loaded
from glmkit.finetuning.config import FinetuneConfig
from glmkit.finetuning.decode import decode, of_length
from glmkit.finetuning.sft_run import rows_of, saved_config, sft_encoder_of
from glmkit.generate.beam import LENGTH_PENALTY, Beam
from glmkit.tasks.evaluate import Result, Value
from glmkit.tasks.overlap import overlap
from glmkit.tasks.run import Plan, names
from glmkit.tasks.task import Split

_NAMES = either(TEXT, TEXTS, wanted="a list of names, or one text with commas between them")
_COUNT = optional(whole(low=1))
_KINDS = {
    "path": either(PATH, instance_of(Model), wanted="the name of a directory, or a Model"),
    "tasks": _NAMES,
    "data": PATH,
    "perplexity": optional(FILE),
    "split": one_of("train", "dev", "test"),
    "limit": _COUNT,
    "shots": whole(low=0),
    "pattern": either(whole(low=0), one_of("", "all"), wanted="a number or all"),
    "length": optional(whole(low=8)),  # a window of a few tokens has no room for one that is asked about
    "penalty": number(),
    "seed": whole(low=0),
    "batch_size": _COUNT,
    "seq2seq": optional(FILE),
    "form": optional(TEXT),
    "metrics": _NAMES,
    "beams": _COUNT,
    "length_penalty": LENGTH_PENALTY,
    "no_repeat_ngram": whole(low=0),
    "max_tokens": whole(low=1),
    "min_tokens": whole(low=1),
    "encoding": TEXT,
    "engine": one_of("local", "ray"),
    "on_rows": PROGRESS,
}


def evaluate(
    path: str | Path | Model,
    /,
    *,
    tasks: str | Sequence[str] = (),
    data: str | Path = ".",
    perplexity: str | Path | None = None,
    split: Split = "dev",
    limit: int | None = None,
    shots: int = 0,
    pattern: int | Literal["", "all"] = "",
    length: int | None = None,
    penalty: float = 0.0,
    seed: int = 0,
    batch_size: int | None = None,
    seq2seq: str | Path | None = None,
    form: str | None = None,
    metrics: str | Sequence[str] = (),
    beams: int | None = None,
    length_penalty: float = 1.0,
    no_repeat_ngram: int = 0,
    max_tokens: int = 128,
    min_tokens: int = 1,
    encoding: str = "utf-8",
    engine: Literal["local", "ray"] = "local",
    on_rows: OnRows = uncounted,
    **loading: Any,
) -> list[Result]:
    """The results of a model, given as its directory or loaded, without training it.

    `tasks`: names of tasks and benchmarks, whose own files are below `data`, or .yaml files; at most `limit` rows of a
    `split`, after `shots` solved ones, under a `pattern` of each task or "all". `perplexity`: a text file, scored both
    ways. `seq2seq`: a file of rows or conversations to write for, with `metrics` of ROUGE, BLEU, exact match or F1; the
    results' log is what was written. `form` to `encoding` are about writing. At most `batch_size` rows are read at a
    time. `engine` "ray": tasks and texts are scored by the nodes of a Ray cluster, each with the model; the results are
    the same. `on_rows(name, rows)` returns what to call with the number of rows as they are done. `loading` is what
    `load` takes. Raises UserError for a task, file or row that cannot be read.
    """
    check_arguments(_KINDS, locals())
    chosen, measured = _parts(tasks), _parts(metrics)
    if not chosen and perplexity is None and seq2seq is None:
        raise UserError(
            f"nothing to evaluate: give {argument('tasks')}, {argument('perplexity', 'FILE')} or "
            f"{argument('seq2seq', 'FILE')}"
        )
    names(chosen)
    _check_rows(tasks=bool(chosen), seq2seq=seq2seq is not None, limit=limit, shots=shots, pattern=pattern)
    if isinstance(path, Model) and loading:
        raise UserError(f"{next(iter(loading))} is an argument of loading, and this model is loaded: leave it out")
    results: list[Result] = []
    evaluation = Evaluation(
        Plan(
            tasks=chosen,
            data=Path(data),
            split=split,
            limit=limit,
            shots=shots,
            pattern=str(pattern),
            length=length,
            penalty=penalty,
            seed=seed,
        ),
        None if perplexity is None else Path(perplexity),
    )
    if engine == "ray":
        if isinstance(path, Model) or seq2seq is not None:
            raise UserError(
                f"{argument('engine', 'ray')} scores {argument('tasks')} and {argument('perplexity', 'FILE')} with a "
                "model given as its directory, which every node loads"
            )
        loading.pop("progress", None)
        return evaluate_on_ray(path, evaluation, batch_size, loading, on_rows)
    model = path if isinstance(path, Model) else load(path, **loading)
    if evaluation.units:
        results += evaluation.run(replace(model.scorer, rows=batch_size), on_rows)
    if seq2seq is not None:
        config = _as_trained(model, length)
        changed = config.data if form is None else replace(config.data, form=form)
        rows = _Rows(str(seq2seq), replace(config, data=changed), encoding, limit, batch_size)
        beam = Beam(beams=beams, length_penalty=length_penalty, no_repeat_ngram=no_repeat_ngram) if beams else None
        results.append(_write(model, rows, beam, max_tokens, min_tokens, measured or ("exact", "f1")))
    return results


def _check_rows(*, tasks: bool, seq2seq: bool, limit: int | None, shots: int, pattern: int | str) -> None:
    """Raises UserError for an argument about rows where nothing that is evaluated has such rows."""
    if limit is not None and not (tasks or seq2seq):
        raise UserError(
            f"{argument('limit')} counts rows of {argument('tasks')} or {argument('seq2seq')}, and the text of "
            f"{argument('perplexity')} is measured whole: leave it out, or give a shorter text"
        )
    for name, given in (("shots", shots > 0), ("pattern", pattern != "")):
        if given and not tasks:
            raise UserError(
                f"{argument(name)} is about the rows of {argument('tasks')}, which is not given: leave it out"
            )


@dataclass(frozen=True)
class _Rows:
    """At most `limit` rows of a file in an encoding, read as `config` says, `batch_size` at a time."""

    file: str
    config: FinetuneConfig
    encoding: str
    limit: int | None
    batch_size: int | None


def _write(
    model: Model, rows: _Rows, beam: Beam | None, max_tokens: int, min_tokens: int, metrics: Sequence[str]
) -> Result:
    """What the model writes for each row, as the log of a result, and what it is worth."""
    loaded = Loaded(model.family, model.config, model.module, model.tokenizer)
    encoder = of_length(sft_encoder_of(loaded, rows.config), max_tokens)
    encoder = replace(encoder, scorer=replace(encoder.scorer, rows=rows.batch_size))
    # The file's encoding, not that of the training.
    config = replace(rows.config, data=replace(rows.config.data, encoding=rows.encoding))
    chosen = rows_of(config, rows.file)[: rows.limit]
    written = list(decode(encoder, chosen, beam, max_tokens=max_tokens, min_tokens=min_tokens))
    values = overlap(metrics, [row.written for row in written], [row.wanted for row in written])
    return Result(
        task="seq2seq",
        pattern=config.data.form,
        rows=len(written),
        cut=0,
        metrics={name: Value(value, math.nan, math.nan) for name, value in values.items()},
        notes=(Path(rows.file).name,),
        log=tuple(asdict(row) for row in written),
    )


def _as_trained(model: Model, length: int | None) -> FinetuneConfig:
    """How a model that was trained to write was asked; the defaults for another."""
    config = None if model.origin is None else saved_config(model.origin)
    if config is not None:
        return config
    name = "" if model.origin is None else str(model.origin)
    return FinetuneConfig(model=name, task="seq2seq", length=length or model.config.max_positions)


def _parts(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names from a list, or from one text with commas between them."""
    return tuple(name for name in names.split(",") if name) if isinstance(names, str) else tuple(names)
