"""What a run leaves behind to look at: a JSONL log, TensorBoard events, a loss curve."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glmkit.core.errors import MissingExtra
from glmkit.core.files import atomic_file
from glmkit.core.kinds import TEXT, Kind, number, one_of, optional, whole
from glmkit.core.strict_json import check_table, finite, read_lines
from glmkit.train.heldout import Measure
from glmkit.train.trainer import Record

LOG, CURVE = "log.jsonl", "loss.png"


class JsonLog:
    """One line an event: {"kind": "step" | "heldout" | "save", "step": ...}. A continued run drops what came after
    the checkpoint it starts from, so that the log tells one story."""

    def __init__(self, run: Path, done: int) -> None:
        run.mkdir(parents=True, exist_ok=True)
        kept = [event for event in read_log(run) if event["step"] <= done]
        with atomic_file(run / LOG) as partial:
            partial.write_text("".join(json.dumps(event) + "\n" for event in kept), encoding="utf-8")
        self._file = open(run / LOG, "a", encoding="utf-8")  # noqa: SIM115 (closed by close)

    def on_step(self, record: Record) -> None:
        self._write({"kind": "step", **asdict(record)})

    def on_measure(self, step: int, measures: Mapping[str, Measure]) -> None:
        for name, measure in measures.items():
            self._write({"kind": "heldout", "step": step, "objective": name, **asdict(measure)})

    def on_save(self, path: Path) -> None:
        self._write({"kind": "save", "step": int(path.name.removeprefix("step-")), "path": path.name})

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(finite(event)) + "\n")
        self._file.flush()


_NUMBER = optional(number())
_EVENT = {"kind": one_of("step", "heldout", "save"), "step": whole(0)}
_EVENTS: Mapping[str, Mapping[str, Kind]] = {
    "step": {"loss": _NUMBER, "tokens": whole(0), "tokens_per_second": _NUMBER},
    "heldout": {"objective": TEXT, "loss": _NUMBER, "accuracy": _NUMBER, "tokens": whole(0)},
    "save": {},
}


def read_log(run: Path) -> list[dict[str, Any]]:
    """The events of a run; a last line cut off by a kill is left out. Raises CorruptFile naming the line of another
    that is none."""
    path, remedy = run / LOG, "; remove that line"
    events = list(read_lines(path, _EVENT, remedy)) if path.is_file() else []
    for place, event in enumerate(events, start=1):
        schema = _EVENTS[event["kind"]]
        check_table(event, schema, f"{path}:{place}", remedy, schema)
    return events


class TensorBoardLog:
    """The same numbers as TensorBoard events under RUN/tensorboard."""

    def __init__(self, run: Path, done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("tensorboard", "train") from None
        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=done + 1)

    def on_step(self, record: Record) -> None:
        for name, value in asdict(record).items():
            if name != "step":
                self._writer.add_scalar(f"train/{name}", value, record.step)

    def on_measure(self, step: int, measures: Mapping[str, Measure]) -> None:
        for name, measure in measures.items():
            self._writer.add_scalar(f"heldout/{name}/loss", measure.loss, step)
            self._writer.add_scalar(f"heldout/{name}/accuracy", measure.accuracy, step)

    def on_save(self, path: Path) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def draw_curve(run: Path) -> Path:
    """Draws RUN/loss.png from the log: training loss, and held-out loss of each objective, against tokens seen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    events = read_log(run)
    steps = [event for event in events if event["kind"] == "step"]
    seen = {0: 0} | {event["step"]: event["tokens"] for event in steps}
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(
        [event["tokens"] for event in steps], [event["loss"] for event in steps], color="0.7", lw=1, label="training"
    )
    heldout = [event for event in events if event["kind"] == "heldout" and event["step"] in seen]
    for name in dict.fromkeys(event["objective"] for event in heldout):
        points = [(seen[event["step"]], event["loss"]) for event in heldout if event["objective"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", ms=6, lw=2, zorder=3, label=f"held out: {name}")
    axes.set(xlabel="tokens seen", ylabel="loss (nats per predicted token)", title=f"loss of {run.name}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_file(run / CURVE) as partial:
        figure.savefig(partial, format="png", dpi=120)
    return run / CURVE
