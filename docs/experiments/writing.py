"""Does pretraining help to write? A GLM that glmkit pretrained against the same one from random weights, and against
the lead sentence or a copy of the source.

| task | learns from | is judged on | compared with |
|---|---|---|---|
| scitldr | SciTLDR, 1,200 rows of train | 100 of its test rows | the first sentence of the abstract |
| advert | AdvertiseGen's dev, first 900 rows | 100 of the others | a copy of the attributes |
| cmrc | CMRC 2018's dev, 1,200 questions of its first articles | 100 of its last ones | the passage's first sentence |

    python docs/experiments/writing.py MODELS OUT --shared DIR      everything that is not there yet; then the picture

MODELS is what understanding.py left: MODELS/en and MODELS/zh with `pretrained/model` and `random-0`. Leaves
OUT/writing.json, with what was written for three rows of each task, and OUT/writing.png; what is done already is not
done again.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glmkit.families.load import read
from glmkit.finetuning.config import DataConfig, defaults
from glmkit.finetuning.conversations import SourceTarget, read_source_targets
from glmkit.finetuning.decode import decode
from glmkit.finetuning.run import finetune
from glmkit.finetuning.sft_run import sft_encoder_of
from glmkit.generate.beam import Beam
from glmkit.pictures.style import COLOURS, HATCHES, legend_below, picture
from glmkit.tasks.overlap import overlap
from glmkit.train.schedule import ScheduleConfig

BEAM = Beam(beams=4, length_penalty=0.7, no_repeat_ngram=3)
STARTS = {"pretrained": "pretrained/model", "random": "random-0"}
LABELS = {"baseline": "lead or copy", "pretrained": "pretrained", "random": "from random weights"}


@dataclass(frozen=True)
class Job:
    """A task: its language, rows, epochs and metrics, and what is compared with; at most `limit` rows are judged."""

    language: str
    data: DataConfig
    epochs: int
    metrics: tuple[str, ...]
    baseline: Callable[[SourceTarget], str]
    length: int = 256
    limit: int = 100


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    result = options.out / "writing.json"
    state: dict[str, Any] = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    for name, job in jobs(options.shared / "data", options.out).items():
        judged = read_source_targets(Path(job.data.dev), job.data)[: job.limit]
        task = state.setdefault(name, {"rows": len(judged), "seconds": {}})
        if "baseline" not in task:
            task["baseline"] = [scores(job, [job.baseline(row) for row in judged], judged)]
        for seed in range(options.seeds):
            for start, model in STARTS.items():
                if seed < len(task.setdefault(start, [])):
                    continue
                began = time.monotonic()
                written = write(
                    job, options.models / job.language / model, options.out / name / f"{start}-{seed}", judged, seed
                )
                task[start].append(scores(job, written, judged))
                task["seconds"][f"{start}, {seed}"] = round(time.monotonic() - began, 1)
                if seed == 0:
                    task[f"written, {start}"] = written[:3]
                task["wanted"] = [row.targets[0] for row in judged[:3]]
                print(name, start, seed, task[start][-1], f"{time.monotonic() - began:.0f} s", flush=True)
                result.write_text(json.dumps(state, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draw(state, options.out / "writing.png")


def write(job: Job, model: Path, run: Path, judged: Sequence[SourceTarget], seed: int) -> list[str]:
    """What a model writes for the judged rows after it has learnt the task."""
    config = replace(
        defaults("full"),
        task="seq2seq",
        model=str(model),
        output=str(run),
        data=job.data,
        epochs=job.epochs,
        length=job.length,
        batch_size=8,
        micro_batch_size=8,
        smoothing=0.1,
        samples=0,
        schedule=ScheduleConfig(peak=1e-3, shape="linear", warmup=0.1, floor=0.0),
        evaluate_every=1_000_000,
        seed=seed,
        resume="auto",
    )
    encoder = sft_encoder_of(read(finetune(config), dtype=torch.float32), config)
    return [item.written for item in decode(encoder, judged, BEAM, max_tokens=job.data.target_length)]


def jobs(data: Path, out: Path) -> dict[str, Job]:
    lines = (data / "generation/adgen/dev.json").read_text(encoding="utf-8").splitlines()
    articles = json.loads((data / "lm_eval/cmrc2018_dev.json").read_text(encoding="utf-8"))["data"]
    cut = len(articles) * 4 // 5
    for name, part in (("train", lines[:900]), ("dev", lines[900:])):
        (out / f"advert-{name}.jsonl").write_text("".join(f"{row}\n" for row in part), encoding="utf-8")
    for name, part in (("train", articles[:cut]), ("dev", articles[cut:])):
        (out / f"cmrc-{name}.json").write_text(json.dumps({"data": part}, ensure_ascii=False), encoding="utf-8")
    science = data / "generation/scitldr_a"
    return {
        "scitldr": Job(
            "en",
            files(science / "train.jsonl", science / "test.jsonl", form="summary", target_length=48),
            2,
            ("rouge",),
            lambda row: row.source.split(". ")[0],
        ),
        "advert": Job(
            "zh",
            files(out / "advert-train.jsonl", out / "advert-dev.jsonl", source="content", target="summary"),
            4,
            ("rouge", "bleu"),
            lambda row: row.source,
        ),
        "cmrc": Job(
            "zh",
            files(out / "cmrc-train.json", out / "cmrc-dev.json", form="cmrc", target_length=32),
            1,
            ("exact", "f1"),
            lambda row: row.source.split("。")[0],
        ),
    }


def files(train: Path, dev: Path, **columns: Any) -> DataConfig:
    return DataConfig(train=str(train), dev=str(dev), limit=1200, dev_limit=32, **columns)


def scores(job: Job, written: Sequence[str], rows: Sequence[SourceTarget]) -> dict[str, float]:
    return overlap(job.metrics, written, [row.targets for row in rows])


def draw(state: dict[str, Any], path: Path) -> None:
    with picture(path, width=11, height=4.2) as (figure, _):
        for axes, (name, task) in zip(figure.subplots(1, len(state)), state.items(), strict=True):
            metrics = list(task["baseline"][0])
            for place, (way, label) in enumerate(LABELS.items()):
                values = np.array([[item[metric] for metric in metrics] for item in task[way]])
                at = np.arange(len(metrics)) + (place - 1) * 0.27
                axes.bar(
                    at,
                    values.mean(0),
                    0.25,
                    yerr=values.std(0),
                    label=label,
                    color=COLOURS[place],
                    hatch=HATCHES[place],
                    ec="white",
                )
            axes.set_xticks(range(len(metrics)), metrics)
            axes.set(title=f"{name}, {task['rows']} rows", ylabel="score")
            axes.grid(visible=False, axis="x")
        legend_below(figure, title=f"bars: mean ± s.d. of {len(task['pretrained'])} seeds")


def redraw(folder: Path) -> None:
    """The picture of writing.json once more."""
    draw(json.loads((folder / "writing.json").read_text(encoding="utf-8")), folder / "writing.png")


if __name__ == "__main__":
    main()
