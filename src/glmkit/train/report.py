"""RUN/report.html: what a run did, for people. Curves, samples, settings and versions, in one file that stands alone.

It is drawn from the files of the run alone, so it can be drawn again at any time.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from glmkit.core.files import atomic_file
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import whole
from glmkit.core.language import language_of_environment
from glmkit.core.strict_json import read_lines
from glmkit.pictures.charts import Line, line_chart, short_number
from glmkit.pictures.page import folded, heading, page, paragraph, table
from glmkit.train.curves import curves, tokens_at
from glmkit.train.logs import SAMPLES, flat, read_log, read_record

REPORT = "report.html"
_MOST_SAMPLES = 3  # rows, at so many measurements
# In both languages: what stands on the page.
_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Training report", "训练报告"),
    "step": ("step {step} of {steps}, {tokens} tokens", "第 {step} 步，共 {steps} 步，{tokens} 个词元"),
    "step alone": ("step {step}, {tokens} tokens", "第 {step} 步，{tokens} 个词元"),
    "speed": ("{rate} tokens a second", "每秒 {rate} 个词元"),
    "started": ("No step was logged yet.", "还没有记录任何一步。"),
    "skipped": ("{count} steps were skipped as spikes", "跳过了 {count} 个异常步"),
    "curves": ("Curves", "曲线"),
    "training": ("training", "训练"),
    "tokens": ("tokens seen", "已读词元数"),
    "loss": ("loss, {unit}", "损失，{unit}"),
    "rate": ("learning rate", "学习率"),
    "norm": ("gradient norm", "梯度范数"),
    "throughput": ("tokens a second", "每秒词元数"),
    "share": ("share of the machine's matrix rate", "占机器矩阵运算速度的比例"),
    "epochs": ("how often each corpus was read", "每个语料读了几遍"),
    "accuracy": ("accuracy, held out", "留出集准确率"),
    "last": ("Last measurement", "最近一次测量"),
    "objective": ("held out", "留出集"),
    "samples": ("Samples over time", "样例的变化"),
    "at": ("step", "步"),
    "written": ("written", "模型所写"),
    "wanted": ("wanted", "标准答案"),
    "config": ("Settings", "配置"),
    "all settings": ("all settings", "全部配置"),
    "key": ("key", "键"),
    "value": ("value", "值"),
    "versions": ("Versions", "版本"),
    "data": ("data", "数据"),
}
# The settings that are looked for first; the others are folded away.
_FIRST = ["family", "model", "task", "method", "data", "data.train", "steps", "epochs", "batch_size", "seq_length"]
_FIRST += ["length", "schedule.peak", "optimizer.name", "precision", "seed"]


def write_report(run: Path, unit: str = "nats per predicted token") -> Path:
    """Draws RUN/report.html, in Chinese where the environment is. Raises CorruptFile, Unwritable."""
    text = report(run, unit, language_of_environment())
    with atomic_file(run / REPORT) as partial:
        partial.write_text(text, encoding="utf-8")
    return run / REPORT


def report(run: Path, unit: str, language: str = "en") -> str:
    """The report of a run as HTML; its losses are counted in `unit`."""
    words = {key: pair[language == "zh"] for key, pair in _WORDS.items()}
    record, events = read_record(run), read_log(run)
    config = flat(record["config"])
    sections = [
        heading(f"{words['title']}: {run.name}", 1),
        *(paragraph(line, "dim") for line in _state(events, config, words)),
        heading(words["curves"]),
        f'<div class="charts">{"".join(_charts(events, unit, words))}</div>',
        *_last_measures(events, words),
        *_samples(run / SAMPLES, words),
        heading(words["config"]),
        table((words["key"], words["value"]), [(key, _shown(config[key])) for key in _FIRST if config.get(key)]),
        folded(
            words["all settings"],
            table((words["key"], words["value"]), [(key, _shown(value)) for key, value in config.items()]),
        ),
        heading(words["versions"]),
        paragraph(", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())),
        folded(words["data"], f"<code>{_code(record.get('data'))}</code>"),
    ]
    return page(f"{run.name}: {words['title']}", sections, language)


def _state(events: Sequence[Table], config: Table, words: Mapping[str, str]) -> list[str]:
    """How far the run is."""
    steps = [event for event in events if event["kind"] == "step"]
    if not steps:
        return [words["started"]]
    last = steps[-1]
    known = {"step": last["step"], "steps": config.get("steps"), "tokens": short_number(last["tokens"])}
    line = words["step" if known["steps"] else "step alone"].format(**known)
    lines = [f"{line}; {words['speed'].format(rate=short_number(last['tokens_per_second'] or 0))}"]
    return lines + ([words["skipped"].format(count=last["skipped"])] if last.get("skipped") else [])


def _charts(events: Sequence[Table], unit: str, words: Mapping[str, str]) -> list[str]:
    steps = [event for event in events if event["kind"] == "step"]
    training, validation = curves(events)
    across = words["tokens"]

    def over_steps(key: str) -> str:
        x, y = [event["tokens"] for event in steps], [event.get(key) for event in steps]
        if key == "peak_share":  # beyond 1 the peak was measured while the machine had something else to do
            y = [None if value is None or value > 1 else value for value in y]
        return line_chart([Line(words[_LABELS[key]], x, y, 0)], x_label=across, y_label=words[_LABELS[key]])

    losses = [Line(words["training"], *training)]
    losses += [Line(name, *points, number) for number, (name, points) in enumerate(validation.items())]
    charts = [line_chart(losses, x_label=across, y_label=words["loss"].format(unit=unit))]
    for score in _scores(events):
        lines = [
            Line(name, *_points(events, name, score), number)
            for number, name in enumerate(validation)
            if any(value is not None for value in _points(events, name, score)[1])
        ]
        label = words["accuracy"] if score == "accuracy" else score
        charts.append(line_chart(lines, x_label=across, y_label=label))
    charts += map(over_steps, _LABELS)
    corpora = list(dict.fromkeys(name for event in steps for name in event.get("epochs", {})))
    lines = [
        Line(name, [e["tokens"] for e in steps], [e.get("epochs", {}).get(name) for e in steps], number)
        for number, name in enumerate(corpora)
    ]
    return [*charts, line_chart(lines, x_label=across, y_label=words["epochs"])]


_LABELS = {"learning_rate": "rate", "grad_norm": "norm", "tokens_per_second": "throughput", "peak_share": "share"}
_NO_SCORES = frozenset(("kind", "step", "objective", "loss", "tokens"))


def _scores(events: Sequence[Table]) -> list[str]:
    """The names of what was measured beside the loss, in the order of the log."""
    held_out = [event for event in events if event["kind"] == "heldout"]
    return list(dict.fromkeys(name for event in held_out for name in event if name not in _NO_SCORES))


def _points(events: Sequence[Table], objective: str, score: str) -> tuple[list[float], list[float | None]]:
    known = tokens_at(events)
    chosen = [event for event in events if event["kind"] == "heldout" and event["objective"] == objective]
    return [known(event["step"]) for event in chosen], [event.get(score) for event in chosen]


def _last_measures(events: Sequence[Table], words: Mapping[str, str]) -> list[str]:
    held_out = {event["objective"]: event for event in events if event["kind"] == "heldout"}
    if not held_out:
        return []
    names = ["loss", *_scores(events)]
    rows = [(name, *(_number(event.get(key)) for key in names)) for name, event in held_out.items()]
    return [heading(words["last"]), table((words["objective"], *names), rows)]


def _samples(path: Path, words: Mapping[str, str]) -> list[str]:
    """What was written for a few rows at the first, a middle and the last measurement."""
    if not path.is_file():
        return []
    lines = [line for line in read_lines(path, {"step": whole(0)}) if {"where", "asked", "written"} <= line.keys()]
    steps = sorted({line["step"] for line in lines})
    chosen = {steps[(len(steps) - 1) * part // (_MOST_SAMPLES - 1)] for part in range(_MOST_SAMPLES) if steps}
    rows: dict[str, list[JsonObject]] = {}
    for line in lines:
        rows.setdefault(line["where"], []).append(line)
    sections = [heading(words["samples"])] if rows else []
    for of in list(rows.values())[:_MOST_SAMPLES]:
        cells = [(line["step"], line["written"]) for line in of if line["step"] in chosen]
        cells += [(words["wanted"], of[-1]["wanted"])] if "wanted" in of[-1] else []
        sections += [paragraph(str(of[-1]["asked"])), table((words["at"], words["written"]), cells, "words")]
    return sections


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _code(value: object) -> str:
    from html import escape

    return escape(json.dumps(value, ensure_ascii=False)[:4000])
