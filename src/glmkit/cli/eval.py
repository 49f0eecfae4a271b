"""glmkit eval MODEL --tasks ... --data DIR"""

import math
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser, natural, positive, real
from glmkit.cli.loading import add_placement, bar, placement
from glmkit.cli.seq2seq import add_seq2seq, seq2seq
from glmkit.core.errors import UserError
from glmkit.core.strict_json import dumps

if TYPE_CHECKING:
    from glmkit.tasks.evaluate import Result

EXAMPLE = "glmkit eval runs/first/model --tasks rte,copa,lambada --data data --pattern all --json result.json"


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "eval",
        "Puts a model to tasks, without training it: each row's answers are scored as fillings of a blank.\n"
        "Reads each benchmark's own files below --data. A task of your own is a .yaml file (docs/cloze.md).",
        EXAMPLE,
    )
    parser.add_argument("model", nargs="?", help="a model directory or a training run")
    parser.add_argument("--tasks", default="", metavar="T,T", help="names, superglue, fewclue, or .yaml files")
    parser.add_argument("--data", type=Path, default=Path(), metavar="DIR", help="the folder of the benchmarks' files")
    parser.add_argument("--perplexity", type=Path, metavar="FILE", help="of a text file, both ways")
    parser.add_argument("--split", choices=("train", "dev", "test"), default="dev")
    parser.add_argument("--limit", type=positive, metavar="N", help="at most N rows of each task or of --seq2seq")
    parser.add_argument("--shots", type=natural, default=0, metavar="K", help="K solved training rows before each row")
    parser.add_argument(
        "--pattern", default="", metavar="P", help="a pattern's number, or all; the task's own otherwise"
    )
    parser.add_argument(
        "--length", type=positive, metavar="N", help="cut rows to N tokens; the model's length otherwise"
    )
    parser.add_argument(
        "--length-penalty",
        "--penalty",
        type=real,
        metavar="A",
        help="score = log p / length ** A, of an answer or a hypothesis; unless given 0 with --tasks, 1 with --beams",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the drawing of shots")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results into this file")
    parser.add_argument("--log", type=Path, metavar="OUT", help="write one line a row into this file")
    parser.add_argument(
        "--compare", type=Path, nargs=2, metavar=("LOG", "LOG"), help="compare two logs, no model needed"
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: tasks are shared out among the nodes of the Ray cluster that RAY_ADDRESS names",
    )
    add_seq2seq(parser)
    add_placement(parser, rows=True)
    options = parser.parse_args(arguments)
    if options.compare:
        _compare(*options.compare)
        return
    if options.model is None:
        raise UserError("no model: give a model directory")
    _refuse_others(options)
    if options.seq2seq:
        if options.engine == "ray":
            raise UserError("--engine ray scores --tasks and --perplexity: leave it out with --seq2seq")
        seq2seq(options)
        return
    if not options.tasks.strip(",") and not options.perplexity:
        raise UserError("nothing to evaluate: give --tasks or --perplexity FILE")

    from glmkit.api.evaluate import evaluate
    from glmkit.cli.progress import counting
    from glmkit.tasks.run import table

    with bar(f"loading {options.model}") as watch, counting() as on_rows:
        results = evaluate(
            options.model,
            tasks=options.tasks,
            data=options.data,
            perplexity=options.perplexity,
            split=options.split,
            limit=options.limit,
            shots=options.shots,
            pattern=int(options.pattern) if options.pattern.isdecimal() else options.pattern,
            length=options.length,
            penalty=options.length_penalty or 0.0,
            seed=options.seed,
            batch_size=options.batch_size,
            engine=options.engine,
            on_rows=on_rows,
            progress=watch,
            **placement(options),
        )
    _print(results)
    if options.json:
        _write(options.json, dumps({"model": options.model, "results": table(results)}, indent=1))
    if options.log:
        _write(options.log, "".join(dumps(row) + "\n" for result in results for row in result.log))


def _refuse_others(options: Namespace) -> None:
    """Raises UserError for a flag of scoring beside --seq2seq, or of writing without it."""
    scoring = ("tasks", "perplexity", "shots", "pattern", "log")
    writing = ("form", "metrics", "beams", "no_repeat_ngram", "output")
    for name in scoring if options.seq2seq else writing:
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            reason = "is not for --seq2seq" if options.seq2seq else "is for --seq2seq FILE"
            instead = {"log": ", rows go to --output", "output": ", rows go to --log and results to --json"}
            raise UserError(f"{flag} {reason}: leave it out{instead.get(name, '')}")


def _print(results: Sequence["Result"]) -> None:
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    console = Console(width=shutil.get_terminal_size((160, 24)).columns)
    shown = Table(box=None, pad_edge=False)
    blocks = []  # the same, where the terminal is too narrow for a table
    for heading in ("task", "pattern", "metric", "value", "95 %", "rows", "cut", "notes"):
        shown.add_column(heading, justify="right" if heading in ("value", "95 %", "rows", "cut") else "left")
    for result in results:
        for number, (name, value) in enumerate(result.metrics.items() or {"-": None}.items()):
            figures = ("", "") if value is None else (f"{value.value:.4g}", _interval(value.low, value.high))
            notes = "; ".join(result.notes) if not number else ""
            shown.add_row(result.task, result.pattern, name, *figures, str(result.rows), str(result.cut), notes)
            spread = f" (95 %: {figures[1]})" if figures[1] else ""
            blocks.append(f"{result.task} {result.pattern}: {name} {figures[0]}{spread}")
        blocks.append("  " + "; ".join([f"{result.rows} rows", f"{result.cut} cut", *result.notes]))
    wide = Measurement.get(console, console.options.update(max_width=10_000), shown).maximum
    if wide <= console.width or console.width >= 160:
        console.print(shown)
    else:
        console.print("\n".join(blocks), markup=False, highlight=False)


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:.3f}-{high:.3f}"


def _compare(first: Path, second: Path) -> None:
    from glmkit.tasks.confidence import compare

    for result in compare(first, second):
        print(
            f"{result.task}: {result.first:.4f} against {result.second:.4f} on {result.rows} rows; "
            f"only the first right {result.only_first}, only the second {result.only_second}; "
            f"McNemar's exact p = {result.p:.3g}"
        )


def _write(path: Path, text: str) -> None:
    from glmkit.core.files import atomic_file

    with atomic_file(path) as partial:
        partial.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
