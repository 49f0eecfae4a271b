"""glmkit generate MODEL PROMPT"""

from collections.abc import Sequence

from glmkit.cli.arguments import Parser, positive
from glmkit.cli.infill import add_sampling, read_stdin, sampling
from glmkit.core.errors import UserError


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "generate",
        "Continues a text through [gMASK], printing it as it is written.",
        'glmkit generate runs/demo/model "Return a list of" --max-new-tokens 40 --top-p 0.9 --seed 1',
    )
    parser.add_argument("model", help="a model directory or a training run")
    parser.add_argument("prompt", nargs="?", help="the text to continue; without it, standard input is read")
    add_sampling(parser)
    parser.add_argument("--max-new-tokens", type=positive, default=128, metavar="N")
    options = parser.parse_args(arguments)
    prompt = options.prompt if options.prompt is not None else "\n".join(read_stdin())
    if not prompt.strip():
        raise UserError("no prompt: give it as an argument or on standard input")

    from glmkit.api import load

    model = load(options.model)
    print(prompt, end="", flush=True)
    for piece in model.stream(prompt, options.max_new_tokens, sampling(options, random=False)):
        print(piece, end="", flush=True)
    print()
