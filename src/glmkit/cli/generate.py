"""glmkit generate MODEL PROMPT"""

from collections.abc import Sequence

from glmkit.cli.arguments import Parser, positive, unicode
from glmkit.cli.loading import add_placement
from glmkit.cli.sampling import add_lengths, add_sampling, sampling
from glmkit.cli.stdin import lines
from glmkit.core.errors import UserError


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "generate",
        "Goes on from a text, printing it as it is written.",
        'glmkit generate runs/demo/model "Return a list of" --max-new-tokens 40 --top-p 0.9 --seed 1',
    )
    parser.add_argument("model", help="a model directory or a training run")
    parser.add_argument(
        "prompt", nargs="?", type=unicode, help="the text to go on from; without it, or as -, standard input is read"
    )
    add_sampling(parser)
    add_lengths(parser, "behind the prompt", 128)
    parser.add_argument(
        "--stop", action="append", type=unicode, default=[], metavar="TEXT", help="ends before TEXT; may be repeated"
    )
    parser.add_argument(
        "--overflow",
        choices=("error", "truncate"),
        default="error",
        help="what happens to a prompt longer than the model's context: an error, or it loses its beginning",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, with ids and log-probabilities")
    parser.add_argument(
        "--logprobs", type=positive, default=0, metavar="N", help="--json: the N most probable beside each"
    )
    add_placement(parser, drafts=True)
    options = parser.parse_args(arguments)
    prompt = options.prompt if options.prompt not in (None, "-") else "\n".join(lines())
    if not prompt.strip():
        raise UserError("no prompt: give it as an argument or on standard input")

    import json
    from dataclasses import asdict

    from glmkit.cli.loading import load_to_write

    how = sampling(options, random=False)
    model = load_to_write(options)
    bounds = {"stop": options.stop, "overflow": options.overflow}
    if options.json:
        (generation,) = model.generate_batch([prompt], options.max_new_tokens, how, top=options.logprobs, **bounds)
        table = {"prompt": prompt} | asdict(generation) | {"ended": generation.ended}
        print(json.dumps(table, ensure_ascii=False))
        return
    pieces = model.stream(prompt, options.max_new_tokens, how, **bounds)
    first = next(pieces, "")  # what is wrong shows before anything is printed
    print(prompt + first, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
