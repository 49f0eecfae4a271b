"""glmkit bench serve"""

import os
from collections.abc import Sequence

from glmkit.bench.report import Report
from glmkit.cli.arguments import Parser, positive, real
from glmkit.cli.bench_inference import computing
from glmkit.cli.keys import bits
from glmkit.core.errors import UserError


def serve(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench serve",
        "Times a server of the OpenAI API under load: tokens a second, the wait for the first token and between "
        "tokens, and whether clients are served alike. With --url a server that runs (its key is in GLMKIT_API_KEY); "
        "without, our own over a random model, in turns with its engine alone or with another server.",
        "glmkit bench serve --preset chatglm2-6b --layers 8 --quantize int4 --streams 8",
    )
    parser.add_argument("--url", help="of a server that runs")
    parser.add_argument("--preset", default="chatglm2-6b", help="shapes of a random model, without --url")
    parser.add_argument("--layers", type=positive, metavar="N", help="instead of all of them")
    parser.add_argument("--quantize", type=bits, choices=("int8", "int4"))
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument(
        "--against",
        metavar="URL|NAME",
        help="another server, whose figures stand beside as limits: one that runs, or, without --url, one to start "
        "over the same shapes: llama-server, vllm or openvino-genai",
    )
    parser.add_argument(
        "--program",
        metavar="FILE",
        help="of the server to start, where it is not on PATH; for openvino-genai the Python that has it",
    )
    parser.add_argument("--streams", type=positive, default=8, metavar="N", help="clients that ask at once")
    parser.add_argument(
        "--rate", type=real, metavar="R", help="requests a second, at random times, in place of clients that wait"
    )
    parser.add_argument("--requests", type=positive, default=32, metavar="N", help="completions in all")
    parser.add_argument("--prompt", type=positive, default=32, metavar="N", help="words of a prompt")
    parser.add_argument("--tokens", type=positive, default=32, metavar="N", help="tokens of a completion")
    parser.add_argument("--long", type=positive, default=0, metavar="N", help="words of a prompt that joins the others")
    options = parser.parse_args(arguments)
    if options.rate is not None and options.rate <= 0:
        raise UserError(f"--rate must be above 0, got {options.rate:g}")

    from glmkit.bench.http_load import Load
    from glmkit.bench.other_servers import SERVERS
    from glmkit.bench.random_server import RandomShapes
    from glmkit.bench.serve import bench_random_server, bench_serve

    load = Load(
        requests=options.requests,
        streams=options.streams,
        rate=options.rate,
        prompt=options.prompt,
        tokens=options.tokens,
        long=options.long,
    )
    if options.url is not None:
        if options.against in SERVERS:
            raise UserError(f"--against {options.against} goes with a random model of ours; leave out --url")
        return bench_serve(options.url, load, key=os.environ.get("GLMKIT_API_KEY"), against=options.against)
    shapes = RandomShapes(
        preset=options.preset, layers=options.layers, quantize=options.quantize, dtype=computing(options.dtype)
    )
    return bench_random_server(shapes, load, options.against, options.program)
