"""Does filling blanks help to understand? The same rows, answered by a small GLM in several ways and without one.

| how | is |
|---|---|
| cloze | a GLM pretrained by glmkit, fine-tuned to fill the blank of the task's own pattern |
| cloze, random | the same from random weights |
| head | the pretrained GLM with a classification head |
| words | logistic regression over a bag of words and pairs of words (scikit-learn); of characters in Chinese |

English tasks get a model pretrained on English novels, Chinese ones on poems and a little news. Every way learns from
the same rows for the same number of epochs, with three seeds, and is judged after the last one, so nothing is chosen by
the rows that are reported. LAMBADA and WikiText-2 are measured on the English model in both ways.

    python docs/experiments/understanding.py OUT --shared DIR         everything that is not there yet; then the picture
    python docs/experiments/understanding.py OUT --shared DIR --only rte,copa --seeds 1 --steps 200

Leaves OUT/understanding.json and OUT/understanding.png; what is done already is not done again.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmkit import api
from glmkit.core.errors import MissingExtra
from glmkit.core.files import atomic_file
from glmkit.data.prepare import prepare
from glmkit.data.sources import documents
from glmkit.families import directory
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.dataset import Dataset, open_dataset
from glmkit.finetuning.run import finetune
from glmkit.finetuning.saved import read_saved
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.recipes.pretraining import RECIPES
from glmkit.tasks.instance import Instance
from glmkit.tasks.run import Plan, rows, run, table
from glmkit.tasks.task import Split
from glmkit.text.trained import train
from glmkit.train.pretrain import build_model, pretrain
from glmkit.train.schedule import ScheduleConfig

TEXT = {
    "en": (["pretrain/en_novels"], "blank-line", 12_000_000),
    "zh": (
        ["pretrain/zh_poetry_tang.jsonl", "pretrain/zh_songci.jsonl", "pretrain/zh_cluecorpussmall_sample.txt"],
        "line",
        12_000_000,
    ),
}


@dataclass(frozen=True)
class Job:
    """A task: its language, the split it is judged on, epochs, the rows to learn from (all of them when 0) and their
    length, at most how many rows are judged, and how many answers there are."""

    language: str
    judged: Split
    epochs: int
    rows: int = 0
    length: int = 128
    limit: int = 1000
    answers: int = 2


JOBS = {
    "sst2": Job("en", "test", 2, 4000, 64),
    "rte": Job("en", "dev", 2, 1200),
    "copa": Job("en", "dev", 3, length=96),
    "wic": Job("en", "dev", 2, 2000, 96),
    "boolq": Job("en", "dev", 2, 600),
    "chnsenticorp": Job("zh", "test", 2, 2000),
    "eprstmt": Job("zh", "test", 20),
    "tnews": Job("zh", "test", 4, limit=500, answers=15),
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
        tokenizer = train(_first(sample, size), vocab_size=8000)
        prepare(files, tokenizer, folder / "data", split=split)
    config = replace(
        RECIPES["glm-nano"](),
        objective=ObjectiveConfig(token=0.5, document=0.5),
        data=str(folder / "data"),
        output=str(folder / "pretrained"),
        steps=steps,
        seq_length=256,
        batch_size=32,
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


def accuracy(task: str, way: str, seed: int, models: tuple[Path, Path], out: Path, shared: Path) -> float:
    """Of the judged rows, after the last epoch."""
    job = JOBS[task]
    config = FinetuneConfig(
        model=str(models[1] if way == "cloze, random" else models[0]),
        output=str(out / "runs" / f"{task}-{way.replace(', ', '-')}-{seed}"),
        task="classify" if way == "head" else "cloze",
        data=DataConfig(name=task, dir=str(shared / "data"), limit=job.rows, dev_limit=32),
        epochs=job.epochs,
        length=job.length,
        schedule=ScheduleConfig(peak=5e-4, shape="linear", warmup=0.1, floor=0.0),
        evaluate_every=1_000_000,
        seed=seed,
        resume="auto",
    )
    _, judged, _ = rows(task, job.judged, shared / "data")
    judged = judged[: job.limit]
    if way == "words":
        return bag_of_words(open_dataset(config), judged, job.language, seed)
    model = finetune(config)
    given = read_saved(model).task_module(api.load(model).scorer).predict(judged)
    return float(np.mean([answer == item.gold for (answer, _), item in zip(given, judged, strict=True)]))


def bag_of_words(dataset: Dataset, judged: Sequence[Instance], language: str, seed: int) -> float:
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
        texts = [[" ".join(map(str, item.fields.values())) for item in part] for part in (dataset.train, judged)]
        model.fit(texts[0], [item.gold for item in dataset.train])
        return float(model.score(texts[1], [item.gold for item in judged]))
    pairs = [
        (f"{item.fields['premise']} {choice}", number == item.gold)
        for item in dataset.train
        for number, choice in enumerate(item.choices)
    ]
    model.fit(*zip(*pairs, strict=True))
    hits = [
        int(np.argmax(model.predict_proba([f"{item.fields['premise']} {choice}" for choice in item.choices])[:, 1]))
        == item.gold
        for item in judged
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
        spread = [np.std(value) for value in values]
        axes.bar(at, [np.mean(value) for value in values], 0.18, yerr=spread, label=way, capsize=2)
    for place, task in enumerate(results):
        chance = 1 / JOBS[task].answers
        axes.plot([place - 0.4, place + 0.4], [chance] * 2, "k--", linewidth=1, label="chance" if not place else None)
    axes.set_xticks(range(len(results)), list(results))
    axes.set(ylabel="accuracy", title="mean and standard deviation over seeds", ylim=(0, 1))
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def language_models(model: Path, shared: Path) -> list[dict[str, object]]:
    plan = Plan(tasks=("lambada", "wikitext"), data=shared / "data", limit=1000, length=256)
    return table(run(api.load(model).scorer, plan, lambda name, total: lambda count: None))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--only", default=",".join(JOBS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1400, help="of pretraining")
    options = parser.parse_args(arguments)
    result = options.out / "understanding.json"
    state = json.loads(result.read_text()) if result.is_file() else {"results": {}, "seconds": {}, "language": None}
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
                result.write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n")
    if state["language"] is None and "en" in {JOBS[task].language for task in state["results"]}:
        state["language"] = language_models(options.out / "en/pretrained/model", options.shared)
        result.write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n")
    draw(state["results"], options.out / "understanding.png")


if __name__ == "__main__":
    main()
