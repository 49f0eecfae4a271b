"""glmkit bench pretrain | data | infill | load | cloze | finetune | decode | batch | prefill | lookup | serve"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.bench.report import Report
from glmkit.cli import bench_inference, bench_serve
from glmkit.cli.arguments import Parser, positive, real
from glmkit.cli.bench_inference import computing
from glmkit.cli.keys import bits
from glmkit.core.errors import UserError, nearest

_STORED = ("float32", "bfloat16", "float16")
_DTYPES = ("auto", "float32", "bfloat16")


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            f"usage: glmkit bench {{{','.join(COMMANDS)}}} [options] [--json]   (--help after one for its options)\n\n"
            "example:\n  glmkit bench decode --preset chatglm2-6b --layers 4 --quantize int4"
        )
        return
    if arguments[0] not in COMMANDS:
        raise UserError(f"unknown benchmark {arguments[0]!r}{nearest(arguments[0], COMMANDS)}")
    json = "--json" in arguments
    report = COMMANDS[arguments[0]]([argument for argument in arguments[1:] if argument != "--json"])
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
    parser.add_argument("--dtype", choices=_DTYPES, default="auto")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--dropout", type=float, default=0.0, metavar="P", help="0.1 in the recipes of GLM-Base and up")
    parser.add_argument("--steps", type=positive, default=3, metavar="N", help="timed steps")
    options = parser.parse_args(arguments)
    if not 0 <= options.dropout < 1:
        raise UserError(f"--dropout must be at least 0 and below 1, got {options.dropout:g}")

    from glmkit.bench.pretrain import bench_pretrain

    dtype = computing(options.dtype)
    return bench_pretrain(
        options.preset, options.seq, options.rows, dtype, options.compile, options.steps, options.dropout
    )


def _data(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench data",
        "Times how one core makes training examples from shards, against plain Python.",
        "glmkit bench data --seq 512",
    )
    parser.add_argument("--seq", type=positive, default=512, metavar="N", help="tokens of text an example")
    parser.add_argument("--seconds", type=real, default=10.0, metavar="S")
    options = parser.parse_args(arguments)

    from glmkit.bench.data import bench_data

    return bench_data(options.seq, options.seconds)


def _infill(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench infill",
        "Times the filling of blanks in a batch of texts, against one text at a time.",
        "glmkit bench infill --preset glm-large --texts 8",
    )
    parser.add_argument("--preset", default="glm-large")
    parser.add_argument("--texts", type=positive, default=8, metavar="N")
    parser.add_argument("--length", type=positive, default=128, metavar="N", help="tokens of a text")
    parser.add_argument("--blanks", type=positive, default=2, metavar="N", help="blanks of a text")
    parser.add_argument("--tokens", type=positive, default=8, metavar="N", help="tokens written into a blank")
    parser.add_argument("--dtype", choices=_DTYPES, default="auto")
    options = parser.parse_args(arguments)

    from glmkit.bench.infill import bench_infill

    return bench_infill(
        options.preset, options.texts, options.length, options.blanks, options.tokens, computing(options.dtype)
    )


def _cloze(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench cloze",
        "Times the scoring of choices after one reading of their context, against each choice alone.",
        "glmkit bench cloze --preset glm-base",
    )
    parser.add_argument("--preset", default="glm-base")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="timed rounds of each")
    parser.add_argument("--dtype", choices=_DTYPES, default="auto")
    options = parser.parse_args(arguments)

    from glmkit.bench.cloze import bench_cloze

    return bench_cloze(options.preset, computing(options.dtype), options.rounds)


def _finetune(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench finetune",
        "Times tuning in full by the token that is no padding, against pretraining. With --method: steps of it over a "
        "random model of any preset, and their peak memory against what `glmkit finetune --dry-run` estimates.",
        "glmkit bench finetune --preset chatglm2-6b --method lora --quantize int4 --checkpoint",
    )
    parser.add_argument("--preset", default="glm-base")
    parser.add_argument("--length", "--seq", type=positive, default=256, metavar="N", help="tokens of a row")
    parser.add_argument("--rows", type=positive, metavar="N", help="rows a step: 16, with --method 1")
    parser.add_argument("--steps", type=positive, default=3, metavar="N", help="timed steps")
    parser.add_argument("--dtype", choices=_DTYPES, default="auto")
    parser.add_argument("--method", choices=("full", "lora", "ptuning"))
    parser.add_argument("--quantize", type=bits, choices=("int8", "int4"), help="the frozen model of --method")
    parser.add_argument("--layers", type=positive, metavar="N", help="of --method: instead of all of them")
    parser.add_argument("--checkpoint", action="store_true", help="of --method: works blocks out again, to save memory")
    options = parser.parse_args(arguments)
    dtype = computing(options.dtype)
    if options.method is None:
        if options.quantize or options.layers or options.checkpoint:
            raise UserError("--quantize, --layers and --checkpoint go with --method")
        from glmkit.bench.finetune import bench_finetune

        return bench_finetune(options.preset, options.length, options.rows or 16, dtype, options.steps)
    from glmkit.bench.step import bench_step

    return bench_step(
        options.preset,
        options.method,
        options.quantize,
        options.layers,
        options.length,
        options.rows or 1,
        dtype,
        options.checkpoint,
        options.steps,
    )


def _load(arguments: Sequence[str]) -> Report:
    parser = Parser(
        "bench load",
        "Times the loading of a model of random weights and measures its memory, against plain reading of the files.",
        "glmkit bench load --preset glm-10b --layers 12 --dtype bfloat16",
    )
    parser.add_argument("--preset", default="glm-large")
    parser.add_argument("--layers", type=positive, metavar="N", help="blocks; as many as the preset has unless given")
    parser.add_argument("--stored", choices=_STORED, default="float16", help="type of the files")
    parser.add_argument("--dtype", choices=_STORED, default="bfloat16", help="type to load into")
    parser.add_argument(
        "--quantize", type=bits, choices=("int8", "int4"), help="the files hold linear layers in 8 or 4 bits"
    )
    parser.add_argument("--layout", default="native", help="native, or one that `glmkit convert --to` knows")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="where the files lie while it lasts")
    options = parser.parse_args(arguments)

    from glmkit.bench.load import bench_load

    types = (computing(options.dtype), computing(options.stored))
    return bench_load(options.preset, options.layers, *types, options.layout, options.directory, options.quantize)


COMMANDS = {
    "pretrain": _pretrain,
    "data": _data,
    "infill": _infill,
    "load": _load,
    "cloze": _cloze,
    "finetune": _finetune,
    "decode": bench_inference.decode,
    "batch": bench_inference.batch,
    "prefill": bench_inference.prefill,
    "lookup": bench_inference.lookup,
    "serve": bench_serve.serve,
}
