"""GLM as of 2021 against NeoGLM with its recipe: what held-out loss does each reach for the same arithmetic?

| side | model | optimizer | learns |
|---|---|---|---|
| 2021 | GLM | AdamW | 15 % of the tokens blanked |
| modern | NeoGLM, of as many parameters or fewer | Muon and AdamW | 30 % blanked, half of the examples left to right |

Both read the same text with the same tokenizer in rows as long, and both are measured on the same held-out text by the
objective of 2021, whatever they train on. FLOPs are those of the matrix products: of every token the model reads (those
of the spans behind the text and of padding too), of the output where there is a target, and of Muon's iterations. The
modern side may spend a third of what the other spends. Seconds are CPU seconds of the process in training alone, on one
thread.

    python docs/experiments/modern.py prepare OUT --shared DIR     text -> tokenizer and shards of both sizes
    python docs/experiments/modern.py tune OUT 3M                  five runs a side over the peak rates
    python docs/experiments/modern.py run OUT 3M modern 0          side and seed; 2021 takes the rates that tune found
    python docs/experiments/modern.py run OUT 3M 2021 0 --peak 2e-3     at another rate, at full length
    python docs/experiments/modern.py ablate OUT                   modern without one of its parts, each at equal FLOPs
    python docs/experiments/modern.py report OUT                   OUT/modern.json, .png and modern_ablation.png

What was stopped goes on where it was; what is done is not done again.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glmkit.cli.progress import TrainingProgress
from glmkit.core.errors import UserError
from glmkit.core.files import atomic_file
from glmkit.core.types import LanguageModel
from glmkit.data.loader import pretraining_steps
from glmkit.data.prepare import prepare
from glmkit.data.sources import documents
from glmkit.families.registry import family_of, preset
from glmkit.families.spec import ModelConfig
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.models.neoglm import RopeConfig
from glmkit.objective.loss import language_model
from glmkit.pictures.style import BLUE, REFERENCE, VERMILION, draw_seeds, legend_below, picture, seeds
from glmkit.recipes.pretraining import RECIPES
from glmkit.text.trained import train
from glmkit.train.config import PretrainConfig
from glmkit.train.model import build_model
from glmkit.train.optimizer import MuonConfig, OptimizerConfig, optimizer_flops
from glmkit.train.pretrain import pretrain
from glmkit.train.text import open_text
from glmkit.train.trainer import Record, Trainer
from glmkit.train.validation import EvalResult, measure

ROWS, LENGTH, THREADS = 16, 128, 1
PIECE, HELD_OUT = 4000, 1000  # characters of a document, and of the one of each novel that is held out
SHARE = 1 / 3  # of the FLOPs of 2021, for the modern side
SEEDS = (0, 1, 2)
MEASURES = 10  # of a run, equally spaced; runs that tune and ablations are measured at half and at the end


@dataclass(frozen=True)
class Size:
    """`steps` of the 2021 side, whose FLOPs are the budget; `characters` of text, enough to repeat none; `tuning`: the
    share of the budget that a run spends when rates are tuned."""

    models: Mapping[str, ModelConfig]
    vocabulary: int
    characters: int
    steps: int
    tuning: float


SIZES = {
    "3M": Size(
        {"2021": preset("glm-nano"), "modern": preset("neoglm-nano")},
        vocabulary=4096,
        characters=12_000_000,
        steps=800,
        tuning=1 / 6,
    ),
    "9M": Size(
        {
            "2021": replace(preset("glm-mini"), num_layers=9),
            "modern": replace(
                preset("neoglm-mini"),
                hidden_size=384,
                num_heads=6,
                num_kv_heads=2,
                mlp=replace(preset("neoglm-mini").mlp, intermediate_size=4 * 384),
            ),
        },
        vocabulary=8192,
        characters=24_000_000,
        steps=2400,
        tuning=1 / 12,
    ),
}
RECIPE = {"2021": "glm-nano", "modern": "neoglm-nano"}
# Peak rates: AdamW's, and Muon's where there is one.
RATES = {
    "2021": [(2.5e-4, 0.0), (5e-4, 0.0), (1e-3, 0.0), (2e-3, 0.0), (4e-3, 0.0), (8e-3, 0.0)],
    "modern": [(8e-3, 0.02), (8e-3, 0.04), (8e-3, 0.01), (1.6e-2, 0.02), (4e-3, 0.02)],
}


def _model(**changes: object) -> Callable[[PretrainConfig, float], PretrainConfig]:
    return lambda config, rate: replace(config, model=replace(config.model, **changes))  # type: ignore[arg-type]


def _objective(**changes: float) -> Callable[[PretrainConfig, float], PretrainConfig]:
    return lambda config, rate: replace(config, objective=replace(config.objective, **changes))  # type: ignore[arg-type]


def _adamw(config: PretrainConfig, rate: float) -> PretrainConfig:
    return replace(config, optimizer=OptimizerConfig(), schedule=replace(config.schedule, peak=rate))


_NEO: Any = preset("neoglm-nano")
# What is taken out -> the modern config without it; `rate` is AdamW's best of the 2021 side.
ABLATIONS: dict[str, Callable[[PretrainConfig, float], PretrainConfig]] = {
    "AdamW in place of Muon": _adamw,
    "nothing left to right": _objective(token=1.0, left_to_right=0.0),
    "15 % blanked, not 30 %": _objective(ratio=0.15),
    "4 blocks of 192, not 2 of 256": _model(
        num_layers=4, hidden_size=192, num_heads=3, num_kv_heads=1, mlp=replace(_NEO.mlp, intermediate_size=4 * 192)
    ),
    "rotary: half and half, base 10,000": _model(rope=RopeConfig(base=10000.0, place_share=0.5)),
    "queries and keys not normalized": _model(norm=replace(_NEO.norm, qk="none")),
    "residual outputs not zero at first": _model(residual_init="scaled"),
    "GELU in place of ReLU²": _model(mlp=replace(_NEO.mlp, kind="gelu")),
    "keys and values for every head": _model(num_kv_heads=_NEO.num_heads),
}


@dataclass(frozen=True)
class Plan:
    """A run before its length is known, the FLOPs that it may spend, and how often it is measured."""

    config: PretrainConfig
    budget: float
    measures: int = MEASURES

    @cached_property
    def step_flops(self) -> float:
        """Floating point operations of a step: the mean of the first batches, their padding included."""
        text = open_text(self.config, verify=False)
        model, model_config = build_model(self.config, text.tokenizer)
        steps = pretraining_steps(text.training, rows=ROWS, micro_rows=ROWS, seq_length=LENGTH)
        batches: list[Any] = [step.batches[0] for step in islice(steps, 32)]
        positions = float(np.mean([batch.tokens.numel() for batch in batches]))
        targets = float(np.mean([int((batch.weights > 0).sum()) for batch in batches]))
        token = family_of(model_config).flops_per_token(model_config, round(positions / ROWS), targets / positions)
        return positions * token + optimizer_flops(model, self.config.optimizer)

    @property
    def final(self) -> PretrainConfig:
        steps = round(self.budget / self.step_flops)
        every = -(-steps // self.measures)
        return replace(self.config, steps=steps, log_every=every, save_every=every, validation_every=steps)


def base(out: Path, size: str, side: str, name: str, seed: int, rates: tuple[float, float]) -> PretrainConfig:
    """A run of one side; its length is not settled."""
    recipe = RECIPES[RECIPE[side]]()
    peak, muon = rates
    return replace(
        recipe,
        model=SIZES[size].models[side],
        optimizer=replace(recipe.optimizer, muon=MuonConfig(peak=muon)) if muon else recipe.optimizer,
        schedule=replace(recipe.schedule, peak=peak),
        data=str(out / size / "data"),
        validation_data=str(out / size / "heldout"),
        output=str(out / size / name),
        seq_length=LENGTH,
        batch_size=ROWS,
        micro_batch_size=ROWS,
        validation_examples=16,  # of its own objective; what is reported is measured by Curve
        keep_last=1,
        seed=seed,
        threads=THREADS,
        resume="auto",
    )


@cache
def budget(out: Path, size: str) -> float:
    """The FLOPs of the 2021 side."""
    one = Plan(base(out, size, "2021", "budget", 0, RATES["2021"][0]), 0)
    return SIZES[size].steps * one.step_flops


def plans_to_tune(out: Path, size: str, side: str) -> list[Plan]:
    flops = budget(out, size) * SIZES[size].tuning
    return [
        Plan(base(out, size, side, f"tune-{side}-{peak:g}-{muon:g}", 0, (peak, muon)), flops, 2)
        for peak, muon in RATES[side]
    ]


def best_rates(out: Path, size: str, side: str) -> tuple[float, float]:
    runs = [finished(plan.config) for plan in plans_to_tune(out, size, side)]
    losses = [run["points"][-1]["loss"] for run in runs if run]
    if len(losses) < len(runs):
        raise UserError(f"the rates of {side} at {size} are not tuned: run `tune {out} {size}` first")
    return RATES[side][int(np.argmin(losses))]


def plan_of(out: Path, size: str, side: str, seed: int, peak: float | None = None) -> Plan:
    """A run at the tuned rates; or, to look whether they were tuned on runs too short, at another `peak` of AdamW."""
    flops = budget(out, size) * (1 if side == "2021" else SHARE)
    tuned, muon = best_rates(out, size, side)
    name = f"{side}-{seed}" if peak is None else f"{side}-{seed}-{peak:g}"
    return Plan(base(out, size, side, name, seed, (peak or tuned, muon)), flops)


def plan_without(out: Path, part: str) -> Plan:
    """The modern side at 3M without one of its parts, at the same rates and FLOPs."""
    whole = plan_of(out, "3M", "modern", 0)
    rate, _ = best_rates(out, "3M", "2021")
    config = ABLATIONS[part](whole.config, rate)
    number = list(ABLATIONS).index(part)
    return Plan(replace(config, output=str(out / "3M" / f"without-{number}")), whole.budget, 2)


Quality = Callable[[LanguageModel, torch.dtype], Mapping[str, float]]  # of a model that computes in that type


def loss_of_2021(config: PretrainConfig) -> Quality:
    """Held-out loss of the 2021 objective: the same questions for every run, whatever its objective and seed."""
    source = open_text(replace(config, objective=ObjectiveConfig(), seed=0), verify=False).validation["token"]

    def quality(model: LanguageModel, dtype: torch.dtype) -> dict[str, float]:
        result = measure(model, source, rows=32, seq_length=LENGTH, limit=None, dtype=dtype)
        return {"loss": round(result.loss, 4)}

    return quality


class Curve:
    """Watches a run: what `quality` measures over tokens, FLOPs and CPU seconds of training, in RUN/curve.json."""

    def __init__(
        self, config: PretrainConfig, step_flops: float, quality: Quality, trainer: Trainer, done: int
    ) -> None:
        self._path = Path(config.output) / "curve.json"
        self._trainer, self._step_flops, self._quality = trainer, step_flops, quality
        kept = json.loads(self._path.read_text()) if self._path.is_file() and done else {"seconds": 0.0, "points": []}
        self._points = [point for point in kept["points"] if point["step"] <= done]
        self._seconds, self._began = kept["seconds"], time.process_time()

    def on_step(self, record: Record) -> None:
        self._count()
        self._measure(record.step, record.tokens)

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        if step == 0:
            self._measure(0, 0)
        self._began = time.process_time()

    def on_save(self, path: Path) -> None:
        self._began = time.process_time()

    def close(self) -> None:
        """Every point is written already."""

    def _count(self) -> None:
        self._seconds += time.process_time() - self._began

    def _measure(self, step: int, tokens: int) -> None:
        values = self._quality(language_model(self._trainer.model), self._trainer.dtype)
        spent = {"flops": step * self._step_flops, "seconds": round(self._seconds, 1)}
        self._points.append({"step": step, "tokens": tokens} | spent | values)
        print(f"{self._path.parent.name} {self._points[-1]}", file=sys.stderr, flush=True)
        with atomic_file(self._path) as partial:
            partial.write_text(json.dumps({"seconds": self._seconds, "points": self._points}, indent=1) + "\n")
        self._began = time.process_time()


def carry_out(plan: Plan, quality: Callable[[PretrainConfig], Quality] = loss_of_2021) -> None:
    """Trains unless it is done, and measures the quality along the run."""
    if (Path(plan.config.output) / "model").exists():
        return
    config, flops = plan.final, plan.step_flops
    print(f"{config.output}: {config.steps} steps of {flops:.3g} FLOPs", file=sys.stderr, flush=True)
    watch = partial(Curve, config, flops, quality(config))
    pretrain(config, lambda trainer, done: [TrainingProgress(trainer, done), watch(trainer, done)])


def finished(config: PretrainConfig) -> dict[str, Any] | None:
    """Seed, rates and points of a run; None of one that is not done."""
    run = Path(config.output)
    if not (run / "model").exists():
        return None
    muon = {"muon": config.optimizer.muon.peak} if config.optimizer.name == "muon" else {}
    points = json.loads((run / "curve.json").read_text())["points"]
    return {"seed": config.seed, "peak": config.schedule.peak} | muon | {"points": points}


def prepare_all(out: Path, shared: Path) -> None:
    """A piece of every novel is held out; of the others an equal share of each is read."""
    files = sorted((shared / "data/pretrain/en_novels").rglob("*.txt"))
    for name, size in SIZES.items():
        folder = out / name
        if (folder / "heldout").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        training, held_out = [], []
        for file in files:
            pieces = list(pieces_of(file, size.characters // len(files)))
            held_out.append(pieces.pop(len(pieces) // 2)[:HELD_OUT])
            training += pieces
        write_shards(folder, {"data": training, "heldout": held_out}, size.vocabulary)


def write_shards(folder: Path, texts: Mapping[str, Sequence[str]], vocabulary: int) -> None:
    """Prepared data of each part in a directory of its own, with a tokenizer learnt from the part "data"."""
    tokenizer = train(texts["data"], vocab_size=vocabulary)
    for part, documents_of in texts.items():
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents_of)
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
        manifest = prepare([folder / f"{part}.jsonl"], tokenizer, folder / part)
        print(folder, part, manifest["documents"], "documents", manifest["tokens"], "tokens", file=sys.stderr)


def pieces_of(file: Path, characters: int) -> Iterator[str]:
    """The beginning of a book in documents of `PIECE` characters."""
    for document in documents(file, "file"):
        for start in range(0, min(characters, len(document.text)), PIECE):
            yield document.text[start : start + PIECE]


def report(out: Path) -> None:
    result: dict[str, Any] = {"sizes": {}, "ablation": None}
    for size in SIZES:
        if not (out / size / "heldout").exists():
            continue
        tuned = {side: [finished(plan.config) for plan in plans_to_tune(out, size, side)] for side in RATES}
        if not all(all(runs) for runs in tuned.values()):
            continue
        runs = {side: _done(plan_of(out, size, side, seed) for seed in SEEDS) for side in RATES}
        others = (plan_of(out, size, "2021", 0, peak) for peak, _ in RATES["2021"])
        parameters = {side: _parameters(plan_of(out, size, side, 0)) for side in RATES}
        result["sizes"][size] = {"parameters": parameters, "budget": budget(out, size), "tuned": tuned, "runs": runs}
        result["sizes"][size]["2021 at other rates"] = [
            run | {"crossed": crossed(runs["modern"], run["points"][-1]["loss"], mean_end([run]))}
            for run in _done(others)
        ]
        if all(runs.values()):
            result["sizes"][size]["summary"] = summary(runs)
    if "3M" in result["sizes"]:
        parts = {part: plan_without(out, part) for part in ABLATIONS}
        result["ablation"] = {part: run for part, plan in parts.items() if (run := finished(plan.config))}
    (out / "modern.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    for size, values in result["sizes"].items():
        print(size, json.dumps(values.get("summary"), indent=1))
    pictures(result, out)


def _done(plans: Iterator[Plan]) -> list[dict[str, Any]]:
    return [run for plan in plans if (run := finished(plan.config))]


def _parameters(plan: Plan) -> int:
    model, _ = build_model(plan.config, open_text(plan.config, verify=False).tokenizer)
    return sum(parameter.numel() for parameter in model.parameters())


def summary(runs: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Of each side mean and standard deviation over seeds; and when each modern run is at the 2021 side's mean."""
    result: dict[str, Any] = {}
    for side, of in runs.items():
        last = [run["points"][-1] for run in of]
        result[side] = {"seeds": len(of), "tokens": last[0]["tokens"], "flops": last[0]["flops"]}
        for key in ("loss", "seconds"):
            values = [point[key] for point in last]
            result[side][key] = [round(float(np.mean(values)), 4), round(float(np.std(values, ddof=len(of) > 1)), 4)]
    result["crossed"] = crossed(runs["modern"], result["2021"]["loss"][0], mean_end(runs["2021"]))
    return result


def mean_end(runs: list[dict[str, Any]]) -> dict[str, float]:
    """What the runs spent, their mean."""
    return {key: float(np.mean([run["points"][-1][key] for run in runs])) for key in ("flops", "seconds", "tokens")}


def crossed(runs: list[dict[str, Any]], loss: float, spent: Mapping[str, float]) -> dict[str, Any]:
    """Of each run that comes down to `loss`: when, as a share of what was `spent` elsewhere."""
    reached = [at for run in runs if (at := crossing(run["points"], loss))]
    return {"runs": len(reached)} | {key: [round(at[key] / spent[key], 3) for at in reached] for key in spent}


def crossing(points: list[dict[str, float]], loss: float) -> dict[str, float] | None:
    """Where the straight lines between `points` first come down to `loss`; None where they do not."""
    for before, after in pairwise(points):
        if after["loss"] <= loss:
            part = (before["loss"] - loss) / (before["loss"] - after["loss"])
            return {key: before[key] + part * (after[key] - before[key]) for key in ("flops", "seconds", "tokens")}
    return None


LABELS = {"2021": "GLM of 2021", "modern": "NeoGLM"}
NUMBERS = {"2021": 0, "modern": 1}  # of their curves


def draw(sizes: Mapping[str, Any], path: Path) -> None:
    shown = {size: values for size, values in sizes.items() if "summary" in values}
    panels = [
        ("flops", 1e12, "training, 10¹² floating point operations"),
        ("seconds", 1, "training, CPU seconds of one thread"),
    ]
    with picture(path, width=10, height=4.2 * len(shown) + 0.7) as (figure, _):
        for row, (size, values) in zip(figure.subplots(len(shown), 2, squeeze=False), shown.items(), strict=True):
            for axes, (key, unit, label) in zip(row, panels, strict=True):
                _curves(axes, values, key, unit)
                axes.set(title=f"{size} parameters", xlabel=label, ylabel="held-out loss (nats a token of a blank)")
        legend_below(figure)


def _curves(axes: Any, values: Mapping[str, Any], key: str, unit: float) -> None:
    for side, runs in values["runs"].items():
        at = np.mean([[point[key] for point in run["points"][1:]] for run in runs], axis=0) / unit
        losses = [[point["loss"] for point in run["points"][1:]] for run in runs]
        mean = np.mean(losses, axis=0)
        draw_seeds(axes, at, losses, NUMBERS[side], f"{LABELS[side]} ({seeds(len(runs))})")
        if side == "2021":
            goal, whole = mean[-1], at[-1]
            axes.axhline(goal, label="where GLM of 2021 ends", **REFERENCE)
        elif cross := crossing([{"loss": y, "flops": x, "seconds": x, "tokens": x} for x, y in zip(at, mean)], goal):  # noqa: B905
            x = cross["flops"]
            axes.plot([x], [goal], "k*", ms=10, zorder=4)
            axes.annotate(
                f"{x / whole:.0%} of what\nthe other spent",
                (x, goal),
                xytext=(8, 6),
                textcoords="offset points",
                va="bottom",
            )


def draw_ablation(runs: Mapping[str, Any], ablation: Mapping[str, Any], path: Path) -> None:
    with picture(path, height=0.36 * len(ablation) + 1.8) as (figure, _):
        axes = figure.add_subplot()
        whole = [run["points"][-1]["loss"] for run in runs["modern"]]
        mean, deviation = np.mean(whole), np.std(whole, ddof=len(whole) > 1)
        axes.axvspan(mean - deviation, mean + deviation, color=VERMILION, alpha=0.2, lw=0)
        axes.axvline(mean, color=VERMILION, label=f"NeoGLM ({seeds(len(whole))})")
        goal = np.mean([run["points"][-1]["loss"] for run in runs["2021"]])
        axes.axvline(goal, color=BLUE, ls="--", label="GLM of 2021 with three times the FLOPs")
        ordered = sorted(ablation.items(), key=lambda item: item[1]["points"][-1]["loss"])
        losses = [run["points"][-1]["loss"] for _, run in ordered]
        axes.plot(losses, range(len(losses)), "ko", ms=6, label="NeoGLM with one part changed, seed 0")
        axes.set_yticks(range(len(losses)), [part for part, _ in ordered])
        axes.set(xlabel="held-out loss (nats a token of a blank)", ylim=(-0.6, len(losses) - 0.4))
        legend_below(figure, columns=1)


def pictures(result: Mapping[str, Any], out: Path) -> None:
    draw(result["sizes"], out / "modern.png")
    if result["ablation"]:
        draw_ablation(result["sizes"]["3M"]["runs"], result["ablation"], out / "modern_ablation.png")


def redraw(folder: Path) -> None:
    """The pictures of modern.json once more."""
    pictures(json.loads((folder / "modern.json").read_text()), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "tune", "run", "ablate", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("size", nargs="?", choices=SIZES)
    parser.add_argument("side", nargs="?", choices=RATES)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--peak", type=float, help="of AdamW, in place of the one that was tuned")
    parser.add_argument("--shared", type=Path, help="the folder that holds data/pretrain/en_novels")
    options = parser.parse_args()
    if options.what == "prepare":
        prepare_all(options.out, options.shared)
    elif options.what == "tune":
        for side in RATES:
            for plan in plans_to_tune(options.out, options.size, side):
                carry_out(plan)
    elif options.what == "run":
        carry_out(plan_of(options.out, options.size, options.side, options.seed, options.peak))
    elif options.what == "ablate":
        for part in ABLATIONS:
            print(part, file=sys.stderr, flush=True)
            carry_out(plan_without(options.out, part))
    else:
        report(options.out)


if __name__ == "__main__":
    main()
