"""glmkit demo"""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from glmkit.api.demo import STEPS
from glmkit.cli.arguments import Parser, positive
from glmkit.cli.invocation import again
from glmkit.core.json_types import JsonObject


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "demo",
        "Trains a small GLM on the docstrings of your Python installation, in a few minutes and without a download,\n"
        "and fills blanks of sentences it has not seen.",
        "glmkit demo --output runs/demo",
    )
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), metavar="DIR")
    parser.add_argument("--steps", type=positive, default=STEPS, metavar="N", help="training steps; fewer is faster")
    parser.add_argument("--overwrite", action="store_true", help="loses the demo that is there, finished or not")
    options = parser.parse_args(arguments)

    from glmkit.api.demo import demo
    from glmkit.cli.progress import TrainingProgress, console

    result = demo(
        options.output,
        options.steps,
        lambda line: console.print(line, soft_wrap=True),
        lambda trainer, done: [TrainingProgress(trainer, done)],
        overwrite=options.overwrite,
    )
    console.print(fills_table(result["fills"]))
    start, end = result["heldout_loss_start"], result["heldout_loss_end"]
    console.print(
        f"held-out loss {start:.2f} -> {end:.2f} nats a predicted token ({1 - end / start:.0%} less) "
        f"after {result['tokens_seen']:,} tokens in {result['seconds']:.0f} s of training"
    )
    console.print(f"pictures: {options.output / 'loss.png'}, {options.output / 'mask.png'}", soft_wrap=True)
    model = options.output / "model"
    for line in (
        again("infill", model, "Return the [MASK] of the list."),
        again("generate", model, "Return a list of"),
    ):
        console.print(f"try: {line}", soft_wrap=True, markup=False)


def fills_table(fills: Sequence[JsonObject]) -> Table:
    """What the demo's model writes into the blanks of sentences, beside what stood there."""
    table = Table(title="blanks of held-out sentences", title_justify="left", show_lines=True)
    for heading in ("sentence", "truth", "the model writes"):
        table.add_column(heading)
    for fill in fills:
        truth = f"{fill['truth']}\n({math.exp(fill['truth_logprob']):.1%})"
        written = f"{fill['fill']}\n({math.exp(fill['logprob']):.1%})"
        table.add_row(*map(Text, (fill["text"], truth, written)))  # a bracket is no markup
    return table
