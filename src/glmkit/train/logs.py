"""What a run writes down: run.json, a log of a line an event, samples; and the programs that are sent the numbers."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.core.files import append, atomic_file, write_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, TEXT, Kind, number, one_of, optional, table_of, whole
from glmkit.core.strict_json import check_table, dumps, read_json, read_lines
from glmkit.families.directory import RUN
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult

LOG, SAMPLES = "log.jsonl", "samples.jsonl"
TRACKERS = ("tensorboard", "swanlab", "wandb", "trackio")  # see train/trackers.py


class JsonLog:
    """One line an event: {"kind": "step" | "heldout" | "save", "step": ...}. A continued run drops what came after
    the checkpoint it starts from, so that the log tells one story."""

    def __init__(self, run: Path, done: int) -> None:
        run.mkdir(parents=True, exist_ok=True)
        kept = [event for event in read_log(run) if event["step"] <= done]
        with atomic_file(run / LOG) as partial:
            write_text(partial, "".join(dumps(event) + "\n" for event in kept))
        self._path = run / LOG

    def on_step(self, record: Record) -> None:
        self._write({"kind": "step", **figures(record)})

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for name, measure in measures.items():
            self._write({"kind": "heldout", "step": step, "objective": name, **measure.record()})

    def on_save(self, path: Path) -> None:
        self._write({"kind": "save", "step": int(path.name.removeprefix("step-")), "path": path.name})

    def close(self) -> None:
        """The file is closed after every line."""

    def _write(self, event: Table) -> None:
        append(self._path, dumps(event) + "\n")


def figures(record: Record) -> JsonObject:
    """The numbers of a logged step; one corpus alone has no epochs to tell, and few runs skip a step."""
    return {name: value for name, value in asdict(record).items() if name not in ("epochs", "skipped") or value}


_NUMBER = optional(number())
_EVENT = {"kind": one_of("step", "heldout", "save"), "step": whole(0)}
_EVENTS: dict[str, dict[str, Kind]] = {
    "step": {"loss": _NUMBER, "tokens": whole(0), "tokens_per_second": _NUMBER},
    "heldout": {"objective": TEXT, "loss": _NUMBER, "accuracy": _NUMBER, "tokens": whole(0)},
    "save": {},
}


def read_log(run: Path) -> list[JsonObject]:
    """The events of a run; a last line cut off by a kill is left out. Raises CorruptFile naming the line of another
    that is none."""
    path, remedy = run / LOG, "; remove that line"
    events = list(read_lines(path, _EVENT, remedy)) if path.is_file() else []
    for place, event in enumerate(events, start=1):
        schema = _EVENTS[event["kind"]]
        check_table(event, schema, f"{path}:{place}", remedy, schema)
    return events


def measures_of(run: Path, objective: str) -> list[tuple[int, EvalResult]]:
    """(step, what was measured of the objective) from a run's log."""
    results = []
    for event in read_log(run):
        if event["kind"] == "heldout" and event["objective"] == objective:
            scores = {name: value for name, value in event.items() if name not in _EVENT | _EVENTS["heldout"]}
            measured = EvalResult(event["loss"], event["accuracy"], event["tokens"], scores)
            results.append((int(event["step"]), measured))
    return results


class SampleLog:
    """The file: a line a text and measurement. A continued run drops what came after the checkpoint it starts from."""

    def __init__(self, run: Path, done: int) -> None:
        self._path = run / SAMPLES
        lines = read_lines(self._path, {"step": whole(0)}, "; remove that line") if self._path.is_file() else ()
        kept = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines if line["step"] <= done]
        with atomic_file(self._path) as partial:
            partial.write_text("".join(kept), encoding="utf-8")

    def add(self, step: int, where: str, prompt: str, written: str, wanted: str) -> None:
        line = {"step": step, "where": where, "asked": prompt, "written": written, "wanted": wanted}
        append(self._path, json.dumps(line, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """What a record says of the programs that made a model."""
    return {name: metadata.version(name) for name in ("glmkit", "torch", "numpy", "tokenizers")} | {
        "python": platform.python_version()
    }


def read_record(run: Path) -> JsonObject:
    """What the run.json of a run says. Raises CorruptFile."""
    remedy = "; copy the run again, or begin another in a new output"
    return read_json(run / RUN, remedy, {"config": table_of(ANY), "data": ANY}, required=("config",))


def flat(values: JsonObject, before: str = "") -> JsonObject:
    """Values by dotted name."""
    results: JsonObject = {}
    for name, value in values.items():
        results |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return results


def tracker_names(report_to: str) -> list[str]:
    """The names in a text with commas between. Raises UserError for one that is not known."""
    names = [name.strip() for name in report_to.split(",") if name.strip()]
    for name in names:
        if name not in TRACKERS:
            raise UserError(f"report_to: unknown program {name!r}{nearest(name, TRACKERS)}")
    return list(dict.fromkeys(names))
