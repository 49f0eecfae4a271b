"""Programs that show runs as they go: a table from their names to what sends them the numbers of the log.

tensorboard    events under RUN/tensorboard
swanlab        SWANLAB_MODE=local: under RUN/swanlab, for `swanlab watch`
wandb          WANDB_MODE=offline: under RUN/wandb, for `wandb sync`
trackio        on this machine, for `trackio show`

The last three are set up by variables of the environment and commands of their own.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, cast

from glmkit.core.errors import MissingExtra, UserError
from glmkit.core.files import writing
from glmkit.core.json_types import Table
from glmkit.train.logs import figures, read_record
from glmkit.train.trainer import Observer, Record
from glmkit.train.validation import EvalResult


class Module(Protocol):
    """What the packages of the services have in common."""

    def init(self, **settings: object) -> object: ...
    def log(self, table: Mapping[str, float], *, step: int) -> object: ...
    def finish(self) -> object: ...


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
            for name, value in _flat(figures(record)).items():
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


class Service:
    """A program that takes tables of numbers by step: `package` has `log(table, step=)` and `finish()` once it runs."""

    package: ClassVar[str]

    def __init__(self, run: Path, done: int) -> None:
        try:
            module = cast(Module, importlib.import_module(self.package))
        except ImportError:
            raise UserError(f"{self.package} is not installed; run: pip install {self.package}") from None
        project = os.environ.get(f"{self.package.upper()}_PROJECT", "glmkit")
        try:
            self._start(module, project, run, read_record(run)["config"])
        except Exception as error:  # noqa: BLE001 (another program's, of any kind)
            line = " ".join(str(error).split())[:200]
            raise UserError(f"{self.package} did not start: {line}; leave it out of report_to, or mend that") from None
        self._module = module

    def _start(self, module: Module, project: str, run: Path, config: Table) -> None:
        module.init(project=project, name=run.name, config=config)

    def on_step(self, record: Record) -> None:
        table = {f"train/{name}": value for name, value in _flat(figures(record)).items() if name != "step"}
        self._module.log(table, step=record.step)

    def on_measure(self, step: int, measures: Mapping[str, EvalResult]) -> None:
        table = {
            f"heldout/{name}/{kind}": value
            for name, measure in measures.items()
            for kind, value in measure.record().items()
        }
        if table:
            self._module.log(table, step=step)

    def on_save(self, path: Path) -> None:
        """They hear of numbers alone."""

    def close(self) -> None:
        self._module.finish()


class SwanLab(Service):
    package = "swanlab"

    def _start(self, module: Module, project: str, run: Path, config: Table) -> None:
        module.init(project=project, experiment_name=run.name, config=config, logdir=str(run / "swanlab"))


class WandB(Service):
    package = "wandb"

    def _start(self, module: Module, project: str, run: Path, config: Table) -> None:
        module.init(project=project, name=run.name, config=config, dir=str(run))


class Trackio(Service):
    package = "trackio"


STARTERS: Mapping[str, Callable[[Path, int], Observer]] = {
    "tensorboard": TensorBoardLog,
    "swanlab": SwanLab,
    "wandb": WandB,
    "trackio": Trackio,
}


def _flat(figures: Table) -> dict[str, float]:
    inner = figures.get("epochs", {})
    return {name: value for name, value in figures.items() if name != "epochs"} | {
        f"epochs/{name}": value for name, value in inner.items()
    }
