"""What blank infilling learns, against masked and left-to-right language modelling and mixtures, and what its parts are
worth.

The same small NeoGLM is trained with every objective on the same text and for the same number of FLOPs, at the best of
three rates (the second mixture at those of the first); `questions.py` asks them all about the same hidden tokens. FLOPs
and seconds are those of `modern.py`.

| run | learns |
|---|---|
| blank infilling | 30 % of the tokens blanked, in spans of mean length 3 |
| masked | 30 % of the tokens, in place |
| left to right | every token |
| half of each, a quarter blanks | blank infilling and left to right, drawn for each example |
| not shuffled, one channel | blank infilling without one of its parts, at its rate |

    python docs/experiments/objectives.py prepare OUT --shared DIR      text -> tokenizer and shards, en and zh
    python docs/experiments/objectives.py run OUT en --seeds 0 1 2      tunes, trains and asks
    python docs/experiments/objectives.py report OUT                    OUT/objectives.json and pictures
    python docs/experiments/objectives.py all OUT --shared DIR          all of that

What was stopped goes on where it was; what is done is not done again.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from modern import LENGTH, ROWS, THREADS, Plan, Quality, carry_out, finished, pieces_of, write_shards
from questions import ORDERS, QUESTIONS, SHORTEST, answers, curve_point, frequency

from glmkit import api
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.files import write_text
from glmkit.core.types import LanguageModel
from glmkit.data.chunks import ExampleSource, cut
from glmkit.data.shards import open_shards
from glmkit.data.sources import documents
from glmkit.families.neoglm import NEOGLM_FAMILY
from glmkit.families.registry import preset, register
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.infill.position_schemes import OneChannel
from glmkit.models.neoglm import NeoGLMConfig
from glmkit.objective.loss import language_model
from glmkit.pictures.style import REFERENCE, draw_seeds, legend_below, picture, seeds, series
from glmkit.recipes.pretraining import RECIPES
from glmkit.train.config import PretrainConfig
from glmkit.train.optimizer import MuonConfig
from glmkit.train.text import open_text

CHARACTERS, VOCABULARY = 12_000_000, 4096
HELD_OUT = 1000  # characters of a novel, once for the report and once to tune by
BUDGET = 8e12  # FLOPs of a run
TEXT = 64  # tokens of a text that questions are about
DRAWS = 2  # of every question at the end of a run
MEASURES = 5  # along a run
SEEDS = {"en": (0, 1, 2), "zh": (0,)}
RATES = [(2e-3, 0.0025), (4e-3, 0.005), (8e-3, 0.01)]  # peaks of AdamW and Muon
TUNING, ANSWERS = "tuning.json", "answers.json"  # of a run
DTYPE = machine.training_dtype("auto", "cpu")


class OneChannelConfig(NeoGLMConfig):
    """Of a NeoGLM that does not number the tokens of a span."""


register(
    replace(
        NEOGLM_FAMILY,
        name="neoglm-one-channel",
        config=OneChannelConfig,
        positions=lambda config: OneChannel(),
        presets={},
        formats=(),
    )
)


@dataclass(frozen=True)
class Run:
    """`ways`: those of `questions.py` that it can answer in, the one of its curve first."""

    objective: ObjectiveConfig
    ways: tuple[str, ...] = ("through blanks",)
    model: type[NeoGLMConfig] = NeoGLMConfig
    rates_of: str = ""  # the run whose rates it takes; its own are tuned where there is none


def _blanks(**changes: Any) -> ObjectiveConfig:
    return ObjectiveConfig(**{"ratio": 0.3} | changes)


BOTH = ("through blanks", "left to right")
RUNS = {
    "blank infilling": Run(_blanks()),
    "masked": Run(_blanks(token=0.0, masked_lm=1.0), ("masked", "masked, one by one")),
    "left to right": Run(_blanks(token=0.0, left_to_right=1.0), ("left to right",)),
    "half of each": Run(_blanks(token=0.5, left_to_right=0.5), BOTH),
    "a quarter blanks": Run(_blanks(token=0.25, left_to_right=0.75), BOTH, rates_of="half of each"),
    "not shuffled": Run(_blanks(order="left-to-right"), rates_of="blank infilling"),
    "one channel": Run(_blanks(), model=OneChannelConfig, rates_of="blank infilling"),
}
PARTS = ("blank infilling", "not shuffled", "one channel")
NUMBERS = {name: number for number, name in enumerate(RUNS)}  # of their curves


def prepare_all(out: Path, shared: Path) -> None:
    """Novels, of which two pieces are held out; poems, of which 1 in 100."""
    for language, texts in (("en", novels), ("zh", poems)):
        if not (out / language / "tuning").exists():
            (out / language).mkdir(parents=True, exist_ok=True)
            write_shards(out / language, texts(shared / "data/pretrain"), VOCABULARY)


def novels(folder: Path) -> dict[str, list[str]]:
    files = sorted((folder / "en_novels").rglob("*.txt"))
    texts: dict[str, list[str]] = {"data": [], "heldout": [], "tuning": []}
    for file in files:
        pieces = list(pieces_of(file, CHARACTERS // len(files)))
        for part in ("heldout", "tuning"):
            texts[part].append(pieces.pop(len(pieces) // 2)[:HELD_OUT])
        texts["data"] += pieces
    return texts


def poems(folder: Path) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {"data": [], "heldout": [], "tuning": []}
    for name in ("zh_poetry_tang", "zh_songci"):
        for number, document in enumerate(documents(folder / f"{name}.jsonl", "line")):
            part = {0: "heldout", 1: "tuning"}.get(number % 200, "data")
            texts[part].append(document.text)
    return texts


def config(
    out: Path, language: str, name: str, directory: str, rates: tuple[float, float], seed: int = 0
) -> PretrainConfig:
    """A run whose length is not settled."""
    base, (peak, muon) = RECIPES["neoglm-nano"](), rates
    sizes = {field: getattr(preset("neoglm-nano"), field) for field in NeoGLMConfig.__dataclass_fields__}
    return replace(
        base,
        model=RUNS[name].model(**sizes),
        objective=RUNS[name].objective,
        optimizer=replace(base.optimizer, muon=MuonConfig(peak=muon)),
        schedule=replace(base.schedule, peak=peak),
        data=str(out / language / "data"),
        validation_data=str(out / language / "tuning"),
        output=str(out / language / directory),
        seq_length=LENGTH,
        batch_size=ROWS,
        micro_batch_size=ROWS,
        validation_examples=16,  # of its own objective; what is reported are answers
        keep_last=1,
        seed=seed,
        threads=THREADS,
        resume="auto",
    )


def texts_of(settings: PretrainConfig, part: str) -> ExampleSource:
    """Held-out texts of at most `TEXT` tokens with room for all questions, for the model of a run."""
    data = str(Path(str(settings.data)).parent / part)
    source = next(iter(open_text(replace(settings, validation_data=data), verify=False).validation.values()))
    shards = source.shards
    table = cut(shards.lengths, shards.prompts, np.arange(len(shards)), TEXT, len(source.opening))
    room = table.lengths >= SHORTEST
    kept = (table.documents[room], table.starts[room], table.stops[room])
    return replace(source, table=replace(table, documents=kept[0], starts=kept[1], stops=kept[2]))


def plan_at(out: Path, language: str, name: str, seed: int, rates: tuple[float, float]) -> Plan:
    directory = f"{name}-{seed}-{rates[1]:g}".replace(" ", "-")
    return Plan(config(out, language, name, directory, rates, seed), BUDGET, MEASURES)


def best_rates(out: Path, name: str) -> tuple[float, float]:
    """Those of the English run with seed 0 that answers best about the text to tune by."""
    losses = tuned_losses(out, RUNS[name].rates_of or name)
    if len(losses) < len(RATES):
        raise UserError(f"the rates of {name} are not tuned: run `run {out} en` first")
    return RATES[int(np.argmin(losses))]


def tuned_losses(out: Path, name: str) -> list[float]:
    """Of the runs with every rate that are done."""
    runs = (Path(plan_at(out, "en", name, 0, rates).config.output) for rates in RATES)
    return [json.loads((run / TUNING).read_text())["mean"] for run in runs if (run / TUNING).exists()]


def quality_of(name: str) -> Callable[[PretrainConfig], Quality]:
    """What a run is measured by along the way."""

    def of(settings: PretrainConfig) -> Quality:
        source = texts_of(settings, "heldout")
        return lambda model, dtype: curve_point(model, source, RUNS[name].ways[0], dtype)

    return of


def run_all(out: Path, language: str, seeds: Sequence[int]) -> None:
    """Trains and asks; English first, by which rates are tuned."""
    machine.use_threads(THREADS)
    if language == "en":
        for name in RUNS:
            tune(out, name)
    for seed in seeds:
        for name in RUNS:
            finish(plan_at(out, language, name, seed, best_rates(out, name)), name)


def tune(out: Path, name: str) -> None:
    """Trains with every rate, and asks about the text to tune by."""
    if RUNS[name].rates_of:
        return
    for rates in RATES:
        plan = plan_at(out, "en", name, 0, rates)
        carry_out(plan, quality_of(name))
        path = Path(plan.config.output) / TUNING
        if not path.exists():
            values = curve_point(model_of(plan.config), texts_of(plan.config, "tuning"), RUNS[name].ways[0], DTYPE)
            write_text(path, json.dumps(values | {"mean": round(float(np.mean(list(values.values()))), 4)}) + "\n")
        print(name, rates, path.read_text(), file=sys.stderr, flush=True)


def finish(plan: Plan, name: str) -> None:
    """Trains and asks all questions, unless it is done."""
    carry_out(plan, quality_of(name))
    path = Path(plan.config.output) / ANSWERS
    if not path.exists():
        result = answers(model_of(plan.config), texts_of(plan.config, "heldout"), RUNS[name].ways, DTYPE, DRAWS)
        write_text(path, json.dumps(result, indent=1) + "\n")


def model_of(settings: PretrainConfig) -> LanguageModel:
    return language_model(api.load(Path(settings.output) / "model", dtype="float32").module)


def report(out: Path) -> None:
    """Of every language, the seeds that all runs have."""
    result = {language: results_of(out, language) for language in SEEDS if (out / language / "tuning").exists()}
    result = {language: values for language, values in result.items() if all(values["runs"].values())}
    (out / "objectives.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    for language, values in result.items():
        print("\n".join([language, *tables(values["summary"])]))
    pictures(result, out)


def results_of(out: Path, language: str) -> dict[str, Any]:
    one = config(out, language, "blank infilling", "none", RATES[0])
    tokens = open_shards(Path(str(one.data)))
    vocabulary = len(open_text(one, verify=False).tokenizer)
    texts = [tokens.read(number, 0, length) for number, length in enumerate(tokens.lengths.tolist())]
    counts = np.bincount(np.concatenate(texts), minlength=vocabulary)
    done = {name: [run_of(out, language, name, seed) for seed in SEEDS[language]] for name in RUNS}
    complete = [all(of) for of in zip(*done.values(), strict=True)]  # seeds that every run has
    runs = {name: list(compress(of, complete)) for name, of in done.items()}
    tuned = {name: tuned_losses(out, name) for name, run in RUNS.items() if not run.rates_of}
    return {
        "budget": BUDGET,
        "frequency": frequency(texts_of(one, "heldout"), counts, DRAWS),
        "rates": RATES,
        "tuned": tuned,
        "runs": runs,
        "summary": {name: summary(of) for name, of in runs.items() if of},
    }


def run_of(out: Path, language: str, name: str, seed: int) -> dict[str, Any]:
    """Points and answers of a run; nothing of one that is not done."""
    plan = plan_at(out, language, name, seed, best_rates(out, name))
    run, path = finished(plan.config), Path(plan.config.output) / ANSWERS
    return run | {"answers": json.loads(path.read_text())} if run and path.exists() else {}


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of seeds mean and standard deviation: what a run spent, its answers, and in which order they were written."""
    last = [run["points"][-1] for run in runs]
    result: dict[str, Any] = {key: spread([at[key] for at in last]) for key in ("step", "tokens", "flops", "seconds")}
    for way in runs[0]["answers"]:
        given = [run["answers"][way] for run in runs]
        result[way] = {name: spread([one[name] for one in given]) for name in QUESTIONS}
        if "orders" in given[0]:
            of = [{key: np.array(values) for key, values in one["orders"].items()} for one in given]
            result[way]["other orders"] = spread([one["by order"][1:].mean() for one in of])
            result[way]["other orders minus left to right"] = spread(
                [one["by order"][1:].mean() - one["by order"][0] for one in of]
            )
            result[way]["written third minus first"] = spread([one["by turn"][2] - one["by turn"][0] for one in of])
            result[way]["end"] = spread([one["end"].mean() for one in of])
            result[way]["whole text"] = [spread([one["whole text"][i] for one in of]) for i in (0, 1)]
            result[way]["spread"] = spread([one["spread"] for one in of])
    return result


def tables(values: Mapping[str, Any]) -> list[str]:
    """The page's tables: answers of every run in all its ways, and of runs through blanks what an order changes."""
    lines = [f"| run | way | {' | '.join(QUESTIONS)} |", "|---|---|" + "---|" * len(QUESTIONS)]
    for name, one in values.items():
        for way in RUNS[name].ways:
            lines.append(f"| {name} | {way} | {' | '.join(shown(one[way][question]) for question in QUESTIONS)} |")
    keys = ("several", "other orders", "other orders minus left to right", "written third minus first", "end")
    lines += ["", f"| run | {' | '.join(keys)} |", "|---|" + "---|" * len(keys)]
    for name, one in values.items():
        if "through blanks" in one:
            lines.append(f"| {name} | {' | '.join(shown(one['through blanks'][key]) for key in keys)} |")
    lines += ["", "| run | steps | tokens | CPU seconds |", "|---|---|---|---|"]
    for name, one in values.items():
        lines.append(f"| {name} | {one['step'][0]:.0f} | {one['tokens'][0]:,.0f} | {one['seconds'][0]:.0f} |")
    return lines


def shown(value: Sequence[float]) -> str:
    return f"{value[0]:.3f} ± {value[1]:.3f}"


def spread(values: Sequence[Any]) -> list[float]:
    return [float(f"{value:.5g}") for value in (np.mean(values), np.std(values, ddof=len(values) > 1))]


def draw(values: Mapping[str, Any], path: Path) -> None:
    """Nats a hidden token along the runs, over FLOPs and over seconds."""
    names = [name for name in RUNS if name not in PARTS[1:]]
    spent = (("flops", 1e12, "FLOPs spent (10¹²)"), ("seconds", 1, "CPU seconds of training, one thread"))
    with picture(path, width=12, height=7.4) as (figure, _):
        grid = figure.subplots(2, len(QUESTIONS), sharey="col")
        for row, (key, unit, label) in zip(grid, spent, strict=True):
            for axes, question in zip(row, QUESTIONS, strict=True):
                for name in names:
                    points = [run["points"][1:] for run in values["runs"][name]]
                    x = np.mean([[at[key] for at in run] for run in points], axis=0) / unit
                    y = [[at[question] for at in run] for run in points]
                    draw_seeds(axes, x, y, NUMBERS[name], f"{name} ({RUNS[name].ways[0]})")
                axes.axhline(values["frequency"][question], label="frequency alone", **REFERENCE)
                axes.set(xlabel=label, ylabel="nats a hidden token", title=f"hidden: {question}")
        legend_below(figure, title=seeds(len(y)))


def draw_parts(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Several blanks by the order in which they are written, of blank infilling and without its parts."""
    in_order = ["-".join(str(blank + 1) for blank in order) for order in ORDERS]
    panels = (
        ("by order", in_order, "blanks in the order written", "nats a hidden token"),
        ("by turn", ["first", "second", "third"], "turn of the blank, all orders", "nats a hidden token"),
        ("end", in_order, "blanks in the order written", "nats of the end of a blank"),
    )
    with picture(path, width=12, height=4.6) as (figure, _):
        all_axes = figure.subplots(1, len(panels), width_ratios=(1.4, 1, 1.4))
        for axes, (key, ticks, label, unit) in zip(all_axes, panels, strict=True):
            for number, name in enumerate(PARTS):
                y = np.array([run["answers"]["through blanks"]["orders"][key] for run in runs[name]])
                x = np.arange(len(ticks)) + 0.15 * (number - 1)
                error = y.std(axis=0, ddof=1) if len(y) > 1 else None
                axes.errorbar(x, y.mean(axis=0), error, label=name, **series(number) | {"ls": "none"})
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set(xlabel=label, ylabel=unit)
            axes.grid(visible=False, axis="x")
        legend_below(figure, title=seeds(len(y)))


def pictures(result: Mapping[str, Any], out: Path) -> None:
    for language, values in result.items():
        end = "" if language == "en" else f"_{language}"
        draw(values, out / f"objectives{end}.png")
        draw_parts(values["runs"], out / f"objectives_parts{end}.png")


def redraw(folder: Path) -> None:
    """The pictures of objectives.json once more."""
    pictures(json.loads((folder / "objectives.json").read_text()), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run", "report", "all"))
    parser.add_argument("out", type=Path)
    parser.add_argument("language", nargs="?", choices=SEEDS)
    parser.add_argument("--seeds", type=int, nargs="+", help="of `run`; those of the page where none is given")
    parser.add_argument("--shared", type=Path, help="the folder that holds data/pretrain")
    options = parser.parse_args()
    if options.what in ("prepare", "all"):
        prepare_all(options.out, options.shared)
    if options.what in ("run", "all"):
        for language in [options.language] if options.language else SEEDS:
            run_all(options.out, language, options.seeds or SEEDS[language])
    if options.what in ("report", "all"):
        report(options.out)


if __name__ == "__main__":
    main()
