"""Does pretraining help to write? A GLM that glmkit pretrained against the same one from random weights, and against
the lead sentence or a copy of the source: summaries (SciTLDR), advertisements (AdvertiseGen, 900 rows to learn from and
170 to judge), questions (CMRC, four fifths of its articles to learn from).

    python docs/experiments/writing.py MODEL DATA OUTPUT [--epochs 10] [--seed 0]

MODEL is a pretrained GLM, DATA the folder that holds generation/ and lm_eval/. Writes OUTPUT/results.json; every number
comes from `glmkit finetune` and `glmkit eval --seq2seq` with the settings below.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from glmkit.families.load import read
from glmkit.generate.beam import Beam
from glmkit.tasks.config import DataConfig, FinetuneConfig, defaults
from glmkit.tasks.decode import decode
from glmkit.tasks.finetune import finetune
from glmkit.tasks.overlap import overlap
from glmkit.tasks.talks import Pair, read_pairs
from glmkit.tasks.writing import scribe_of
from glmkit.train.methods import write_model

BEAM = Beam(beams=5, length_penalty=0.7, no_repeat_ngram=3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    random = options.output / "random"
    if not random.exists():
        untrained(options.model, random, options.seed)
    results: dict[str, Any] = {}
    for name, (config, metrics, baseline) in tasks(options.data, options.output).items():
        judged = read_pairs(Path(config.data.dev), config.data)
        results[name] = {"baseline": scores(metrics, [baseline(row) for row in judged], judged)}
        for start, model in (("pretrained", options.model), ("random", random)):
            run = options.output / f"{name}-{start}"
            settings = replace(config, model=str(model), output=str(run), epochs=options.epochs, seed=options.seed)
            scribe = scribe_of(read(finetune(replace(settings, resume="auto")), dtype=torch.float32), settings)
            written = [each.written for each in decode(scribe, judged, BEAM, max_tokens=config.data.target_length)]
            results[name][start] = scores(metrics, written, judged)
        (options.output / "results.json").write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
        print(name, json.dumps(results[name]))


def untrained(model: Path, output: Path, seed: int) -> None:
    """The same architecture and tokenizer with new weights."""
    loaded = read(model, dtype=torch.float32)
    loaded.family.initialise(loaded.model, torch.Generator().manual_seed(seed))
    output.mkdir()
    write_model(output, None, loaded)


def tasks(data: Path, output: Path) -> dict[str, tuple[FinetuneConfig, Sequence[str], Callable[[Pair], str]]]:
    """Each with its settings, its metrics, and what is compared with."""
    usual = replace(defaults("full"), task="seq2seq", smoothing=0.1, length=512)
    advert = data / "generation/adgen/dev.json"
    lines = advert.read_text(encoding="utf-8").splitlines()
    split(output / "advert", lines[:900], lines[900:])
    articles = json.loads((data / "lm_eval/cmrc2018_dev.json").read_text(encoding="utf-8"))["data"]
    cut = len(articles) * 4 // 5
    for name, part in (("train", articles[:cut]), ("dev", articles[cut:])):
        (output / f"cmrc-{name}.json").write_text(json.dumps({"data": part}, ensure_ascii=False), encoding="utf-8")
    science = data / "generation/scitldr_a"
    return {
        "scitldr": (
            with_data(usual, science / "train.jsonl", science / "test.jsonl", form="summary", target_length=64),
            ("rouge",),
            lambda row: row.source.split(". ")[0],
        ),
        "advert": (
            with_data(
                usual, output / "advert-train.jsonl", output / "advert-dev.jsonl", source="content", target="summary"
            ),
            ("rouge", "bleu"),
            lambda row: row.source,
        ),
        "cmrc": (
            with_data(usual, output / "cmrc-train.json", output / "cmrc-dev.json", form="cmrc", target_length=48),
            ("exact", "f1"),
            lambda row: row.source.split("。")[0],
        ),
    }


def with_data(config: FinetuneConfig, train: Path, dev: Path, **columns: Any) -> FinetuneConfig:
    return replace(config, data=DataConfig(train=str(train), dev=str(dev), **columns))


def split(stem: Path, train: Sequence[str], dev: Sequence[str]) -> None:
    for name, part in (("train", train), ("dev", dev)):
        stem.with_name(f"{stem.name}-{name}.jsonl").write_text("".join(f"{row}\n" for row in part), encoding="utf-8")


def scores(metrics: Sequence[str], written: Sequence[str], rows: Sequence[Pair]) -> dict[str, float]:
    return overlap(metrics, written, [row.targets for row in rows])


if __name__ == "__main__":
    main()
