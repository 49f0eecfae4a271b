"""Several runs side by side: their curves over one another, and what their settings differ in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.core.files import atomic_file
from glmkit.core.json_types import JsonObject
from glmkit.core.language import language_of_environment
from glmkit.families.directory import RUN
from glmkit.pictures.charts import Line, line_chart, short_number
from glmkit.pictures.page import heading, page, table
from glmkit.pictures.style import legend_below, picture, series
from glmkit.train.curves import Points, curves
from glmkit.train.logs import LOG, flat, read_log, read_record

SUFFIXES = (".html", ".png")
# Where a run lies is no setting of it.
_NO_SETTINGS = frozenset(("output", "resume"))


@dataclass(frozen=True)
class RunCurves:
    """A run by its name, with its settings by dotted name, its log and its curves."""

    name: str
    settings: JsonObject
    events: list[JsonObject]
    training: Points
    validation: dict[str, Points]


def read_runs(paths: Sequence[Path]) -> list[RunCurves]:
    """The runs in some directories, called by the shortest ends of their paths that differ. Raises UserError for what
    is no run, CorruptFile for a file of one."""
    runs = []
    for path, name in zip(paths, _names(paths), strict=True):
        for file in (RUN, LOG):
            if not (path / file).is_file():
                raise UserError(f"{path} has no {file}: give the directory of a training run")
        events = read_log(path)
        runs.append(RunCurves(name, flat(read_record(path)["config"]), events, *curves(events)))
    return runs


def _names(paths: Sequence[Path]) -> list[str]:
    whole = [path.resolve() for path in paths]
    if len(set(whole)) < len(whole):
        twice = next(path for path, at in zip(paths, whole, strict=True) if whole.count(at) > 1)
        raise UserError(f"{twice} is given twice: give different runs")
    for parts in range(1, max(len(path.parts) for path in whole) + 1):
        names = ["/".join(path.parts[-parts:]) for path in whole]
        if len(set(names)) == len(names):
            break
    return names


def differences(runs: Sequence[RunCurves]) -> list[tuple[str, list[object]]]:
    """The settings in which the runs differ, each with its value in every run; None where a run has none."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in _NO_SETTINGS)
    rows = [(key, [run.settings.get(key) for run in runs]) for key in keys]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]


def results(runs: Sequence[RunCurves]) -> list[tuple[str, list[str]]]:
    """Where each run is: its steps, tokens, seconds a million tokens, and last held-out losses."""
    objectives = dict.fromkeys(name for run in runs for name in run.validation)
    last = [next((e for e in reversed(run.events) if e["kind"] == "step"), {}) for run in runs]
    rows = [(key, [_number(event.get(key)) for event in last]) for key in ("step", "tokens", "tokens_per_second")]
    rows.append(("loss", [_number(event.get("loss")) for event in last]))
    for name in objectives:
        losses = [run.validation.get(name, ([], []))[1] for run in runs]
        rows.append((f"held out: {name}", [_number(of[-1]) if of else "" for of in losses]))
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else short_number(value)


def write_comparison(runs: Sequence[RunCurves], path: Path) -> None:
    """Writes the comparison as the page or the picture that the name of `path` ends in. Raises UserError."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: the name ends in {' or '.join(SUFFIXES)}")
    if path.suffix == ".png":
        _draw(runs, path)
        return
    text = comparison(runs, language_of_environment())
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


_WORDS = {
    "en": ("Runs compared", "Curves", "training loss", "held out", "tokens seen", "Settings that differ", "key"),
    "zh": ("训练对比", "曲线", "训练损失", "留出集", "已读词元数", "不同的配置", "键"),
}


def comparison(runs: Sequence[RunCurves], language: str = "en") -> str:
    """The comparison as HTML."""
    title, curve, training, held_out, across, settings, key = _WORDS[language]
    names = [run.name for run in runs]
    lines = [Line(run.name, *run.training, number) for number, run in enumerate(runs)]
    charts = [line_chart(lines, x_label=across, y_label=training)]
    for objective in dict.fromkeys(name for run in runs for name in run.validation):
        lines = [
            Line(run.name, *run.validation[objective], number)
            for number, run in enumerate(runs)
            if objective in run.validation
        ]
        charts.append(line_chart(lines, x_label=across, y_label=f"{held_out}: {objective}"))
    sections = [
        heading(title, 1),
        table(("", *names), [(row, *values) for row, values in results(runs)]),
        heading(curve),
        f'<div class="charts">{"".join(charts)}</div>',
        heading(settings),
        table((key, *names), [(row, *map(shown, values)) for row, values in differences(runs)]),
    ]
    return page(title, sections, language)


def shown(value: object) -> str:
    """A setting as a table shows it; a run without it has a dash."""
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _draw(runs: Sequence[RunCurves], path: Path) -> None:
    from matplotlib.ticker import EngFormatter

    objectives = list(dict.fromkeys(name for run in runs for name in run.validation))
    panels = ["training", *objectives]
    texts = [run.name for run in runs] + panels
    with picture(path, texts, width=5.0 * min(len(panels), 2), height=3.6 * -(-len(panels) // 2)) as (figure, fonts):
        grid = figure.subplots(-(-len(panels) // 2), min(len(panels), 2), squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            for number, run in enumerate(runs):
                points = run.training if panel == "training" else run.validation.get(panel, ([], []))
                look = series(number) | ({"marker": ""} if panel == "training" else {})
                axes.plot(*points, label=fonts.drawn(run.name), **look)
            title = "training" if panel == "training" else f"held out: {fonts.drawn(panel)}"
            axes.set(title=title, xlabel="tokens seen", ylabel="loss (nats)")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        legend_below(figure, columns=2)
