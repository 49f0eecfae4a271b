"""Loading for people: the flags of how a model is put into memory, and a bar for what takes longer than two seconds."""

import time
from argparse import Namespace, _ArgumentGroup
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from glmkit.cli.arguments import Parser, positive
from glmkit.cli.keys import bits
from glmkit.core.errors import UserError, argument
from glmkit.core.json_types import JsonObject

if TYPE_CHECKING:
    from glmkit.api import Model
    from glmkit.families.assemble import Progress as Watch

_PATIENCE = 2.0  # seconds
# Arguments of `load` that are no fields of a config: set beside their flags, they would be a second answer.
_NO_FIELDS = ("path", "dtype", "device", "quantize", "adapter", "model", "tokenizer", "activations", "progress")


def add_placement(parser: Parser, *, rows: bool = False, drafts: bool = False) -> None:
    """The flags of where and how a model is loaded; `rows`: and how many rows it reads at a time; `drafts`: and beside
    which other it writes."""
    group = parser.add_argument_group("loading")
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    group.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps")
    group.add_argument("--quantize", type=bits, choices=("int8", "int4"), help="the linear layers in 8 or 4 bits")
    group.add_argument("--adapter", metavar="DIR", help="one that is applied to the model: LoRA or P-tuning")
    group.add_argument("--threads", "-t", type=positive, metavar="N", help="processor threads")
    if rows:
        group.add_argument(
            "--batch-size", type=positive, metavar="N", help="at most N rows at a time; as many as fit, unless given"
        )
    if drafts:
        group.add_argument(
            "--draft", metavar="DIR", help="a small model of the same tokenizer that proposes tokens: faster, same text"
        )
    add_source(group)


def placement(options: Namespace) -> JsonObject:
    """What `add_placement` was given, as arguments of `load`; the threads are set at once."""
    if options.threads is not None:
        from glmkit.core import machine

        machine.use_threads(options.threads)
    names = ("dtype", "device", "quantize", "adapter")
    given = source(options)
    return {name: getattr(options, name) for name in names} | given.pop("options") | given


def add_source(parser: Parser | _ArgumentGroup) -> None:
    """The flags that say what the files of a model do not."""
    parser.add_argument(
        "--published",
        metavar="NAME",
        help="the published model it is, where its files do not tell; beside MODEL also --model NAME (without MODEL, "
        "--model DIR is MODEL)",
    )
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="the tokenizer's files, where they lie elsewhere")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="overrides a field of the model's config"
    )


def source(options: Namespace) -> JsonObject:
    """What `add_source` was given, as arguments of `load`. Raises UserError for what `--set` cannot set."""
    fields = assignments(options.set)
    for name in fields.keys() & set(_NO_FIELDS):
        flag = argument(name, fields[name])
        remedy = f"give {flag}" if flag.startswith("--") else "leave it out"
        raise UserError(f"--set {name}={fields[name]}: {name} is no field of a model's config; {remedy}")
    return {"model": options.published, "tokenizer": options.tokenizer, "options": fields}


def assignments(texts: Sequence[str]) -> JsonObject:
    """`key=value` texts as a table; a value that is a whole number is one. Raises UserError."""
    table: JsonObject = {}
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


def load_to_write(options: Namespace) -> "Model":
    """The model that flags with `drafts` ask for, with its draft model."""
    model = load(options.model, **placement(options))
    if options.draft is not None:
        model.use_draft(load(options.draft, dtype=options.dtype, device=options.device))
    return model


@contextmanager
def bar(what: str) -> Iterator["Watch"]:
    """Yields a function to call with the bytes done and their total; a terminal shows a bar after two seconds."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    shown = Progress(*columns, console=console, transient=True)
    began = time.monotonic()
    task = shown.add_task("", total=None)

    def watch(done: int, total: int) -> None:
        if console.is_terminal and time.monotonic() - began > _PATIENCE:
            shown.start()
        shown.update(task, completed=done, total=total)
        if done == total and shown.live.is_started:
            shown.stop()

    try:
        yield watch
    finally:
        if shown.live.is_started:
            shown.stop()
