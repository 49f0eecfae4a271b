"""Does filling blanks help to understand? A small GLM learns from labelled rows in several ways, and so do words alone.

| way | is |
|---|---|
| cloze | a pretrained NeoGLM of four million parameters, fine-tuned to fill the blank of the task's own pattern |
| cloze, random start | the same from random weights |
| head | the pretrained model with a classification head |
| bag of words | logistic regression over words and pairs of words (scikit-learn); over characters in Chinese |
| cloze, no task texts | the first way, pretrained on the general text alone |

A model is pretrained once for each language, without a label: on general text (English novels; Chinese poems and news)
and on the texts of the tasks' training splits, those that are judged too left out. All ways learn from the same
labelled rows. A peak rate is chosen for each way and language, and the strength of the bag of words' penalty for each
task, on training rows alone; what is reported is measured once, after the last step, on rows that chose nothing.

    python docs/experiments/understanding.py OUT --shared DIR       everything that is not there yet; then the picture
    python docs/experiments/understanding.py OUT --shared DIR --only rte,copa --ways "cloze;bag of words" --seeds 0

Leaves OUT/understanding.json and OUT/understanding.png; what is done already is not done again.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import blimp
import numpy as np

from glmkit import api
from glmkit.cli.progress import TrainingProgress
from glmkit.core import machine
from glmkit.core.errors import MissingExtra
from glmkit.core.files import atomic_directory, atomic_file, write_text
from glmkit.data.prepare import prepare
from glmkit.data.shards import TOKENIZER
from glmkit.data.sources import documents
from glmkit.families import directory
from glmkit.families.registry import family_of
from glmkit.finetuning.config import DataConfig, FinetuneConfig
from glmkit.finetuning.run import finetune
from glmkit.finetuning.saved import read_saved
from glmkit.pictures.style import BLUE, GREEN, GREY, ORANGE, VERMILION, legend_below, picture
from glmkit.recipes.pretraining import RECIPES
from glmkit.tasks import files
from glmkit.tasks.instance import Instance
from glmkit.tasks.registry import task
from glmkit.tasks.run import rows
from glmkit.tasks.task import Split
from glmkit.text.load import load as load_tokenizer
from glmkit.text.trained import train
from glmkit.train.config import CorpusConfig, PretrainConfig
from glmkit.train.model import build_model
from glmkit.train.pretrain import pretrain
from glmkit.train.schedule import ScheduleConfig


@dataclass(frozen=True)
class Job:
    """A task: its language, the split it is judged on, epochs, the rows to learn from (all of them when 0) and their
    length, at most how many rows are judged, and the number of the pattern to fill. `every`: of how many rows one is
    judged, where a file is sorted by label."""

    language: str
    judged: Split
    epochs: int
    rows: int = 0
    length: int = 128
    limit: int = 1000
    pattern: str = ""
    every: int = 1


JOBS = {
    "sst2": Job("en", "test", 3, 4000, 64, pattern="1"),
    "rte": Job("en", "dev", 3, 1200),
    "copa": Job("en", "dev", 3, length=96),
    "wic": Job("en", "dev", 3, 2000, 96),
    "boolq": Job("en", "dev", 2, 600),
    "chnsenticorp": Job("zh", "test", 3, 2000, pattern="2"),
    "eprstmt": Job("zh", "test", 20, pattern="2"),
    "tnews": Job("zh", "test", 10, every=4),
}
CLOZE, RANDOM, HEAD, WORDS, GENERAL = WAYS = (
    "cloze",
    "cloze, random start",
    "head",
    "bag of words",
    "cloze, no task texts",
)
TITLES = {"sst2": "SST-2", "rte": "RTE", "copa": "COPA", "wic": "WiC", "boolq": "BoolQ"}
TITLES |= {"chnsenticorp": "ChnSentiCorp", "eprstmt": "EPRSTMT", "tnews": "TNEWS"}
TUNED_ON = {"en": "sst2", "zh": "chnsenticorp"}
ABLATED = "zh"  # the language that is pretrained without the tasks' texts as well
RATES = (3e-4, 1e-3, 3e-3)
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
UNLABELLED = {"eprstmt": "fewclue/eprstmt/unlabeled.json", "tnews": "fewclue/tnews/unlabeled.json"}
TUNING_DEV = 600  # training rows that rates are measured on
SHORTEST = 12  # characters of a field that two texts do not share by chance
STEPS = 1800  # of pretraining
TASK_SHARE = {"en": 0.5, "zh": 0.7}  # of its tokens: the tasks' texts'


def joined(item: Instance) -> str:
    """The text of a row, without its answer."""
    return " ".join(map(str, item.fields.values()))


def labelled_rows(name: str, shared: Path) -> list[Instance]:
    """The rows of a task that all ways learn from."""
    table = files.read(name, files.find(name, "train", shared / "data"))
    return task(name).read(table, "train")[: JOBS[name].rows or None]


def judged_rows(name: str, shared: Path) -> list[Instance]:
    """The rows that a task is judged on: of the published split those that are no labelled rows too, as 69 of
    ChnSentiCorp's are."""
    learnt = {joined(item) for item in labelled_rows(name, shared)}
    _, judged, _ = rows(name, JOBS[name].judged, shared / "data")
    chosen = judged[:: JOBS[name].every][: JOBS[name].limit]
    return [item for item in chosen if joined(item) not in learnt]


def general_texts(language: str, out: Path, shared: Path) -> Path:
    """A file of documents that have nothing to do with the tasks."""
    if language == "en":
        return blimp.text(out, shared, 10_000_000)
    path, folder = out / "general.jsonl", shared / "data/pretrain"
    if not path.exists():
        news = [folder / "zh_cluecorpussmall_sample.txt"] * 2  # the little there is of today's language, twice
        poems = [folder / "zh_songci.jsonl", folder / "zh_poetry_tang.jsonl"]
        texts = (document.text for file in [*news, *poems] for document in documents(file, "line"))
        write_documents(path, islice(texts, 40_000))
    return path


def task_texts(language: str, out: Path, shared: Path) -> Path:
    """A file of the texts of the training splits, all their rows, without labels; and of those published without any.
    A row of which a field is in a judged row too is left out."""
    path = out / "tasks.jsonl"
    if path.exists():
        return path
    texts = []
    for name, job in JOBS.items():
        if job.language != language:
            continue
        _, judged, _ = rows(name, job.judged, shared / "data")
        seen = {str(field) for item in judged for field in item.fields.values() if len(str(field)) > SHORTEST}
        paths = files.find(name, "train", shared / "data")
        paths += [shared / "data" / UNLABELLED[name]] if name in UNLABELLED else []
        items = task(name).read(files.read(name, paths), "dev")
        kept = [item for item in items if not any(str(field) in seen for field in item.fields.values())]
        print(f"{name}: {len(kept)} texts, {len(items) - len(kept)} left out", file=sys.stderr, flush=True)
        texts += [joined(item) for item in kept]
    write_documents(path, texts)
    return path


def write_documents(path: Path, texts: Iterator[str] | Sequence[str]) -> None:
    with atomic_file(path) as partial:
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        partial.write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True)
class Models:
    """The pretrained models of a language, made when they are asked for."""

    language: str
    out: Path
    shared: Path

    def data(self, which: str) -> Path:
        """The shards of the general text or of the tasks', with the tokenizer of both."""
        path = self.out / f"data-{which}"
        if path.exists():
            return path
        self.out.mkdir(parents=True, exist_ok=True)
        sources = {
            "general": general_texts(self.language, self.out, self.shared),
            "tasks": task_texts(self.language, self.out, self.shared),
        }
        if which == "tasks":
            tokenizer = load_tokenizer(self.data("general") / TOKENIZER)
        else:
            texts = (document.text for file in sources.values() for document in documents(file, "line"))
            tokenizer = train(texts, vocab_size=8192)
        prepare([sources[which]], tokenizer, path)
        return path

    def config(self, name: str, share: float) -> PretrainConfig:
        """A run of the recipe, `share` of its tokens from the tasks' texts."""
        recipe = RECIPES["neoglm-nano"]()
        shares = {"general": 1 - share, "tasks": share}
        return replace(
            recipe,
            data=tuple(CorpusConfig(path=str(self.data(one)), weight=part) for one, part in shares.items() if part),
            output=str(self.out / name),
            steps=STEPS,
            schedule=replace(recipe.schedule, shape="wsd", warmup=0.03, floor=0.0, decay=0.6),
            validation=0.005,
            validation_every=300,
            validation_examples=60,
            save_every=300,
            keep_last=1,
            threads=1,
            resume="auto",
        )

    @property
    def pretrained(self) -> Path:
        return trained(self.config("pretrained", TASK_SHARE[self.language]))

    @property
    def general(self) -> Path:
        """Pretrained for as many steps on the general text alone."""
        return trained(self.config("general", 0.0))

    def random(self, seed: int) -> Path:
        """A model of the same size with random weights."""
        path = self.out / f"random-{seed}"
        if not path.exists():
            config = replace(self.config("", 0.0), seed=seed)
            tokenizer = load_tokenizer(self.data("general") / TOKENIZER)
            module, model = build_model(config, tokenizer)
            with atomic_directory(path) as partial:
                directory.write(partial, family_of(model), model, module, tokenizer, None)
        return path


def trained(config: PretrainConfig) -> Path:
    """The model of a run, which is carried out unless it is done."""
    model = Path(config.output) / "model"
    if not model.exists():
        pretrain(config, lambda trainer, done: [TrainingProgress(trainer, done)])
    return model


def tuning_rows(name: str, out: Path, shared: Path) -> Path:
    """A folder like `shared`/data with training rows of a task alone: the first to learn from, others to measure."""
    path = out / "tuning" / name
    if not path.exists():
        header, *lines = files.find(name, "train", shared / "data")[0].read_text(encoding="utf-8").splitlines()
        half = JOBS[name].rows // 2
        parts = {"train": lines[:half], "dev": lines[JOBS[name].rows : JOBS[name].rows + TUNING_DEV]}
        with atomic_directory(path) as partial:
            for split, part in parts.items():
                (partial / f"{split}.tsv").write_text("\n".join([header, *part]) + "\n", encoding="utf-8")
    return path


def tuned(way: str, models: Models) -> dict[str, float]:
    """What each peak rate gives a way on training rows that it did not learn from."""
    name = TUNED_ON[models.language]
    data = tuning_rows(name, models.out, models.shared)
    _, judged, _ = rows(name, "dev", data)
    given = {}
    for rate in RATES:
        path = models.out / "tuning-runs" / f"{slug(way)}-{rate:g}"
        given[f"{rate:g}"] = round(judge(finetuning(name, way, 0, rate, data, models, path), judged), 4)
        print(f"{name}, {way}, rate {rate:g}: {given[f'{rate:g}']:.3f} of training rows", flush=True)
    return given


def slug(way: str) -> str:
    return way.replace(", ", "-").replace(" ", "-")


def finetuning(name: str, way: str, seed: int, rate: float, data: Path, models: Models, path: Path) -> FinetuneConfig:
    """A run over the rows of a task in `data`, into `path`."""
    job = JOBS[name]
    model = models.random(seed) if way == RANDOM else models.general if way == GENERAL else models.pretrained
    return FinetuneConfig(
        model=str(model),
        output=str(path),
        task="classify" if way == HEAD else "cloze",
        data=DataConfig(name=name, dir=str(data), limit=job.rows, dev_limit=32),
        pattern="" if way == HEAD else job.pattern,
        epochs=job.epochs,
        length=job.length,
        schedule=ScheduleConfig(peak=rate, shape="linear", warmup=0.1, floor=0.0),
        evaluate_every=1_000_000,
        seed=seed,
        threads=1,
        resume="auto",
    )


def judge(config: FinetuneConfig, judged: Sequence[Instance]) -> float:
    """The accuracy after the last step; the run is removed."""
    model = finetune(config)
    given = read_saved(model).task_module(api.load(model).scorer, task(config.data.name)).predict(judged)
    shutil.rmtree(config.output)
    return float(np.mean([answer == item.gold for (answer, _), item in zip(given, judged, strict=True)]))


def bag_of_words(train_rows: Sequence[Instance], judged: Sequence[Instance], language: str) -> float:
    """The accuracy of logistic regression, its penalty chosen by cross-validation over the rows to learn from. Of rows
    with choices of their own each choice is a text, and the most probable one is the answer."""
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegressionCV
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise MissingExtra("scikit-learn", "eval") from None
    analyzer = "char" if language == "zh" else "word"
    model = make_pipeline(
        CountVectorizer(analyzer=analyzer, ngram_range=(1, 2), binary=True),
        LogisticRegressionCV(Cs=PENALTIES, cv=5, max_iter=1000),
    )
    if not train_rows[0].choices:
        model.fit([joined(item) for item in train_rows], [item.gold for item in train_rows])
        return float(model.score([joined(item) for item in judged], [item.gold for item in judged]))
    pairs = dict.fromkeys(  # a row's mirror image has the same pairs
        (text, number == item.gold) for item in train_rows for number, text in enumerate(choice_texts(item))
    )
    model.fit(*zip(*pairs, strict=True))
    hits = [np.argmax(model.predict_proba(choice_texts(item))[:, 1]) == item.gold for item in judged]
    return float(np.mean(hits))


def choice_texts(item: Instance) -> list[str]:
    return [f"{item.fields['premise']} {choice}" for choice in item.choices]


def accuracy(name: str, way: str, seed: int, rate: float, models: Models) -> float:
    """Of the judged rows of a task."""
    judged = judged_rows(name, models.shared)
    if way == WORDS:
        return bag_of_words(labelled_rows(name, models.shared), judged, models.language)
    path = models.out / "runs" / f"{name}-{slug(way)}-{seed}"
    return judge(finetuning(name, way, seed, rate, models.shared / "data", models, path), judged)


class Results:
    """What is known of a language's tasks, in OUT/LANGUAGE/results.json, which several processes may write."""

    def __init__(self, out: Path) -> None:
        self._path = out / "results.json"

    @property
    def values(self) -> dict[str, dict]:
        empty: dict[str, dict] = {"tuning": {}, "accuracy": {}, "seconds": {}}
        return json.loads(self._path.read_text()) if self._path.exists() else empty

    def put(self, *keys: str, value: object) -> None:
        """Writes one value down, whatever else came to be known meanwhile."""
        values = place = self.values
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
        write_text(self._path, json.dumps(values, ensure_ascii=False, indent=1) + "\n")

    def rate(self, way: str, models: Models) -> float:
        """The peak rate of a way, tuned when it is first asked for."""
        if way == WORDS:
            return 0.0
        like = CLOZE if way == GENERAL else way
        if like not in self.values["tuning"]:
            self.put("tuning", like, value=tuned(like, models))
        given = self.values["tuning"][like]
        return max(RATES, key=lambda rate: given[f"{rate:g}"])

    def add(self, name: str, way: str, seed: int, models: Models) -> None:
        """The accuracy of a seed, unless it is known. The bag of words has no chance in it."""
        known = self.values["accuracy"].get(name, {}).get(way, {})
        if str(seed) in known or (way == WORDS and seed):
            return
        rate = self.rate(way, models)
        began = time.process_time()
        value = round(accuracy(name, way, seed, rate, models), 4)
        seconds = round(time.process_time() - began, 1)
        self.put("accuracy", name, way, str(seed), value=value)
        self.put("seconds", f"{name}, {way}, {seed}", value=seconds)
        print(f"{name}, {way}, seed {seed}: {value:.3f} in {seconds:.0f} CPU seconds", flush=True)


def report(out: Path, shared: Path) -> None:
    """Both languages together, with how many rows were judged and the share of the most frequent answer."""
    state: dict[str, dict] = {"pretraining": {}, "tuning": {}, "rows": {}, "accuracy": {}, "seconds": {}}
    for language in TUNED_ON:
        results = Results(out / language).values
        for run in ("pretrained", "general"):
            if (log := out / language / run / "log.jsonl").exists():
                state["pretraining"][f"{language}, {run}"] = last_measures(log)
        state["seconds"] |= results["seconds"]
        state["tuning"][language] = results["tuning"]
        state["accuracy"] |= results["accuracy"]
    state["accuracy"] = {name: state["accuracy"][name] for name in JOBS if name in state["accuracy"]}
    for name in state["accuracy"]:
        answers = [item.gold for item in judged_rows(name, shared)]
        share = round(max(np.bincount(answers)) / len(answers), 4)
        learnt = len(labelled_rows(name, shared))
        state["rows"][name] = {"learnt": learnt, "judged": len(answers), "most frequent": share}
    write_text(out / "understanding.json", json.dumps(state, ensure_ascii=False, indent=1) + "\n")
    for name, ways in state["accuracy"].items():
        for way, values in ways.items():
            seeds = [*values.values()]
            spread = f" ± {np.std(seeds, ddof=1):.3f}" if len(seeds) > 1 else ""
            print(f"{name:13} {way:20} {np.mean(seeds):.3f}{spread}")
    draw(state, out / "understanding.png")


def last_measures(log: Path) -> dict[str, float]:
    """The tokens read by a pretraining run, and its last loss on held-out text of each kind."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    last: dict[str, float] = {"tokens": max(record["tokens"] for record in records if record["kind"] == "step")}
    return last | {record["objective"]: round(record["loss"], 3) for record in records if record["kind"] == "heldout"}


# Colour and hatch of each way, so that a print in grey tells them apart.
LOOKS = {CLOZE: (VERMILION, ""), RANDOM: (ORANGE, "//"), HEAD: (BLUE, ".."), WORDS: (GREY, ""), GENERAL: (GREEN, "xx")}


def draw(state: dict[str, dict], path: Path) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = list(state["accuracy"])
    with picture(path, width=10, height=4.8) as (figure, _):
        axes = figure.add_subplot()
        for place, name in enumerate(names):
            ways = [way for way in WAYS if state["accuracy"][name].get(way)]
            for number, way in enumerate(ways):
                values = [100 * value for value in state["accuracy"][name][way].values()]
                x = place + (number - (len(ways) - 1) / 2) * 0.175
                colour, hatch = LOOKS[way]
                axes.bar(x, np.mean(values), 0.16, color=colour, hatch=hatch, ec="white")
                if len(values) > 1:
                    axes.plot([x] * len(values), values, "k.", ms=4)
            share = 100 * state["rows"][name]["most frequent"]
            axes.plot([place - 0.45, place + 0.45], [share, share], "k--", lw=1)
        labels = [f"{TITLES[name]}\n{state['rows'][name]['learnt']:,} rows" for name in names]
        axes.set_xticks(range(len(names)), labels)
        axes.set(ylabel="accuracy on judged rows (%)", ylim=(0, 100), xlim=(-0.55, len(names) - 0.45))
        axes.grid(visible=False, axis="x")
        handles = [Patch(fc=LOOKS[way][0], hatch=LOOKS[way][1], ec="white", label=way) for way in WAYS]
        handles += [Line2D([], [], color="k", ls="", marker=".", label="one seed")]
        handles += [Line2D([], [], color="k", ls="--", lw=1, label="the most frequent answer")]
        legend_below(figure, columns=4, handles=handles)


def redraw(folder: Path) -> None:
    """The picture of understanding.json once more."""
    draw(json.loads((folder / "understanding.json").read_text(encoding="utf-8")), folder / "understanding.png")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds data/")
    parser.add_argument("--only", default=",".join(JOBS), help="tasks, with commas between")
    parser.add_argument("--ways", default=";".join(WAYS), help="with semicolons between")
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    options = parser.parse_args(arguments)
    machine.use_threads(1)
    for seed in map(int, options.seeds.split(",")):
        for name in options.only.split(","):
            language = JOBS[name].language
            models = Models(language, options.out / language, options.shared)
            for way in options.ways.split(";"):
                if name == "copa" and way == HEAD:
                    continue  # its rows have choices of their own
                if way == GENERAL and language != ABLATED:
                    continue
                Results(models.out).add(name, way, seed, models)
    report(options.out, options.shared)


if __name__ == "__main__":
    main()
