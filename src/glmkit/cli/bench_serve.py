"""glmkit bench serve"""

import os
from collections.abc import Sequence

from glmkit.bench.report import Report
from glmkit.cli.arguments import Parser, positive, real
from glmkit.core.errors import UserError


def serve(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench serve",
        "Times a server of the OpenAI API under load: tokens a second, the wait for the first token and between "
        "tokens, and whether clients are served alike. Its key is in GLMKIT_API_KEY.",
        "glmkit bench serve --url http://127.0.0.1:8000 --streams 32 --requests 96",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--against", metavar="URL", help="another server, whose figures stand beside as limits")
    parser.add_argument("--streams", type=positive, default=8, metavar="N", help="clients that ask at once")
    parser.add_argument(
        "--rate", type=real, metavar="R", help="requests a second, at random times, in place of clients that wait"
    )
    parser.add_argument("--requests", type=positive, default=32, metavar="N", help="completions in all")
    parser.add_argument("--prompt", type=positive, default=32, metavar="N", help="words of a prompt")
    parser.add_argument("--tokens", type=positive, default=32, metavar="N", help="tokens of a completion")
    options = parser.parse_args(arguments)

    if options.rate is not None and options.rate <= 0:
        raise UserError(f"--rate must be above 0, got {options.rate:g}")

    from glmkit.bench.serve import Load, bench_serve

    load = Load(
        requests=options.requests,
        streams=options.streams,
        rate=options.rate,
        prompt=options.prompt,
        tokens=options.tokens,
    )
    return bench_serve(options.url, load, key=os.environ.get("GLMKIT_API_KEY"), against=options.against)
