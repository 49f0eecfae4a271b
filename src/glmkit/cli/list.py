"""glmkit list [DIR...]"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser
from glmkit.cli.invocation import again

if TYPE_CHECKING:
    from glmkit.families.local_models import LocalModel


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "list",
        "Lists the models on this machine with their sizes: those below directories, or without any those of the runs "
        "here and of the caches of Hugging Face and ModelScope. Reads no weights.",
        "glmkit list\n  glmkit list runs /srv/models --json",
    )
    parser.add_argument("directories", nargs="*", type=Path, metavar="DIR", help="which are searched, instead")
    parser.add_argument("--json", action="store_true", help="one JSON array")
    options = parser.parse_args(arguments)

    from glmkit.families.local_models import RUNS, local_models

    models = list(local_models(options.directories))
    if options.json:
        print(json.dumps([asdict(model) for model in models], ensure_ascii=False, indent=1))
    elif models:
        _print(models)
    elif options.directories:
        print(f"no models below {', '.join(map(str, options.directories))}")
    else:
        print(f"no models below {RUNS} nor in the caches; {again('demo')} trains one")


def _print(models: "Sequence[LocalModel]") -> None:
    """A row for each model; where it cannot be loaded, or is no whole model, the reason below."""
    rows = [("model", "family", "parameters", "precision", "on disk")]
    rows += [
        (model.name, model.family, _count(model.parameters), model.precision or "-", f"{model.bytes / 2**20:,.1f} MiB")
        for model in models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    notes = ["", *(model.note for model in models)]
    for (name, family, *figures), note in zip(rows, notes, strict=True):
        cells = [f"{figure:>{width}}" for figure, width in zip(figures, widths[2:], strict=True)]
        print("  ".join([f"{name:<{widths[0]}}", f"{family:<{widths[1]}}", *cells]))
        if note:
            print(f"  {note}")


def _count(parameters: int | None) -> str:
    """6.2B, 110M, 42K."""
    if parameters is None:
        return "-"
    unit, letter = next((u, n) for u, n in ((1e9, "B"), (1e6, "M"), (1e3, "K"), (1, "")) if parameters >= u or u == 1)
    return f"{parameters / unit:.3g}{letter}"
