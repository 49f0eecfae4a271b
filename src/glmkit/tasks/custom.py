"""A task from a YAML file: columns, a pattern with [MASK], and the words that stand for the labels.

    name: reviews
    pattern: "{text} It was [MASK]."          or `patterns:` with a list of them
    words: {negative: terrible, positive: great}
    label: label                              the column that holds the label
    metrics: [accuracy, macro_f1]
    pair: ["{text}"]                          what a classifier with a head reads: one template or two
    data: {train: train.tsv, dev: dev.tsv}    beside this file
    header: false                             their first line names no columns: they are 0, 1, 2, ...
    encoding: gb18030                         of the files, where it is not UTF-8

Instead of `words`, `choices: [column, column, ...]` names columns that hold each row's own answers, the label being
the number of the right one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glmkit.core.config import from_mapping
from glmkit.core.errors import UserError, nearest
from glmkit.core.files import read_text
from glmkit.core.kinds import TEXT, check, table_of
from glmkit.core.strict_json import LARGEST
from glmkit.tasks.cells import as_text, get, label, text
from glmkit.tasks.instance import Instance
from glmkit.tasks.metrics import METRICS
from glmkit.tasks.pattern import BLANK, Pattern, named, pattern_of_text
from glmkit.tasks.tables import check_encoding
from glmkit.tasks.task import Row, Task


@dataclass(frozen=True, kw_only=True)
class CustomTask:
    """What the YAML file may say."""

    name: str
    pattern: str = ""
    patterns: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    label: str = "label"
    metrics: tuple[str, ...] = ("accuracy",)
    pair: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    encoding: str = "utf-8"


def read_spec(path: Path) -> CustomTask:
    """What a YAML file says. Raises UserError naming file and key."""
    import yaml

    try:
        table = yaml.safe_load(read_text(path, LARGEST))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise UserError(f"{path} must hold keys and values: name, pattern, words, ...")
    for key in ("words", "data"):
        if key in table and not isinstance(table[key], dict):
            raise UserError(f"{path}: {key} must be a table")
    words = {
        str(label).lower() if isinstance(label, bool) else str(label): as_text(word, f"{path}: the word of {label!r}")
        for label, word in table.get("words", {}).items()
    }
    spec = from_mapping(CustomTask, {"name": path.stem, **table, "words": words}, str(path))
    check(spec.words, table_of(TEXT), f"{path}: words")
    check(spec.data, table_of(TEXT), f"{path}: data")
    check_encoding(spec.encoding, f"{path}: encoding")
    return spec


def build(spec: CustomTask, where: str) -> Task:
    """The task; raises UserError for what does not fit together."""
    texts = spec.patterns or ((spec.pattern,) if spec.pattern else ())
    if not texts and not spec.pair:
        raise UserError(f"{where}: no pattern; write one with {BLANK} in it")
    if bool(spec.words) == bool(spec.choices):
        raise UserError(f"{where}: give either words (a word for each label) or choices (the columns that hold them)")
    for name in spec.metrics:
        if name not in METRICS:
            raise UserError(f"{where}: unknown metric {name!r}{nearest(name, METRICS)}")
    try:
        patterns = {number: _pattern(text, list(map(str, spec.words.values()))) for number, text in enumerate(texts)}
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    labels = tuple(map(str, spec.words))
    for word in (words := list(spec.words.values())):
        if words.count(word) > 1:
            raise UserError(f"{where}: {word!r} is the word of several labels: nothing could tell them apart")
    columns = [name for name in named((*spec.pair, *texts)) if name != "choice" or not spec.choices]
    if not named(texts or spec.pair):
        raise UserError(f"{where}: the pattern names no column of the rows: write one, such as {{text}}")
    if spec.label in columns:
        raise UserError(f"{where}: the pattern reads {spec.label!r}, the label's own column: it would hold the answer")

    def instances(rows: Sequence[Row], split: str, labels: Sequence[str]) -> list[Instance]:
        return [_instance(row, number, spec, columns, split, labels) for number, row in enumerate(rows)]

    return Task(
        name=spec.name, labels=labels, patterns=patterns, instances=instances, metrics=spec.metrics, pair=spec.pair
    )


def _pattern(text: str, words: Sequence[str]) -> Pattern:
    """White space before the blank belongs to what fills it."""
    space = " " if f" {BLANK}" in text else ""
    return pattern_of_text(text, [f"{space}{word}" for word in words], answer=space + "{choice}")


def _instance(
    row: Row, number: int, spec: CustomTask, columns: Sequence[str], split: str, labels: Sequence[str]
) -> Instance:
    """Only rows of `test` may be without a label: they are to be answered. Columns that no pattern reads are kept as
    they are, since the hash of a run's rows is over all of them (run.json of version 0.1.0)."""
    fields = {name: str(cell) for name, cell in row.items() if name != spec.label}
    fields |= {name: text(row, name) for name in columns}
    choices = tuple(text(row, column) for column in spec.choices)
    if split != "test":
        get(row, spec.label)
    known = labels or tuple(map(str, range(len(choices))))
    return Instance(uid=str(number), fields=fields, choices=choices, gold=label(row, known, spec.label))
