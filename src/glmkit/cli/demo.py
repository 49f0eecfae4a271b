"""glmkit demo"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from glmkit.api.demo import RECIPES, SECONDS
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
    parser.add_argument(
        "--recipe", choices=RECIPES, default=RECIPES[0], help="modern: NeoGLM and Muon; 2021: as GLM was published"
    )
    parser.add_argument("--seconds", type=positive, default=SECONDS, metavar="N", help="of training, by the clock")
    parser.add_argument("--steps", type=positive, metavar="N", help="training steps, whatever time they take")
    parser.add_argument("--overwrite", action="store_true", help="loses the demo that is there, finished or not")
    options = parser.parse_args(arguments)

    from glmkit.api.demo import DemoConfig, demo
    from glmkit.cli.progress import TrainingProgress, console
    from glmkit.families.hub import DEMO

    result = demo(
        options.output,
        DemoConfig(recipe=options.recipe, seconds=options.seconds, steps=options.steps),
        lambda line: console.print(line, soft_wrap=True),
        lambda trainer, done: [TrainingProgress(trainer, done)],
        overwrite=options.overwrite,
    )
    console.print(words_table(result["fills"]))
    for line in [*_two_blanks(result["two_blanks"]), "", *_summary(result)]:
        console.print(line, markup=False)
    files = ", ".join(str(options.output / name) for name in ("loss.png", "mask.png", "report.html"))
    console.print(f"to look at: {files}", soft_wrap=True)
    model = options.output / "model" if options.output != parser.get_default("output") else DEMO
    for line in (
        again("infill", model, "Return the [MASK] of the list."),
        again("generate", model, "Return a list of"),
    ):
        console.print(f"try: {line}", soft_wrap=True, markup=False)


def words_table(fills: Sequence[JsonObject]) -> Table:
    """The most probable words of the demo's model for blanks of sentences, and the word that stood there."""
    table = Table(title="the three most probable words (* stood there)", title_justify="left", show_lines=True)
    table.add_column("sentence")
    table.add_column("words", no_wrap=True)
    table.add_column("truth", no_wrap=True)
    for fill in fills:
        words = Text()
        for guess in fill["words"]:
            right = guess["word"] == fill["truth"]
            line = f"{'*' if right else ' '}{guess['word']} {guess['probability']:.1%}\n"
            words.append(line, style="bold green" if right else "")
        words.rstrip()
        table.add_row(Text(fill["text"]), words, Text(f"{fill['truth']}\n{fill['truth_probability']:.1%}"))
    return table


def _two_blanks(fills: Sequence[JsonObject]) -> Iterator[str]:
    """Two blanks of a sentence, filled one after the other."""
    for fill in fills:
        yield f"two blanks at once: {fill['text']}"
        yield f"  the model: {', '.join(fill['spans'])} ({fill['probability']:.2%})"
        yield f"  stood there: {', '.join(fill['truth'])}"


def _summary(result: JsonObject) -> Iterator[str]:
    hits, count, by_frequency = result["hits"], result["sentences"], result["hits_by_frequency"]
    yield (
        f"the hidden word is among the first three in {hits} of {count} held-out sentences ({hits / count:.0%}); "
        f"guessing the most frequent words: {by_frequency}"
    )
    yield (
        f"held-out loss {result['heldout_loss_start']:.2f} -> {result['heldout_loss_end']:.2f} nats a predicted token "
        f"({result['frequency_loss']:.2f} for frequency alone) after {result['tokens_seen']:,} tokens in "
        f"{result['seconds']:.0f} s of training; {result['heldout_loss_of_2021']:.2f} at the blanks of 2021"
    )
