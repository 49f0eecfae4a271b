"""glmkit infill MODEL TEXT"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser, positive, real, unicode
from glmkit.cli.loading import add_placement
from glmkit.cli.sampling import add_beams, add_lengths, add_sampling, sampling, settings
from glmkit.cli.stdin import lines_or_errors
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.generate.beam import Beam


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "infill",
        "Fills every [MASK] (some words), [sMASK] (sentences) and [gMASK] (the rest) of a text.",
        'glmkit infill runs/demo/model "Return the [MASK] of the list." --num-return-sequences 3 --temperature 0.8',
    )
    parser.add_argument("model", help="a model directory or a training run")
    parser.add_argument(
        "text", nargs="?", type=unicode, help="the text; without it, or as -, each line of standard input is one"
    )
    add_sampling(parser)
    beams = parser.add_argument_group("beam search (instead of sampling)")
    add_beams(beams, default="none unless given")
    beams.add_argument("--length-penalty", type=real, default=1.0, metavar="A", help="score = log p / length ** A")
    add_lengths(parser, "a blank", 64)
    parser.add_argument("--min-tokens", type=positive, default=1, metavar="N", help="at least N tokens a blank")
    parser.add_argument(
        "--num-return-sequences",
        "--alternatives",
        type=positive,
        default=1,
        metavar="N",
        help="N fillings, most probable first (-n counts tokens)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a text")
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="SVG",
        help="draw the filled text into this file, and the three most probable beginnings of each filling",
    )
    add_placement(parser, drafts=True)
    options = parser.parse_args(arguments)
    given = {"text": options.text}
    if options.text in (None, "-"):
        given = {f"line {number}": line for number, line in enumerate(lines_or_errors(), start=1)}
    texts = {name: text for name, text in given.items() if isinstance(text, UserError) or text.strip()}
    if not texts:
        raise UserError("no text: give it as an argument or on standard input")

    if options.picture and len(texts) > 1:
        raise UserError(f"--picture shows one text, and {len(texts)} were given: fill one at a time")

    import json
    from dataclasses import asdict

    from glmkit.api.fill_picture import check_picture, draw_fills
    from glmkit.cli.loading import load_to_write

    if options.picture:
        check_picture(options.picture)

    how = beam(options) if options.beams else sampling(options, random=options.num_return_sequences > 1)
    model = load_to_write(options)
    left: dict[str, UserError] = {}
    for name, text in texts.items():
        try:
            model.check_blanks(text_of(text), name)
        except UserError as error:  # the others are answered all the same
            left[name] = error
            if len(texts) > 1:
                print(f"glmkit: {error}", file=sys.stderr)
            continue
        infillings = model.infill(
            text,
            how,
            max_tokens=options.max_new_tokens,
            min_tokens=options.min_tokens,
            alternatives=options.num_return_sequences,
        )
        for infilling in infillings.alternatives:
            if options.json:
                table = asdict(infilling) | {"ended": infilling.ended, "logprob": infilling.logprob}
                print(json.dumps(table, ensure_ascii=False))
            else:
                print(infilling.text)
                spans = zip(infilling.spans, infilling.logprobs, strict=True)
                print("  " + "   ".join(f"[{span}] log p {logprob:.2f}" for span, logprob in spans))
        if options.picture:
            draw_fills(model, text_of(text), infillings.spans, options.picture)
            print(f"picture: {options.picture}", file=sys.stderr)
    if left:
        raise (
            next(iter(left.values()))
            if len(texts) == 1
            else UserError(f"{len(left)} of {len(texts)} texts were not filled: {', '.join(left)}")
        )


def text_of(line: str | UserError) -> str:
    """A line of standard input. Raises the error that stands in its place."""
    if isinstance(line, UserError):
        raise line
    return line


def beam(options: Namespace) -> "Beam":
    """The beam search that the flags ask for. Raises UserError when they ask for sampling as well."""
    from glmkit.generate.beam import Beam

    if settings(options):
        raise UserError("--beams is deterministic: leave out --temperature, --top-p, --seed and the like, or --beams")
    return Beam(beams=options.beams, length_penalty=options.length_penalty, no_repeat_ngram=options.no_repeat_ngram)
