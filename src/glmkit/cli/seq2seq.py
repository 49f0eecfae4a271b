"""glmkit eval MODEL --seq2seq FILE: what a model writes for the rows of a file."""

from argparse import Namespace
from pathlib import Path

from glmkit.cli.arguments import Parser, positive, real


def add_seq2seq(parser: Parser) -> None:
    """The flags of writing for the rows of a file."""
    group = parser.add_argument_group("writing")
    group.add_argument("--seq2seq", type=Path, metavar="FILE", help="rows or conversations to write for")
    group.add_argument("--form", help="how a source is asked for its target, of a model not fine-tuned to write")
    group.add_argument("--metrics", default="", metavar="M,M", help="rouge, bleu, exact, f1, cmrc")
    group.add_argument("--beams", type=positive, metavar="N", help="keep the N best hypotheses; greedy unless given")
    group.add_argument("--length-penalty", type=real, default=1.0, metavar="A", help="score = log p / length ** A")
    group.add_argument("--no-repeat-ngram", type=positive, default=0, metavar="N", help="no N tokens twice")
    group.add_argument("--max-tokens", type=positive, default=128, metavar="N", help="at most N a target")
    group.add_argument("--min-tokens", type=positive, default=1, metavar="N", help="at least N a target")
    group.add_argument("--output", type=Path, metavar="OUT", help="write one line a row: where, asked, written, wanted")
    group.add_argument("--encoding", default="utf-8", metavar="NAME", help="of FILE, e.g. gb18030; utf-8 unless given")


def seq2seq(options: Namespace) -> None:
    """Writes for every row, prints the metrics."""
    from dataclasses import asdict, replace

    from glmkit.cli.loading import load, placing
    from glmkit.core.files import atomic_file
    from glmkit.core.strict_json import dumps
    from glmkit.families.load import Loaded
    from glmkit.finetuning.config import FinetuneConfig
    from glmkit.finetuning.decode import decode, of_length
    from glmkit.finetuning.writing import asked_of, rows_of, scribe_of
    from glmkit.generate.beam import Beam
    from glmkit.tasks.overlap import overlap

    model = load(options.model, **placing(options))
    config = asked_of(Path(options.adapter or options.model))
    if config is None:
        limit = options.length or model.config.max_positions
        config = FinetuneConfig(model=options.model, task="seq2seq", length=limit)
    if options.form:
        config = replace(config, data=replace(config.data, form=options.form))
    loaded = Loaded(model.family, model.config, model.module, model.tokenizer)
    scribe = of_length(scribe_of(loaded, config), options.max_tokens)
    scribe = replace(scribe, subject=replace(scribe.subject, rows=options.batch_size))
    config = replace(config, data=replace(config.data, encoding=options.encoding))  # the file's, not the training's
    rows = rows_of(config, str(options.seq2seq))[: options.limit]
    how = None
    if options.beams:
        how = Beam(beams=options.beams, length_penalty=options.length_penalty, no_repeat_ngram=options.no_repeat_ngram)
    found = list(decode(scribe, rows, how, max_tokens=options.max_tokens, min_tokens=options.min_tokens))
    names = [name for name in options.metrics.split(",") if name] or ["exact", "f1"]
    values = overlap(names, [each.written for each in found], [each.wanted for each in found])
    for name, value in values.items():
        print(f"{name} {value:.2f}")
    if options.output:
        lines = [dumps(asdict(each)) + "\n" for each in found]
        with atomic_file(options.output) as partial:
            partial.write_text("".join(lines), encoding="utf-8")
    if options.json:
        told = {"model": options.model, "rows": len(found), "results": values}
        with atomic_file(options.json) as partial:
            partial.write_text(dumps(told, indent=1) + "\n", encoding="utf-8")
