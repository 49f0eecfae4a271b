"""glmkit compare RUN RUN"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser
from glmkit.core.errors import UserError


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "compare",
        "Puts training runs side by side: where each is, what their settings differ in, and their curves over one\n"
        "another.",
        "glmkit compare runs/one runs/two --output compare.html",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="directories of training runs, two or more")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the curves as well: .html (a page) or .png")
    options = parser.parse_args(arguments)
    if len(options.runs) < 2:
        raise UserError("one run alone has nothing to be compared with: give two or more")

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from glmkit.train.compare import SUFFIXES, differences, read_runs, results, shown, write_comparison

    if options.output and options.output.suffix not in SUFFIXES:
        raise UserError(f"--output {options.output}: give a name that ends in {' or '.join(SUFFIXES)}")
    runs = read_runs(options.runs)
    console = Console(highlight=False)
    settings = [(key, [shown(value) for value in values]) for key, values in differences(runs)]
    for title, rows in (("where they are", results(runs)), ("settings that differ", settings)):
        table = Table("", title=title, title_justify="left")
        for run in runs:
            table.add_column(Text(run.name))
        for name, values in rows:
            table.add_row(name, *map(Text, values))
        console.print(table if rows else f"{title}: none")
    if options.output:
        write_comparison(runs, options.output)
        console.print(f"curves: {options.output}", soft_wrap=True, markup=False)
