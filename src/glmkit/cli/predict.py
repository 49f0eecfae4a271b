"""glmkit predict MODEL FILE"""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "predict",
        "Writes a fine-tuned model's label and calibrated probabilities for every row of a file.",
        "glmkit predict runs/sorter/model new.tsv --output labels.csv",
    )
    parser.add_argument("model", type=Path, help="a model that glmkit finetune wrote, or its run")
    parser.add_argument("file", type=Path, help="rows with the columns it was trained on: .csv, .tsv or .jsonl")
    parser.add_argument("--output", type=Path, metavar="OUT", help=".csv or .jsonl; standard output otherwise")
    options = parser.parse_args(arguments)

    from glmkit.api import load
    from glmkit.core.files import atomic_file
    from glmkit.tasks.predictions import predict, prepare_model, saved_of
    from glmkit.tasks.tables import read_rows

    saved = saved_of(options.model)
    rows = read_rows(options.file)
    subject = load(options.model).subject
    prepare_model(subject, saved, options.model)
    found = predict(subject, saved, rows)
    if options.output and options.output.suffix == ".jsonl":
        text = "".join(
            json.dumps({"label": each.label, "probabilities": each.probabilities}, ensure_ascii=False) + "\n"
            for each in found
        )
    else:
        names = list(saved.task.labels)
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["label", *(f"p({name})" for name in names)])
        for each in found:
            writer.writerow([each.label, *(f"{each.probabilities[name]:.6f}" for name in names)])
        text = table.getvalue()
    if options.output:
        with atomic_file(options.output) as partial:
            partial.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
