"""Does filling blanks help to understand? The same rows, answered by a small GLM in several ways and without one.

| how | is |
|---|---|
| cloze | a GLM pretrained by glmkit, fine-tuned to fill the blank of the task's own pattern |
| cloze, random | the same from random weights |
| head | the pretrained GLM with a classification head |
| words | logistic regression over a bag of words and pairs of words (scikit-learn); of characters in Chinese |

English tasks get a model pretrained on English novels, Chinese ones on Tang poems and Song lyrics. Every way trains for
the same number of epochs with three seeds; what is reported is dev accuracy after the last one, so nothing is chosen by
the rows that are reported. LAMBADA and WikiText-2 are measured on the English model in both ways.

    python docs/experiments/understanding.py OUT --shared DIR         everything that is not there yet; then the picture
    python docs/experiments/understanding.py OUT --shared DIR --only rte,copa --seeds 1 --steps 200

Leaves OUT/understanding.json and OUT/understanding.png; what is done already is not done again. On 2 cores shared with
other work a step of pretraining took 4.6 s and COPA's ten epochs 172 s.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmkit import api
from glmkit.cli.eval import subject_of
from glmkit.core.errors import MissingExtra
from glmkit.core.files import atomic_file
from glmkit.data.prepare import prepare
from glmkit.data.sources import documents
from glmkit.families import directory
from glmkit.recipes.pretraining import RECIPES
from glmkit.tasks.config import DataConfig, FinetuneConfig
from glmkit.tasks.dataset import Dataset, open_dataset
from glmkit.tasks.finetune import finetune
from glmkit.tasks.run import Plan, run, table
from glmkit.text.trained import train
from glmkit.train.logs import read_log
from glmkit.train.pretrain import build_model, pretrain
from glmkit.train.schedule import ScheduleConfig

TEXT = {
    "en": (["pretrain/en_novels"], "blank-line", 12_000_000),
    "zh": (["pretrain/zh_poetry_tang.jsonl", "pretrain/zh_songci.jsonl"], "line", 12_000_000),
}
CHNSENTICORP = {"text": "text_a", "pattern": "{text_a}总之[MASK]。", "words": "0=不好,1=好"}


@dataclass(frozen=True)
class Job:
    """A task: its language, epochs, and at most so many rows to train on (all of them when 0)."""

    language: str
    epochs: int
    rows: int = 0
    length: int = 128


JOBS = {
    "sst2": Job("en", 3, 4000, 64),
    "rte": Job("en", 5),
    "copa": Job("en", 10, length=64),
    "wic": Job("en", 5, length=96),
    "boolq": Job("en", 5, length=256),
    "chnsenticorp": Job("zh", 3, 3000),
    "eprstmt": Job("zh", 20),
    "tnews": Job("zh", 20),
}
WAYS = ("cloze", "cloze, random", "head", "words")


def base_model(out: Path, shared: Path, language: str, steps: int) -> tuple[Path, Path]:
    """The pretrained model of a language and one of the same size with random weights, made if they are not there."""
    folder = out / language
    if not (folder / "data").exists():
        paths, split, size = TEXT[language]
        files = [
            file
            for path in paths
            for file in sorted(
                (shared / "data" / path).rglob("*") if (shared / "data" / path).is_dir() else [shared / "data" / path]
            )
            if file.is_file()
        ]
        sample = (document.text for file in files for document in documents(file, split))
        tokenizer = train(_first(sample, size), vocab_size=12000)
        prepare(files, tokenizer, folder / "data", split=split)
    config = replace(
        RECIPES["glm-mini"](),
        data=str(folder / "data"),
        output=str(folder / "pretrained"),
        steps=steps,
        seq_length=256,
        resume="auto",
    )
    model = folder / "pretrained/model"
    if not model.exists():
        pretrain(config)
    random = folder / "random"
    if not random.exists():
        loaded = api.load(model)
        fresh, fresh_config = build_model(replace(config, seed=1), loaded.tokenizer)
        random.mkdir()
        directory.write(random, loaded.family, fresh_config, fresh, loaded.tokenizer, None)
    return model, random


def _first(texts: object, size: int) -> list[str]:
    kept: list[str] = []
    for text in texts:  # type: ignore[attr-defined]
        kept.append(text)
        size -= len(text)
        if size < 0:
            break
    return kept


def config_of(task: str, way: str, seed: int, models: tuple[Path, Path], out: Path, shared: Path) -> FinetuneConfig:
    job = JOBS[task]
    data = DataConfig(name=task, dir=str(shared / "data"), limit=job.rows)
    config = FinetuneConfig(
        model=str(models[1] if way == "cloze, random" else models[0]),
        output=str(out / "runs" / f"{task}-{way.replace(', ', '-')}-{seed}"),
        task="classify" if way == "head" else "cloze",
        data=data,
        epochs=job.epochs,
        length=job.length,
        schedule=ScheduleConfig(peak=2e-4, shape="linear", warmup=0.1, floor=0.0),
        seed=seed,
        resume="auto",
    )
    if task == "chnsenticorp":
        folder = shared / "data/classification/chnsenticorp"
        data = replace(data, name="", train=str(folder / "train.tsv"), dev=str(folder / "dev.tsv"))
        config = replace(config, data=replace(data, text=CHNSENTICORP["text"], words=CHNSENTICORP["words"]))
        config = replace(config, pattern=CHNSENTICORP["pattern"] if way != "head" else "")
    return config


def accuracy(task: str, way: str, seed: int, models: tuple[Path, Path], out: Path, shared: Path) -> float:
    """Dev accuracy after the last epoch."""
    config = config_of(task, way, seed, models, out, shared)
    if way == "words":
        return bag_of_words(open_dataset(config), JOBS[task].language, seed)
    finetune(config)
    return [event["accuracy"] for event in read_log(Path(config.output)) if event["kind"] == "heldout"][-1]


def bag_of_words(dataset: Dataset, language: str, seed: int) -> float:
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise MissingExtra("scikit-learn", "eval") from None
    analyser = "char" if language == "zh" else "word"
    model = make_pipeline(
        CountVectorizer(analyzer=analyser, ngram_range=(1, 2), binary=True),
        LogisticRegression(max_iter=1000, random_state=seed),
    )
    if dataset.task.labels:
        rows = [
            ([" ".join(each.fields.values()) for each in split], [each.gold for each in split])
            for split in (dataset.train, dataset.dev)
        ]
        model.fit(*rows[0])
        return float(model.score(*rows[1]))
    pairs = [
        (f"{each.fields['premise']} {choice}", number == each.gold)
        for each in dataset.train
        for number, choice in enumerate(each.choices)
    ]
    model.fit(*zip(*pairs, strict=True))
    hits = [
        int(np.argmax(model.predict_proba([f"{each.fields['premise']} {choice}" for choice in each.choices])[:, 1]))
        == each.gold
        for each in dataset.dev
    ]
    return float(np.mean(hits))


def draw(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, way in enumerate(WAYS):
        tasks = [task for task in results if way in results[task]]
        values = [results[task][way] for task in tasks]
        at = [list(results).index(task) + (place - 1.5) * 0.2 for task in tasks]
        spread = [np.std(each) for each in values]
        axes.bar(at, [np.mean(each) for each in values], 0.18, yerr=spread, label=way, capsize=2)
    axes.set_xticks(range(len(results)), list(results))
    axes.set(ylabel="dev accuracy", title="mean and standard deviation over seeds", ylim=(0, 1))
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def language_models(model: Path, shared: Path) -> list[dict[str, object]]:
    plan = Plan(tasks=("lambada", "wikitext"), data=shared / "data", limit=1000, length=256)
    return table(run(subject_of(api.load(model)), plan, lambda name, total: lambda count: None))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--only", default=",".join(JOBS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500, help="of pretraining")
    options = parser.parse_args(arguments)
    found = options.out / "understanding.json"
    state = json.loads(found.read_text()) if found.is_file() else {"results": {}, "seconds": {}, "language": None}
    for task in options.only.split(","):
        models = base_model(options.out, options.shared, JOBS[task].language, options.steps)
        for way in WAYS:
            if task == "copa" and way == "head":
                continue  # its rows have choices of their own
            values = state["results"].setdefault(task, {}).setdefault(way, [])
            for seed in range(len(values), options.seeds):
                began = time.monotonic()
                values.append(accuracy(task, way, seed, models, options.out, options.shared))
                state["seconds"][f"{task}, {way}, {seed}"] = round(time.monotonic() - began, 1)
                print(f"{task}, {way}, seed {seed}: {values[-1]:.3f} in {time.monotonic() - began:.0f} s", flush=True)
                found.write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n")
    if state["language"] is None and "en" in {JOBS[task].language for task in state["results"]}:
        state["language"] = language_models(options.out / "en/pretrained/model", options.shared)
        found.write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n")
    draw(state["results"], options.out / "understanding.png")


if __name__ == "__main__":
    main()
