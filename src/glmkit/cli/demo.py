"""glmkit demo"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, positive
from glmkit.recipes.demo import STEPS


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

    import math

    from rich.table import Table

    from glmkit.cli.progress import TrainingProgress, console
    from glmkit.recipes.demo import demo

    result = demo(
        options.output,
        options.steps,
        lambda line: console.print(line, soft_wrap=True),
        lambda trainer, done: [TrainingProgress(trainer.steps, done)],
        overwrite=options.overwrite,
    )
    table = Table(title="blanks of held-out sentences", title_justify="left", show_lines=True)
    for heading in ("sentence", "truth", "the model writes"):
        table.add_column(heading)
    for fill in result["fills"]:
        truth = f"{fill['truth']}\n({math.exp(fill['truth_logprob']):.1%})"
        table.add_row(fill["text"].replace("[", r"\["), truth, f"{fill['fill']}\n({math.exp(fill['logprob']):.1%})")
    console.print(table)
    start, end = result["heldout_loss_start"], result["heldout_loss_end"]
    console.print(
        f"held-out loss {start:.2f} -> {end:.2f} nats a predicted token ({1 - end / start:.0%} less) "
        f"after {result['tokens_seen']:,} tokens in {result['seconds']:.0f} s of training"
    )
    console.print(f"pictures: {options.output / 'loss.png'}, {options.output / 'mask.png'}", soft_wrap=True)
    console.print(f'try: glmkit infill {options.output / "model"} "Return the \\[MASK] of the list."', soft_wrap=True)
