"""glmkit bench pretrain, glmkit bench data"""

from collections.abc import Sequence

from glmkit.bench.report import Report
from glmkit.cli.arguments import Parser, positive
from glmkit.core.errors import UserError, nearest


def main(arguments: Sequence[str]) -> None:
    benches = {"pretrain": _pretrain, "data": _data}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: glmkit bench {{{','.join(benches)}}} [options] [--json]   (--help after one for its options)")
        return
    if arguments[0] not in benches:
        raise UserError(f"unknown benchmark {arguments[0]!r}{nearest(arguments[0], benches)}")
    json = "--json" in arguments
    report = benches[arguments[0]]([argument for argument in arguments[1:] if argument != "--json"])
    if json:
        print(report.json())
    else:
        from rich.console import Console

        report.print(Console())


def _pretrain(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench pretrain",
        "Times training steps against the machine's rate of matrix products on the model's shapes.",
        "glmkit bench pretrain --preset glm-base --seq 512",
    )
    parser.add_argument("--preset", default="glm-base")
    parser.add_argument("--seq", type=positive, default=512, metavar="N", help="tokens of text a row")
    parser.add_argument("--rows", type=positive, default=4, metavar="N", help="rows a step")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--steps", type=positive, default=3, metavar="N", help="timed steps")
    options = parser.parse_args(arguments)

    import torch

    from glmkit.bench.pretrain import bench_pretrain
    from glmkit.core import machine

    dtype = (
        machine.fastest_dtype(machine.default_device()) if options.dtype == "auto" else getattr(torch, options.dtype)
    )
    return bench_pretrain(options.preset, options.seq, options.rows, dtype, options.compile, options.steps)


def _data(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench data",
        "Times how one core makes training examples from shards, against plain Python.",
        "glmkit bench data --seq 512",
    )
    parser.add_argument("--seq", type=positive, default=512, metavar="N", help="tokens of text an example")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S")
    options = parser.parse_args(arguments)

    from glmkit.bench.data import bench_data

    return bench_data(options.seq, options.seconds)
