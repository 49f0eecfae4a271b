"""glmkit eval MODEL --seq2seq FILE: what a model writes for the rows of a file."""

from argparse import Namespace
from pathlib import Path

from glmkit.cli.arguments import Parser, positive
from glmkit.cli.sampling import add_beams, add_lengths


def add_seq2seq(parser: Parser) -> None:
    """The flags of writing for the rows of a file."""
    group = parser.add_argument_group("writing")
    group.add_argument("--seq2seq", type=Path, metavar="FILE", help="rows or conversations to write for")
    group.add_argument("--form", help="how a source is asked for its target, of a model not fine-tuned to write")
    group.add_argument("--metrics", default="", metavar="M,M", help="rouge, bleu, exact, f1, cmrc")
    add_beams(group, default="greedy unless given")
    add_lengths(group, "a target", 128)
    group.add_argument("--min-tokens", type=positive, default=1, metavar="N", help="at least N a target")
    group.add_argument("--output", type=Path, metavar="OUT", help="write one line a row: where, asked, written, wanted")
    group.add_argument("--encoding", default="utf-8", metavar="NAME", help="of FILE, e.g. gb18030; utf-8 unless given")


def seq2seq(options: Namespace) -> None:
    """Writes for every row, prints the metrics."""

    from glmkit.api.evaluate import evaluate
    from glmkit.cli.loading import bar, placement
    from glmkit.core.files import atomic_file
    from glmkit.core.strict_json import dumps

    with bar(f"loading {options.model}") as watch:
        (result,) = evaluate(
            options.model,
            seq2seq=options.seq2seq,
            form=options.form or None,
            metrics=options.metrics,
            beams=options.beams,
            length_penalty=1.0 if options.length_penalty is None else options.length_penalty,
            no_repeat_ngram=options.no_repeat_ngram,
            max_tokens=options.max_new_tokens,
            min_tokens=options.min_tokens,
            encoding=options.encoding,
            limit=options.limit,
            length=options.length,
            batch_size=options.batch_size,
            progress=watch,
            **placement(options),
        )
    values = {name: measured.value for name, measured in result.metrics.items()}
    for name, value in values.items():
        print(f"{name} {value:.2f}")
    if options.output:
        lines = [dumps(row) + "\n" for row in result.log]
        with atomic_file(options.output) as partial:
            partial.write_text("".join(lines), encoding="utf-8")
    if options.json:
        table = {"model": options.model, "rows": result.rows, "results": values}
        with atomic_file(options.json) as partial:
            partial.write_text(dumps(table, indent=1) + "\n", encoding="utf-8")
