"""glmkit bench pretrain, data, infill, decode, batch, prefill"""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmkit.bench.report import Report
from glmkit.cli.arguments import Parser, positive
from glmkit.core.errors import UserError, nearest

if TYPE_CHECKING:
    import torch

    from glmkit.bench.random_models import Subject
    from glmkit.bench.rivals import Rival

_DTYPES = ("auto", "float32", "bfloat16")


def main(arguments: Sequence[str]) -> None:
    benches = {
        "pretrain": _pretrain,
        "data": _data,
        "infill": _infill,
        "decode": _decode,
        "batch": _batch,
        "prefill": _prefill,
    }
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
    parser.add_argument("--dtype", choices=_DTYPES, default="auto")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--steps", type=positive, default=3, metavar="N", help="timed steps")
    options = parser.parse_args(arguments)

    from glmkit.bench.pretrain import bench_pretrain

    return bench_pretrain(
        options.preset, options.seq, options.rows, _dtype(options.dtype), options.compile, options.steps
    )


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
        options.preset, options.texts, options.length, options.blanks, options.tokens, _dtype(options.dtype)
    )


def _decode(arguments: Sequence[str]) -> Report:
    return _writing(arguments, "decode", 1)


def _batch(arguments: Sequence[str]) -> Report:
    return _writing(arguments, "batch", 8)


def _writing(arguments: Sequence[str], verb: str, streams: int) -> Report:
    parser = _inference_parser(verb, "Times the writing of tokens against the speed of memory.")
    if verb == "batch":
        parser.add_argument("--streams", type=positive, default=streams, metavar="N", help="texts written at once")
    parser.add_argument("--tokens", type=positive, default=16, metavar="N", help="tokens a round")
    options = parser.parse_args(arguments)

    from glmkit.bench.inference import CONTEXT, ROUNDS, bench_decode

    streams = getattr(options, "streams", 1)
    room = streams * (CONTEXT + options.tokens * (ROUNDS + 1))
    subject, rival, config = _subjects(options, room)
    return bench_decode(subject, rival, streams, options.tokens, config | {"streams": streams})


def _prefill(arguments: Sequence[str]) -> Report:
    parser = _inference_parser("prefill", "Times the reading of a prompt against the rate of matrix products.")
    parser.add_argument("--tokens", type=positive, default=512, metavar="N", help="tokens of the prompt")
    options = parser.parse_args(arguments)

    from glmkit.bench.inference import bench_prefill

    subject, rival, config = _subjects(options, options.tokens)
    return bench_prefill(subject, rival, options.tokens, config | {"tokens": options.tokens})


def _inference_parser(verb: str, what: str) -> Parser:
    parser = Parser(
        f"bench {verb}",
        what,
        f"glmkit bench {verb} --preset chatglm2-6b --layers 4 --quantize int4 --against llama.cpp",
    )
    parser.add_argument("--preset", default="chatglm2-6b")
    parser.add_argument("--layers", type=positive, metavar="N", help="instead of all of them")
    parser.add_argument("--quantize", choices=("int8", "int4"))
    parser.add_argument("--group", type=int, choices=(32, 64, 128), help="columns that share a scale")
    parser.add_argument("--dtype", choices=(*_DTYPES, "float16"), default="auto", help="what is computed in")
    parser.add_argument("--threads", type=positive, metavar="N")
    parser.add_argument("--against", choices=("llama.cpp",), help="takes turns with another engine")
    return parser


def _subjects(options: Namespace, room: int) -> "tuple[Subject, Rival | None, dict[str, object]]":
    """Ours, the other engine if one is wanted, and the report's account of both."""
    import torch

    from glmkit.bench.random_models import subject
    from glmkit.bench.rivals import Elsewhere
    from glmkit.kernels.library import level

    if options.threads:
        torch.set_num_threads(options.threads)
    dtype = _dtype(options.dtype)
    made = subject(options.preset, options.layers, options.quantize, dtype, options.group)
    if options.against and made.family.name != "chatglm2":
        raise UserError(f"llama.cpp knows no {options.preset}; compare a ChatGLM2 or 3")
    threads = torch.get_num_threads()
    rival = Elsewhere(made.config, options.quantize, room, threads) if options.against else None
    config = {
        "preset": options.preset,
        "layers": made.config.num_layers,
        "quantize": options.quantize or "none",
        "dtype": str(dtype)[6:],
        "kernels": level(),
        "threads": torch.get_num_threads(),
    }
    return made, rival, config | ({"against": options.against} if options.against else {})


def _dtype(name: str) -> "torch.dtype":
    import torch

    from glmkit.core import machine

    found = machine.fastest_dtype(machine.default_device()) if name == "auto" else getattr(torch, name)
    assert isinstance(found, torch.dtype)
    return found
