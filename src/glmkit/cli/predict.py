"""glmkit predict MODEL FILE"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glmkit.cli.arguments import Parser
from glmkit.cli.loading import add_placement, load, placement
from glmkit.core.errors import UserError, counted


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "predict",
        "Writes a fine-tuned model's label and calibrated probabilities for every row of a file, and the row itself.",
        "glmkit predict runs/sorter/model new.tsv --output labels.csv",
    )
    parser.add_argument("model", type=Path, help="a model that glmkit finetune wrote, or its run")
    parser.add_argument("file", type=Path, help="rows with the columns it was trained on: .csv, .tsv, .jsonl or .json")
    parser.add_argument("--output", type=Path, metavar="OUT", help=".csv or .jsonl; standard output otherwise")
    parser.add_argument("--overwrite", action="store_true", help="replace an OUT that is there")
    parser.add_argument(
        "--encoding",
        default="utf-8",
        metavar="NAME",
        help="of FILE and of a .csv OUT, utf-8 unless given: gb18030, or utf-8-sig, by whose mark Excel knows UTF-8",
    )
    add_placement(parser, rows=True)
    options = parser.parse_args(arguments)

    from glmkit.core.files import atomic_file
    from glmkit.finetuning.answered import as_csv, as_jsonl, check_output
    from glmkit.finetuning.predictions import predict, prepare_model, read_input, saved_of
    from glmkit.tasks.tables import check_encoding

    codec = check_encoding(options.encoding, "--encoding")
    if options.output:
        check_output(options.output, options.overwrite)
    saved = saved_of(options.model)
    rows = read_input(saved, options.file, options.encoding)

    scorer = replace(load(options.model, **placement(options)).scorer, rows=options.batch_size)
    prepare_model(scorer, saved, options.model)
    predictions = predict(scorer, saved, rows)
    lines = options.output and options.output.suffix.lower() == ".jsonl"
    text = as_jsonl(predictions, rows) if lines else as_csv(predictions, rows, saved.task.labels)
    if not options.output:
        sys.stdout.write(text)
        return
    try:
        written = text.encode("utf-8" if lines else codec)
    except UnicodeEncodeError as error:
        letter = text[error.start]
        raise UserError(f"--encoding {options.encoding} has no {letter!r}: give utf-8-sig, or gb18030") from None
    with atomic_file(options.output) as partial:
        partial.write_bytes(written)
    print(f"{counted(len(rows), 'row')} in {options.output}", file=sys.stderr)
