"""What blank infilling learns, against masked and left-to-right language modelling, and what its parts are worth.

Trains the same small model with each objective on the same text for the same number of tokens, then asks every
checkpoint the same questions about held-out text, each model in its own way:

    word   one token is hidden          span   three tokens in a row are hidden

| run | hidden tokens are read as | log p of them |
|---|---|---|
| glm and its ablations | one [MASK], written back | of the tokens, by the chain rule, without the end token |
| masked_lm | a [MASK] each (it is told how many) | of each token by itself |
| left_to_right | nothing: only what stands on the left is read | by the chain rule |

    python docs/experiments/objectives.py prepare OUT --shared DIR      text -> tokenizer and shards, en and zh
    python docs/experiments/objectives.py run OUT LANGUAGE RUN          one run, about 10 minutes on 2 cores
    python docs/experiments/objectives.py report OUT                    questions, OUT/objectives.json and .png
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from glmkit import api
from glmkit.cli.progress import TrainingProgress
from glmkit.data.loader import one_pass
from glmkit.data.prepare import prepare
from glmkit.data.sources import Document, documents
from glmkit.families.registry import preset
from glmkit.infill.corruption import Chunk, Vocabulary
from glmkit.infill.layout import Blanked, Layout, blanked, causal_layout, masked_layout
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.objective.loss import targets_of, token_losses
from glmkit.text.trained import train
from glmkit.train.config import PretrainConfig
from glmkit.train.pretrain import pretrain
from glmkit.train.schedule import ScheduleConfig
from glmkit.train.text import open_text

LANGUAGES = {
    "en": (["pretrain/en_novels"], "file", 12_000_000),
    "zh": (["pretrain/zh_poetry_tang.jsonl", "pretrain/zh_songci.jsonl"], "line", 12_000_000),
}
RUNS = {
    "glm": {},
    "masked_lm": {"objective": ObjectiveConfig(token=0, masked_lm=1)},
    "left_to_right": {"objective": ObjectiveConfig(token=0, left_to_right=1)},
    "no shuffle": {"objective": ObjectiveConfig(order="left-to-right")},
    "one channel": {"model": replace(preset("glm-nano"), positions="one-channel")},
}
STEPS, ROWS, LENGTH, QUESTIONS = 900, 16, 128, 600
SPANS = {"word": 1, "span": 3}


def config(out: Path, language: str, run: str) -> PretrainConfig:
    base = PretrainConfig(
        data=str(out / language / "data"),
        output=str(out / language / run.replace(" ", "-")),
        model=preset("glm-nano"),
        steps=STEPS,
        seq_length=LENGTH,
        batch_size=ROWS,
        micro_batch_size=ROWS,
        schedule=ScheduleConfig(peak=2e-3, floor=0.05),
        validation=0.04,
        validation_every=STEPS // 6,
        save_every=STEPS // 6,
        keep_last=6,
        log_every=25,
        resume="auto",
    )
    return replace(base, **RUNS[run])


def prepare_all(out: Path, shared: Path) -> None:
    for language, (names, split, characters) in LANGUAGES.items():
        folder = out / language
        folder.mkdir(parents=True, exist_ok=True)
        paths = [file for name in names for file in sorted((shared / name).rglob("*")) or [shared / name]]
        with open(folder / "text.jsonl", "w", encoding="utf-8") as file:
            for text in _share(paths, split, characters):
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
        texts = (document.text for document in documents(folder / "text.jsonl", "line"))
        manifest = prepare([folder / "text.jsonl"], train(texts, vocab_size=4096), folder / "data")
        print(language, manifest["documents"], "documents", manifest["tokens"], "tokens", file=sys.stderr)


def _share(paths: list[Path], split: str, characters: int) -> Iterator[str]:
    """Texts of all files, an equal number of characters of each, cut into documents of at most 4,000 characters."""
    for path in paths:
        left = characters // len(paths)
        for document in documents(path, split):  # type: ignore[arg-type]
            for part in _parts(document):
                if left > 0:
                    yield part
                    left -= len(part)


def _parts(document: Document) -> list[str]:
    return [document.text[at : at + 4000] for at in range(0, len(document.text), 4000)]


@dataclass(frozen=True)
class Question:
    """Hides `length` tokens at a place drawn from the example's random numbers: the same for every kind of model."""

    length: int
    kind: str

    def __call__(self, chunk: Chunk, vocabulary: Vocabulary, rng: np.random.Generator) -> Blanked | Layout:
        length = min(self.length, len(chunk.tokens) - 1 - chunk.first)
        start = int(rng.integers(chunk.first, len(chunk.tokens) - length))
        places = np.arange(start, start + length)
        if self.kind == "masked_lm":
            corrupted = chunk.tokens.copy()
            corrupted[places] = vocabulary.special.mask
            return masked_layout(chunk.tokens, corrupted, places)
        if self.kind == "left_to_right":
            return causal_layout(chunk.tokens[: start + length], start)
        span = np.array([[start, start + length]])
        return blanked(chunk.tokens, span, np.array([0]), vocabulary.special, vocabulary.special.mask)


@torch.inference_mode()
def ask(model: api.Model, settings: PretrainConfig, kind: str, length: int) -> float:
    """Mean -log p of a hidden token, in nats."""
    source = next(iter(open_text(settings, verify=False).validation.values()))
    source = replace(source, objective=Question(length, kind), position_scheme=model.position_scheme)
    total = count = 0.0
    for batch in one_pass(source, rows=32, seq_length=LENGTH, limit=QUESTIONS):
        hidden, targets, _ = targets_of(model.module, batch)
        losses = token_losses(model.module, hidden, targets)
        hidden_tokens = targets != model.tokenizer.special.eop  # that there is an end is not asked
        total += float(losses[hidden_tokens].sum())
        count += float(hidden_tokens.sum())
    return total / count


def report(out: Path) -> None:
    results = []
    for language in LANGUAGES:
        for run in RUNS:
            settings = config(out, language, run)
            kind = run if run in ("masked_lm", "left_to_right") else "glm"
            for path in sorted(Path(settings.output).glob("checkpoints/step-*")):
                model = api.load(path)
                tokens = json.loads((path / "training/state.json").read_text())["tokens"]
                answers = {name: round(ask(model, settings, kind, length), 4) for name, length in SPANS.items()}
                results.append({"language": language, "run": run, "tokens": tokens} | answers)
                print(results[-1], file=sys.stderr)
    (out / "objectives.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results, out / "objectives.png")


def draw(result: list[dict], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (language, question) in zip(
        figure.subplots(2, 2).flat, [(lang, name) for lang in LANGUAGES for name in SPANS], strict=True
    ):
        for number, run in enumerate(RUNS):
            rows = [row for row in result if row["language"] == language and row["run"] == run]
            style = "-" if number < 3 else "--"
            axes.plot(
                [r["tokens"] / 1e6 for r in rows], [r[question] for r in rows], style, marker="o", ms=3, label=run
            )
        axes.set(title=f"{language}: {question}", xlabel="million tokens seen", ylabel="nats a hidden token")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("language", nargs="?", choices=LANGUAGES)
    parser.add_argument("run", nargs="?", choices=RUNS)
    parser.add_argument("--shared", type=Path, help="the folder that holds data/pretrain's files")
    options = parser.parse_args()
    if options.what == "prepare":
        prepare_all(options.out, options.shared)
    elif options.what == "run":
        settings = config(options.out, options.language, options.run)
        pretrain(settings, lambda trainer, done: [TrainingProgress(trainer, done)])
    else:
        report(options.out)


if __name__ == "__main__":
    main()
