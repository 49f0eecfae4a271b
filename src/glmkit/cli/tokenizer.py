"""glmkit tokenizer train"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, add_longest, natural, positive, say_longest
from glmkit.cli.invocation import again
from glmkit.core.errors import UserError, nearest


def main(arguments: Sequence[str]) -> None:
    command, *rest = arguments or ["--help"]
    if command in ("-h", "--help"):
        command, rest = "train", [command]
    if command not in COMMANDS:
        raise UserError(f"unknown command 'tokenizer {command}'{nearest(command, COMMANDS)}")
    COMMANDS[command](rest)


def _train(arguments: Sequence[str]) -> None:
    parser = Parser(
        "tokenizer train",
        "Learns a tokenizer from text: BPE or Unigram pieces, bytes for every character that is rare, and the special\n"
        "tokens of blank infilling. Reads the same files as `glmkit data prepare`.",
        "glmkit tokenizer train tok books/ --vocab-size 16000",
    )
    parser.add_argument("output", type=Path, help="the directory to write")
    parser.add_argument("input", type=Path, nargs="+", help="files, or directories of them")
    parser.add_argument("--vocab-size", type=positive, default=16_000, metavar="N")
    parser.add_argument("--model-type", "--model", choices=("bpe", "unigram"), default="bpe")
    parser.add_argument(
        "--spare", type=natural, default=120, metavar="N", help="ids kept free for special tokens of your own"
    )
    parser.add_argument(
        "--sample",
        type=positive,
        default=256,
        metavar="MB",
        help="learn from this many megabytes, spread over the files",
    )
    add_longest(parser)
    options = parser.parse_args(arguments)

    from glmkit.cli.progress import console
    from glmkit.core.files import atomic_directory
    from glmkit.data.sources import find_files, sample
    from glmkit.text import trained

    files = find_files(options.input)
    with say_longest(), atomic_directory(options.output) as partial:
        texts = sample(files, options.sample << 20, options.longest << 20)
        tokenizer = trained.train(
            texts,
            vocab_size=options.vocab_size,
            model=options.model_type,
            spare=options.spare,
            progress=console.is_terminal,
        )
        tokenizer.save(partial)
    fewer = f" (not the {options.vocab_size:,} asked for: this text has no more pieces)"
    console.print(
        f"{len(tokenizer):,} ids in {options.output}{fewer if len(tokenizer) < options.vocab_size else ''}",
        soft_wrap=True,
    )
    line = again("data", "prepare", "prepared", *options.input, "--tokenizer", options.output)
    console.print(f"try: {line}", soft_wrap=True, markup=False)


COMMANDS = {"train": _train}
