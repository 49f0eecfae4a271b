"""Loading for people: a bar for anything that takes longer than two seconds."""

import time
from argparse import Namespace, _ArgumentGroup
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from glmkit.cli.arguments import Parser
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.api import Model
    from glmkit.families.assemble import Progress as Watch

_PATIENCE = 2.0  # seconds


def add_source(parser: Parser | _ArgumentGroup) -> None:
    """The flags that say what the files of a model do not."""
    parser.add_argument(
        "--model", dest="published", metavar="NAME", help="the published model it is, where its files do not tell"
    )
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="the tokenizer's files, where they lie elsewhere")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="overrides a field of the model's config"
    )


def source(options: Namespace) -> dict[str, Any]:
    """What `add_source` was given, as arguments of `load`."""
    return {"model": options.published, "tokenizer": options.tokenizer, "options": assignments(options.set)}


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts as a table; a value that is a whole number is one. Raises UserError."""
    table: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UserError(f"--set {text!r}: write KEY=VALUE, for example max_positions=2048")
        table[key.replace("-", "_")] = int(value) if value.isdecimal() else value
    return table


def load(path: str, **options: Any) -> "Model":
    """`glmkit.load` with a bar."""
    from glmkit.api import load

    with bar(f"loading {path}") as watch:
        return load(path, progress=watch, **options)


@contextmanager
def bar(what: str) -> Iterator["Watch"]:
    """Yields a function that is told of bytes done and their total; a terminal shows a bar after two seconds."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    shown = Progress(*columns, console=console, transient=True)
    began = time.monotonic()
    task = shown.add_task("", total=None)

    def watch(done: int, total: int) -> None:
        if console.is_terminal and time.monotonic() - began > _PATIENCE:
            shown.start()
        shown.update(task, completed=done, total=total)

    try:
        yield watch
    finally:
        if shown.live.is_started:
            shown.stop()
