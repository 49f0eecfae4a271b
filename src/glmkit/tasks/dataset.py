"""The rows of a fine-tuning run, and the task they pose."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.tasks import files
from glmkit.tasks.config import DataConfig, FinetuneConfig
from glmkit.tasks.custom import CustomTask, build, read_spec
from glmkit.tasks.instance import Instance
from glmkit.tasks.registry import task
from glmkit.tasks.tables import read_rows
from glmkit.tasks.task import Row, Split, Task


@dataclass(frozen=True)
class Dataset:
    """`custom` describes the task where it is not one of ours; `pattern` is the number of the one to fill."""

    task: Task
    custom: CustomTask | None
    pattern: int
    train: list[Instance]
    dev: list[Instance]
    sources: dict[str, str]  # split -> the files read


def open_dataset(config: FinetuneConfig) -> Dataset:
    """Raises UserError naming file and row for a column, a label or a text that is missing, or an unknown label."""
    data = config.data
    if data.name and not data.name.endswith((".yaml", ".yml")):
        found = task(data.name)
        pattern = int(config.pattern) if config.pattern.isdigit() else found.pattern
        if config.pattern and not config.pattern.isdigit():
            raise UserError(f"task {data.name} has its own patterns: pattern must be one's number")
        custom = None
        splits: dict[str, list[Row]] = {}
        sources: dict[str, str] = {}
        for split in ("train", "dev"):
            paths = files.find(data.name, split, Path(data.dir))
            splits[split], sources[split] = list(files.read(data.name, paths)), ", ".join(map(str, paths[:3]))
    else:
        custom, splits, sources = _own(config)
        found, pattern = build(custom, data.name or data.train), 0
    if config.task == "cloze" and pattern not in found.patterns:
        raise UserError(f"task {found.name} has no pattern {pattern}; it has {', '.join(map(str, found.patterns))}")
    if config.task == "classify" and (not found.labels or not found.pair):
        raise UserError(f"task {found.name} has no labels that all rows share: use task=cloze")
    rng = random.Random(config.seed)
    train = _labelled(found, splits["train"], "train", data)
    train = _few(train, data.few, rng) if data.few else train[: data.limit or None]
    dev = _labelled(found, splits["dev"], "dev", data)[: data.dev_limit or None]
    alone = all(len(each.choices) == 1 for each in train)
    if config.task == "cloze" and alone and config.loss in ("cross_entropy", "hinge"):
        raise UserError(
            f"{sources['train']}: its rows offer one answer each, of which {config.loss} learns nothing; "
            "give loss=generative"
        )
    if config.class_weights == "balanced":
        train = _balanced(train)
    return Dataset(found, custom, pattern, train, dev, sources)


def _own(config: FinetuneConfig) -> tuple[CustomTask, dict[str, list[Row]], dict[str, str]]:
    """The task of the user's own files."""
    data = config.data
    if data.name:
        spec = read_spec(Path(data.name))
        paths = {split: Path(data.name).parent / file for split, file in spec.data.items()}
    else:
        spec, paths = None, {"train": Path(data.train), "dev": Path(data.dev)}
    for split in ("train", "dev"):
        if split not in paths or paths[split] == Path():
            raise UserError(f"no {split} rows: give data.{split}=FILE (.csv, .tsv or .jsonl)")
    rows: dict[str, list[Row]] = {split: list(read_rows(paths[split])) for split in ("train", "dev")}
    if spec is None:
        spec = _spec(config, rows["train"])
    return spec, rows, {split: str(paths[split]) for split in ("train", "dev")}


def _spec(config: FinetuneConfig, rows: Sequence[Row]) -> CustomTask:
    """The task that columns and flags describe; the labels are those of the training rows, in order of name."""
    data = config.data
    columns = data.text.split(",")
    for column in (*columns, data.label):
        if column not in rows[0]:
            known = [name for name in rows[0] if name != "_where"]
            raise UserError(f"{rows[0]['_where']}: no column {column!r}{nearest(column, known)}")
    if len(columns) > 2:
        raise UserError(f"data.text names {len(columns)} columns ({data.text}): one or two are read")
    if odd := [pair for pair in data.words.split(",") if pair and "=" not in pair]:
        raise UserError(
            f'data.words must be label=word with commas between, such as "neg=bad,pos=good"; got {odd[0]!r}'
        )
    words = dict(pair.split("=", 1) for pair in data.words.split(",") if pair)
    labels = sorted({str(row[data.label]) for row in rows if row.get(data.label) not in (None, "")})
    if words and set(labels) - set(words):
        raise UserError(f"data.words has no word for the labels {', '.join(sorted(set(labels) - set(words)))}")
    if len(labels) < 2:
        raise UserError(f"{data.train}: {len(labels)} labels in column {data.label!r}: there is nothing to tell apart")
    if config.task == "cloze" and not config.pattern:
        raise UserError('task=cloze needs a pattern, such as pattern="{text} It was [MASK]."')
    return CustomTask(
        name=Path(data.train).stem,
        pattern=config.pattern if config.task == "cloze" else "",
        words=words or {name: name for name in labels},
        label=data.label,
        pair=tuple(f"{{{column}}}" for column in columns[:2]),
        metrics=("accuracy", "macro_f1"),
    )


def _labelled(found: Task, rows: Sequence[Row], split: Split, data: DataConfig) -> list[Instance]:
    instances = found.read(rows, split)
    for instance in instances:
        where = found.place(instance)
        if instance.gold is None and not instance.golds:
            raise UserError(f"{where}: no label; a row to learn from or to measure needs one")
        if found.is_empty(instance):
            raise UserError(f"{where}: empty text; remove the row or fill it in")
    if not instances:
        raise UserError(f"no rows to {'learn from' if split == 'train' else 'measure'}")
    return instances


def _few(train: Sequence[Instance], count: int, rng: random.Random) -> list[Instance]:
    """At most `count` rows of each label, drawn at random."""
    by_label: dict[int | None, list[Instance]] = defaultdict(list)
    for instance in train:
        by_label[instance.gold].append(instance)
    return [each for group in by_label.values() for each in rng.sample(group, min(count, len(group)))]


def _balanced(train: Sequence[Instance]) -> list[Instance]:
    """Every label weighs the same in all, whatever its rows."""
    counts = Counter(instance.gold for instance in train)
    return [replace(each, weight=len(train) / (len(counts) * counts[each.gold])) for each in train]
