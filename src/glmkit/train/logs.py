"""The log of a run, a line an event, and the same numbers as TensorBoard events."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from glmkit.core.errors import MissingExtra
from glmkit.core.files import append, atomic_file, write_text, writing
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import TEXT, Kind, number, one_of, optional, whole
from glmkit.core.strict_json import check_table, dumps, read_lines
from glmkit.train.trainer import Record
from glmkit.train.validation import EvalResult

LOG = "log.jsonl"


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
        self._write({"kind": "step", **_figures(record)})

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        for name, measure in measures.items():
            self._write({"kind": "heldout", "step": step, "objective": name, **measure.record()})

    def on_save(self, path: Path) -> None:
        self._write({"kind": "save", "step": int(path.name.removeprefix("step-")), "path": path.name})

    def close(self) -> None:
        """The file is closed after every line."""

    def _write(self, event: Table) -> None:
        append(self._path, dumps(event) + "\n")


def _figures(record: Record) -> JsonObject:
    """The numbers of a logged step; one corpus alone has no epochs to tell, and few runs skip a step."""
    return {name: value for name, value in asdict(record).items() if name not in ("epochs", "skipped") or value}


def _flat(figures: Table) -> dict[str, float]:
    inner = figures.get("epochs", {})
    return {name: value for name, value in figures.items() if name != "epochs"} | {
        f"epochs/{name}": value for name, value in inner.items()
    }


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


class TensorBoardLog:
    """The same numbers as TensorBoard events under RUN/tensorboard."""

    def __init__(self, run: Path, done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("tensorboard", "train") from None
        self._path = run / "tensorboard"
        with writing(self._path):
            self._writer = SummaryWriter(str(self._path), purge_step=done + 1)

    def on_step(self, record: Record) -> None:
        with writing(self._path):
            for name, value in _flat(_figures(record)).items():
                if name != "step":
                    self._writer.add_scalar(f"train/{name}", value, record.step)

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        with writing(self._path):
            for name, measure in measures.items():
                for kind in ("loss", "accuracy", *measure.scores):
                    self._writer.add_scalar(f"heldout/{name}/{kind}", measure.record()[kind], step)

    def on_save(self, path: Path) -> None:
        with writing(self._path):
            self._writer.flush()

    def close(self) -> None:
        with writing(self._path):
            self._writer.close()
