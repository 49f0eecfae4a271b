"""What grammar does a GLM of five million parameters learn from one reading of ten million words?

Pretrains a NeoGLM on novels and asks BLiMP: of two sentences that differ in one point of grammar, is the good one more
probable? Asked along the run and of random weights; a tie counts as wrong.

| step | leaves |
|---|---|
| text | OUT/text.jsonl: an equal share of every novel, whole sentences without the line breaks of the book |
| tokenizer | of 8,192 pieces, and OUT/data |
| pretraining | OUT/run, one pass over the text; three quarters of the examples left to right, the others with blanks |
| questions | OUT/blimp.json and OUT/blimp.png |

    python docs/experiments/blimp.py OUT --shared DIR            everything that is not there yet
    python docs/experiments/blimp.py OUT --shared DIR --words 3500000 --sample 670

It uses one thread unless --threads says more, and goes on where it was interrupted.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from glmkit.api.evaluate import evaluate
from glmkit.cli.progress import TrainingProgress
from glmkit.core import machine
from glmkit.core.files import atomic_directory, atomic_file, write_text
from glmkit.data.prepare import prepare
from glmkit.data.shards import TOKENIZER, open_shards
from glmkit.data.sources import documents
from glmkit.families import directory
from glmkit.families.registry import family_of, preset
from glmkit.pictures.style import REFERENCE, picture, series
from glmkit.recipes.pretraining import RECIPES
from glmkit.text.load import load as load_tokenizer
from glmkit.text.trained import train
from glmkit.train.config import PretrainConfig
from glmkit.train.model import build_model
from glmkit.train.pretrain import pretrain
from glmkit.train.text import open_text

WIDTH = 300  # characters of a document, if its sentences allow
ROWS, LENGTH = 32, 96
CHECKPOINTS = 12
WHOLE, BLANKS = "left to right", "through blanks"
NUMBERS = {WHOLE: 0, BLANKS: 2}  # of their curves
_END = re.compile(r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?<!\bSt\.)(?:(?<=[.!?])|(?<=[.!?][\"']))\s+(?=[\"'A-Z])")


def text(out: Path, shared: Path, words: int) -> Path:
    """The documents, an equal share of each novel from its beginning."""
    path = out / "text.jsonl"
    if path.exists():
        return path
    files = sorted((shared / "data/pretrain/en_novels").glob("*.txt"))
    novels = [_documents(file.read_text(encoding="utf-8-sig")) for file in files]
    share = words / sum(len(document.split()) for novel in novels for document in novel)
    with atomic_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
        for novel in novels:
            for document in novel[: round(share * len(novel))]:
                file.write(json.dumps({"text": document}) + "\n")
    return path


def _documents(novel: str) -> list[str]:
    """A novel as runs of whole sentences of one paragraph."""
    return [document for paragraph in _paragraphs(novel) for document in _runs(_END.split(paragraph))]


def _paragraphs(novel: str) -> Iterator[str]:
    """Paragraphs as one line each. In a book that breaks its lines, one ends where a line is short or empty."""
    lines = [" ".join(line.split()) for line in novel.split("\n")]
    width = int(np.quantile([len(line) for line in lines if line], 0.9))
    broken = width < 100
    held: list[str] = []
    for line in [*lines, ""]:
        held.append(line)
        if not broken or len(line) < 0.8 * width:
            yield " ".join(held).strip()
            held = []


def _runs(sentences: Sequence[str]) -> Iterator[str]:
    """Sentences put together up to `WIDTH` characters."""
    held = ""
    for sentence in sentences:
        if held and len(held) + len(sentence) > WIDTH:
            yield held
            held = ""
        held = f"{held} {sentence}".strip()
    if held:
        yield held


def prepared(out: Path, shared: Path, words: int) -> Path:
    """The shards of the text, with a tokenizer learnt from it."""
    path = out / "data"
    if not path.exists():
        file = text(out, shared, words)
        tokenizer = train((document.text for document in documents(file, "line")), vocab_size=8192)
        prepare([file], tokenizer, path)
    return path


def config(out: Path, data: Path, threads: int) -> PretrainConfig:
    """One pass over the text by a NeoGLM of four blocks of 256."""
    base = RECIPES["neoglm-nano"]()
    settings = replace(
        base,
        data=str(data),
        output=str(out / "run"),
        model=replace(preset("neoglm-nano"), num_layers=4),
        objective=replace(base.objective, token=0.25, left_to_right=0.75, mean_length=2.0),
        seq_length=LENGTH,
        batch_size=ROWS,
        micro_batch_size=ROWS,
        schedule=replace(base.schedule, shape="wsd", floor=0.0),
        validation=0.005,
        keep_last=CHECKPOINTS,
        threads=threads,
        resume="auto",
    )
    tokens = int(open_text(settings).training.lengths.sum())
    steps = tokens // (ROWS * LENGTH)
    every = steps // CHECKPOINTS
    return replace(settings, steps=steps, validation_every=every, save_every=every)


def trained(settings: PretrainConfig) -> None:
    """The run, gone on with from where it stands; what it began with is kept too, to be asked."""
    random = Path(settings.output).parent / "random"
    if not random.exists():
        module, model = build_model(settings, load_tokenizer(Path(settings.data) / TOKENIZER))
        with atomic_directory(random) as partial:
            family = family_of(model)
            directory.write(partial, family, model, module, load_tokenizer(Path(settings.data) / TOKENIZER), None)
    if not (Path(settings.output) / "model").exists():
        pretrain(settings, lambda trainer, done: [TrainingProgress(trainer, done)])


def ask(path: Path, shared: Path, pattern: int | Literal[""], limit: int | None) -> dict[str, dict[str, float]]:
    """Of each way that `pattern` names the accuracy in percent, over all pairs and by phenomenon."""
    results = evaluate(path, tasks="blimp", data=shared / "data", pattern=pattern, limit=limit)
    return {
        result.pattern: {name: round(100 * value.value, 2) for name, value in result.metrics.items()}
        for result in results
    }


def report(out: Path, settings: PretrainConfig, shared: Path, sample: int) -> None:
    """Asks what has not been asked yet: of random weights and of the last checkpoint all pairs by the whole sentence
    and a sample through blanks, of the checkpoints between them a sample from left to right."""
    result = out / "blimp.json"
    rows = {row["step"]: row for row in json.loads(result.read_text())["checkpoints"]} if result.exists() else {}
    corpus = {name: open_shards(Path(settings.data)).manifest[name] for name in ("documents", "tokens")}
    checkpoints = {0: out / "random"}
    checkpoints |= {int(path.name[5:]): path for path in sorted((out / "run/checkpoints").glob("step-????????"))}
    for step, path in checkpoints.items():
        if step not in rows:
            tokens = json.loads((path / "training/state.json").read_text())["tokens"] if step else 0
            rows[step] = {"step": step, "tokens": tokens, "accuracy": {}, "sample": {}}
        values = rows[step]
        if WHOLE not in values["sample"]:
            values["sample"] |= ask(path, shared, 1, sample)
        if step in (0, max(checkpoints)):
            if WHOLE not in values["accuracy"]:
                values["accuracy"] |= ask(path, shared, "", None)
            if BLANKS not in values["sample"]:
                values["sample"] |= ask(path, shared, 2, sample)
        print(values, file=sys.stderr)
        state = {"steps": settings.steps, "corpus": corpus, "pairs in a sample": sample}
        write_text(result, json.dumps(state | {"checkpoints": [rows[key] for key in sorted(rows)]}, indent=1) + "\n")
    draw([rows[key] for key in sorted(rows)], out / "blimp.png")


def draw(rows: list[dict], path: Path) -> None:
    with picture(path, width=11, height=4.7) as (figure, _):
        curve, bars = figure.subplots(1, 2, width_ratios=(1, 1.25))
        lowest = 0.0  # of the next name, so that none lies on another
        for way, values in sorted(rows[-1]["sample"].items(), key=lambda item: item[1]["accuracy"]):
            along = [row for row in rows if way in row["sample"]]
            tokens, heights = zip(
                *[(row["tokens"] / 1e6, row["sample"][way]["accuracy"]) for row in along], strict=True
            )
            look = series(NUMBERS.get(way, 0))
            curve.plot(tokens, heights, **look if len(along) > 2 else look | {"ls": "none"})
            name_at = max(values["accuracy"], lowest)
            at = (tokens[-1], name_at)
            curve.annotate(way, at, (7, 0), textcoords="offset points", color=look["color"], va="center")
            lowest = name_at + 0.6
        curve.axhline(50, **REFERENCE)
        curve.set(xlabel="million tokens seen", ylabel="pairs right (%)", xlim=(0, 1.7 * rows[-1]["tokens"] / 1e6))
        curve.set_ylim(top=lowest + 0.6)

        first, last = (row["accuracy"][WHOLE] for row in (rows[0], rows[-1]))
        terms = sorted((name for name in last if name != "accuracy"), key=lambda name: last[name])
        names = [name.replace("_", " ") for name in terms]
        bars.barh(names, [last[name] for name in terms], color=series(NUMBERS[WHOLE])["color"])
        bars.scatter([first[name] for name in terms], names, color="black", ec="white", s=24, zorder=3)
        bars.axvline(50, **REFERENCE)
        bars.set(xlabel=f"pairs right, {WHOLE} (%); dots: random weights; dashed: chance", xlim=(0, 100))
        bars.grid(visible=False, axis="y")


def redraw(folder: Path) -> None:
    """The picture of blimp.json once more."""
    draw(json.loads((folder / "blimp.json").read_text())["checkpoints"], folder / "blimp.png")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds data/")
    parser.add_argument("--words", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sample", type=int, default=6_700, help="pairs asked along the run, and through blanks")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    machine.use_threads(options.threads)
    settings = config(options.out, prepared(options.out, options.shared, options.words), options.threads)
    trained(settings)
    report(options.out, settings, options.shared, options.sample)


if __name__ == "__main__":
    main()
