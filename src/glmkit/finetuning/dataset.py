"""The rows of a fine-tuning run, and the task they pose."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from glmkit.core.errors import UserError
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.tasks import files
from glmkit.tasks.cells import columns_of, known, label_name, where_of
from glmkit.tasks.custom import CustomTask, build, read_spec
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import template_of
from glmkit.tasks.registry import task
from glmkit.tasks.tables import read_rows
from glmkit.tasks.task import Row, Split, Task

T = TypeVar("T")


@dataclass(frozen=True)
class Dataset:
    """`custom` describes the task where it is not one of ours; `pattern` is the number of the one to fill."""

    task: Task
    custom: CustomTask | None
    pattern: int
    train: list[Instance]
    dev: list[Instance]
    sources: dict[str, str]  # split -> the files read
    notes: tuple[str, ...] = ()  # what a reader should know of how the rows came about


def open_dataset(config: FinetuneConfig) -> Dataset:
    """Raises UserError naming file and row for a column, a label or a text that is missing, or an unknown label."""
    data = config.data
    notes: tuple[str, ...] = ()
    if data.name and not data.name.endswith((".yaml", ".yml")):
        chosen = task(data.name)
        pattern = int(config.pattern) if config.pattern.isdigit() else chosen.pattern
        if config.pattern and not config.pattern.isdigit():
            raise UserError(f"task {data.name} has its own patterns: pattern must be one's number")
        custom = None
        splits: dict[str, list[Row]] = {}
        sources: dict[str, str] = {}
        for split in ("train", "dev"):
            paths = files.find(data.name, split, Path(data.dir))
            splits[split] = list(files.read(data.name, paths, data.encoding))
            sources[split] = ", ".join(map(str, paths[:3]))
    else:
        custom, splits, sources, notes = _own(config)
        chosen, pattern = build(custom, data.name or data.train), 0
    if config.task == "cloze" and pattern not in chosen.patterns:
        raise UserError(f"task {chosen.name} has no pattern {pattern}; it has {', '.join(map(str, chosen.patterns))}")
    if config.task == "classify" and (not chosen.labels or not chosen.pair):
        raise UserError(f"task {chosen.name} has no labels that all rows share: use task=cloze")
    rng = random.Random(config.seed)
    train = _labelled(chosen, splits["train"], "train", data)
    train = _few(train, data.few, rng) if data.few else train[: data.limit or None]
    dev = _labelled(chosen, splits["dev"], "dev", data)[: data.dev_limit or None]
    alone = all(len(item.choices) == 1 for item in train)
    if config.task == "cloze" and alone and config.loss in ("cross_entropy", "hinge"):
        raise UserError(
            f"{sources['train']}: its rows offer one answer each, of which {config.loss} learns nothing; "
            "give loss=generative"
        )
    if config.class_weights == "balanced":
        train = _balanced(train)
    return Dataset(chosen, custom, pattern, train, dev, sources, notes)


def _own(config: FinetuneConfig) -> tuple[CustomTask, dict[str, list[Row]], dict[str, str], tuple[str, ...]]:
    """The task of the user's own files."""
    data, spec = config.data, None
    header, encoding = data.header, data.encoding
    if data.name:
        spec = read_spec(Path(data.name))
        paths = {split: Path(data.name).parent / file for split, file in spec.data.items()}
        header, encoding = header and spec.header, spec.encoding if encoding == "utf-8" else encoding
    else:
        paths = {split: Path(file) for split, file in (("train", data.train), ("dev", data.dev)) if file}
    missing = [split for split in ("train", "dev") if split not in paths]
    if "train" in missing or (missing and not data.dev_share):
        raise UserError(no_rows(missing[0]))
    rows: dict[str, list[Row]] = {}
    for split in ("train", "dev"):
        if split in paths:
            rows[split] = list(read_rows(paths[split], header=header, encoding=encoding))
    if spec is None:
        spec = _spec(config, rows["train"])
    sources = {split: str(paths.get(split, paths["train"])) for split in ("train", "dev")}
    if not missing:
        return spec, rows, sources, ()
    column = spec.label
    rows["train"], rows["dev"] = hold_out(rows["train"], data.dev_share, config.seed, lambda row: row.get(column))
    return spec, rows, sources, (held_out_note(rows["dev"], rows["train"], config),)


def no_rows(split: str) -> str:
    """What is said of a split that nobody gave."""
    share = ", or data.dev_share=0.1 to hold out a tenth of the training rows" if split == "dev" else ""
    return f"no {split} rows: give data.{split}=FILE (.csv, .tsv, .jsonl or .json){share}"


def hold_out(
    rows: Sequence[T], share: float, seed: int, group: Callable[[T], object] = lambda row: None
) -> tuple[list[T], list[T]]:
    """The rows to learn from and those held out, a `share` of every group, drawn by `seed` alone; both in order.

    Raises UserError where nothing would be left of either.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[str(group(row))].append(place)
    draw, candidates = random.Random(f"dev rows {seed}"), []
    for places in groups.values():
        draw.shuffle(places)  # each of a group's rows, but one that stays, at its share of the way through the group
        candidates += [((n + draw.random()) / len(places), place) for n, place in enumerate(places[:-1])]
    held = {place for _, place in sorted(candidates)[: max(1, round(share * len(rows)))]}
    if not held:
        raise UserError(f"{len(rows)} rows are too few to hold out any of them: give data.dev=FILE")
    kept = [row for place, row in enumerate(rows) if place not in held]
    return kept, [row for place, row in enumerate(rows) if place in held]


def held_out_note(dev: Sequence[object], train: Sequence[object], config: FinetuneConfig) -> str:
    """What is said of rows that were held out."""
    return (
        f"no data.dev: {len(dev)} of the {len(dev) + len(train)} rows of {config.data.train or config.data.name} are "
        f"held out (data.dev_share={config.data.dev_share:g}, seed={config.seed})"
    )


def _spec(config: FinetuneConfig, rows: Sequence[Row]) -> CustomTask:
    """The task that columns and flags describe; the labels are those of the training rows, in order of name."""
    data, first = config.data, rows[0]
    columns, label = columns_of(data.text, first), columns_of(data.label, first)[0]
    for column in (*columns, label):
        if column not in first:
            hint = known(column, first)
            if data.header and "known:" in hint:
                hint += "; where the first line names no columns, give data.header=false: they are 0, 1, 2, ..."
            raise UserError(f"{where_of(first)}: no column {column!r}{hint}")
    if len(columns) > 2:
        raise UserError(f"data.text names {len(columns)} columns ({data.text}): one or two are read")
    if odd := [pair for pair in data.words.split(",") if pair and "=" not in pair]:
        raise UserError(
            f'data.words must be label=word with commas between, such as "neg=bad,pos=good"; got {odd[0]!r}'
        )
    words = {name.strip(): word for name, word in (pair.split("=", 1) for pair in data.words.split(",") if pair)}
    labels = sorted({name for row in rows if (name := label_name(row, label, words)) is not None})
    if words and set(labels) - set(words):
        raise UserError(f"data.words has no word for the labels {', '.join(sorted(set(labels) - set(words)))}")
    if len(labels) < 2:
        raise UserError(f"{data.train}: {len(labels)} labels in column {label!r}: there is nothing to tell apart")
    if config.task == "cloze" and not config.pattern:
        raise UserError('task=cloze needs a pattern, such as pattern="{text} It was [MASK]."')
    return CustomTask(
        name=Path(data.train).stem,
        pattern=config.pattern if config.task == "cloze" else "",
        words=words or {name: name for name in labels},
        label=label,
        pair=tuple(map(template_of, columns)),
        metrics=("accuracy", "macro_f1"),
        header=data.header,
    )


def _labelled(chosen: Task, rows: Sequence[Row], split: Split, data: DataConfig) -> list[Instance]:
    instances = chosen.read(rows, split)
    for instance in instances:
        where = chosen.place(instance)
        if instance.gold is None and not instance.golds:
            raise UserError(f"{where}: no label; a row to learn from or to measure needs one")
        if chosen.is_empty(instance):
            raise UserError(f"{where}: empty text; remove the row or fill it in")
    if not instances:
        raise UserError(f"no rows to {'learn from' if split == 'train' else 'measure'}")
    return instances


def _few(train: Sequence[Instance], count: int, rng: random.Random) -> list[Instance]:
    """At most `count` rows of each label, drawn at random."""
    by_label: dict[int | None, list[Instance]] = defaultdict(list)
    for instance in train:
        by_label[instance.gold].append(instance)
    return [item for group in by_label.values() for item in rng.sample(group, min(count, len(group)))]


def _balanced(train: Sequence[Instance]) -> list[Instance]:
    """Every label weighs the same in all, whatever its rows."""
    counts = Counter(instance.gold for instance in train)
    return [replace(item, weight=len(train) / (len(counts) * counts[item.gold])) for item in train]
