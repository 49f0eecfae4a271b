"""Where a benchmark's rows lie: its own file names, in DIR, DIR/TASK or DIR/BENCHMARK/TASK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.tasks.cells import Row
from glmkit.tasks.tables import read_rows

# split -> the names a file may have, in the order of preference
_SUPERGLUE = {
    "train": ("train.jsonl", "train1000.jsonl", "train32.jsonl"),
    "dev": ("val.jsonl", "dev32.jsonl"),
    "test": ("test.jsonl",),
}
_FEWCLUE = {
    "train": ("train_0.json", "train.json", "train_few_all.json"),
    "dev": ("dev_0.json", "dev.json", "dev_few_all.json"),
    "test": ("test_public.json", "test.json"),
}
_TSV = {name: (f"{name}.tsv",) for name in ("train", "dev", "test")}
_CSV = {"train": ("train.csv",), "dev": ("test.csv",), "test": ("test.csv",)}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folders a task may lie in, the files of its splits, and whether a table's first line names its columns."""

    folders: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    header: bool = True


_NAMES = {"copa": "COPA", "cb": "CB", "rte": "RTE", "boolq": "BoolQ", "wic": "WiC", "wsc": "WSC"}
_NAMES |= {"multirc": "MultiRC", "record": "ReCoRD"}

PLACES = {
    **{task: Place(folders=(f"superglue/{name}", name, task), files=_SUPERGLUE) for task, name in _NAMES.items()},
    **{
        task: Place(folders=(f"fewclue/{task}", f"clue/{task}", task), files=_FEWCLUE)
        for task in ("tnews", "eprstmt", "ocnli", "csl", "bustm", "chid", "cluewsc", "afqmc")
    },
    "sst2": Place(folders=("classification/sst2", "glue/SST-2", "SST-2", "sst2"), files=_TSV),
    "cola": Place(folders=("glue/CoLA", "CoLA", "cola"), files=_TSV, header=False),
    "mrpc": Place(folders=("glue/MRPC", "MRPC", "mrpc"), files=_TSV),
    "qqp": Place(folders=("glue/QQP", "QQP", "qqp"), files=_TSV),
    "qnli": Place(folders=("glue/QNLI", "QNLI", "qnli"), files=_TSV),
    "mnli": Place(
        folders=("glue/MNLI", "MNLI", "mnli"),
        files={"train": ("train.tsv",), "dev": ("dev_matched.tsv",), "test": ("test_matched.tsv",)},
    ),
    **{
        task: Place(folders=(task,), files=_CSV, header=False)
        for task in ("agnews", "yahoo", "yelp-polarity", "yelp-full")
    },
    "xstance": Place(folders=("xstance",), files={"train": ("train.jsonl",), "dev": ("test.jsonl",)}),
    "race": Place(folders=("RACE", "race"), files={name: (f"{name}/*/*.txt",) for name in ("train", "dev", "test")}),
    "chnsenticorp": Place(folders=("classification/chnsenticorp", "chnsenticorp"), files=_TSV),
    "squad": Place(folders=("squad",), files={"train": ("train-v1.1.json",), "dev": ("dev-v1.1.json",)}),
    "cmrc": Place(folders=("lm_eval", "cmrc"), files={"dev": ("cmrc2018_dev.json",)}),
    "cmmlu": Place(
        folders=("lm_eval/cmmlu", "cmmlu"),
        files={"train": ("dev/*.csv",), "dev": ("test/*.csv", "dev/*.csv"), "test": ("test/*.csv",)},
    ),
}


def find(task: str, split: str, data: Path) -> list[Path]:
    """The files of a split of a task. Raises UserError naming where they were looked for."""
    if not data.is_dir():
        raise UserError(f"{data}: no such directory; give --data the folder that holds the benchmark's files")
    place = PLACES[task]
    names = place.files.get(split, ())
    for folder in (*place.folders, "."):
        if folder == "." and not any((data / name).is_file() for name in names):
            continue
        for name in names:
            if files := sorted((data / folder).glob(name)):
                return files
    raise UserError(
        f"task {task}: no {' or '.join(names) or split + ' split'} in {data} or its {', '.join(place.folders)}; "
        "put the benchmark's own files there"
    )


def read(task: str, files: Sequence[Path], encoding: str = "utf-8") -> list[Row]:
    """The rows of a task's files."""
    header = PLACES[task].header
    return [row for file in files for row in read_rows(file, header=header, encoding=encoding, published=True)]
