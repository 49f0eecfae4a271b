"""glmkit bench decode | batch | prefill | lookup"""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmkit.bench.beside import busy
from glmkit.bench.report import Report
from glmkit.cli.arguments import Parser, natural, positive, share
from glmkit.cli.keys import bits
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    import torch

    from glmkit.bench.baselines import Baseline
    from glmkit.bench.random_models import RandomModel


def decode(arguments: Sequence[str]) -> Report:
    return _writing(arguments, "decode", 1)


def batch(arguments: Sequence[str]) -> Report:
    return _writing(arguments, "batch", 8)


def _writing(arguments: Sequence[str], verb: str, streams: int) -> Report:
    parser = _inference_parser(verb, "Times the writing of tokens against the speed of memory.")
    if verb == "batch":
        parser.add_argument("--streams", type=positive, default=streams, metavar="N", help="texts written at once")
    parser.add_argument("--tokens", type=positive, default=16, metavar="N", help="tokens a round")
    parser.add_argument("--lora", type=positive, metavar="RANK", help="takes turns with an adapter, not merged")
    options = parser.parse_args(arguments)

    from glmkit.bench.inference import CONTEXT, ROUNDS, bench_decode

    streams = getattr(options, "streams", 1)
    room = streams * (CONTEXT + options.tokens * (ROUNDS + 1))
    with busy(options.beside):
        subject, baseline, config = _models(options, room, streams)
        return bench_decode(subject, baseline, streams, options.tokens, options.lora, config | {"streams": streams})


def prefill(arguments: Sequence[str]) -> Report:
    parser = _inference_parser("prefill", "Times the reading of a prompt against the rate of matrix products.")
    parser.add_argument("--tokens", type=positive, default=512, metavar="N", help="tokens of the prompt")
    options = parser.parse_args(arguments)

    from glmkit.bench.inference import bench_prefill

    with busy(options.beside):
        subject, baseline, config = _models(options, options.tokens, options.tokens)
        return bench_prefill(subject, baseline, options.tokens, config | {"tokens": options.tokens})


def lookup(arguments: Sequence[str]) -> Report:
    parser = _inference_parser("lookup", "Times writing with guesses from the prompt against writing without.", False)
    parser.add_argument("--prompt", type=positive, default=256, metavar="N", help="tokens of the prompt")
    parser.add_argument("--tokens", type=positive, default=96, metavar="N", help="tokens of a reply")
    parser.add_argument(
        "--copied", type=share, default=0.8, metavar="S", help="share of a rewrite that is the prompt's"
    )
    parser.add_argument("--span", type=positive, default=10, metavar="N", help="tokens of a copied piece, on average")
    options = parser.parse_args(arguments)

    from glmkit.bench.lookup import bench_lookup

    options.against, options.beside = None, 0
    subject, _, config = _models(options, 0, 1)
    texts = (options.prompt, options.tokens, options.copied, options.span)
    return bench_lookup(subject, *texts, config | {"prompt": options.prompt, "tokens": options.tokens})


def _inference_parser(verb: str, what: str, baselines: bool = True) -> Parser:
    parser = Parser(
        f"bench {verb}",
        what,
        f"glmkit bench {verb} --preset chatglm2-6b --layers 4 --quantize int4{' --against llama.cpp' * baselines}",
    )
    parser.add_argument("--preset", default="chatglm2-6b")
    parser.add_argument("--layers", type=positive, metavar="N", help="instead of all of them")
    parser.add_argument("--quantize", type=bits, choices=("int8", "int4"))
    parser.add_argument("--group", type=int, choices=(32, 64, 128), help="columns that share a scale")
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="what is computed in"
    )
    parser.add_argument("--threads", type=positive, metavar="N")
    if baselines:
        parser.add_argument("--against", choices=("llama.cpp", "openvino"), help="takes turns with another engine")
        parser.add_argument(
            "--beside", type=natural, default=0, metavar="N", help="busy processes at work while ours and theirs run"
        )
    return parser


def _models(options: Namespace, room: int, rows: int) -> "tuple[RandomModel, Baseline | None, dict[str, object]]":
    """Ours, the other engine if one is wanted, and the report's account of both."""
    import torch

    from glmkit.bench.baselines import Work
    from glmkit.bench.engine_process import EngineProcess, require
    from glmkit.bench.random_models import named, random_model
    from glmkit.kernels.library import isa

    if options.threads:
        torch.set_num_threads(options.threads)
    # Quantized layers are exact in float32, which is not what is measured here: the kernels are for 16 bits.
    dtype = computing("bfloat16" if options.quantize and options.dtype == "auto" else options.dtype)
    if options.against:
        if named(options.preset)[0].name != "chatglm2":
            raise UserError(f"{options.against} knows no {options.preset}; compare a ChatGLM2 or 3")
        require(options.against)
    ours = random_model(options.preset, options.layers, options.quantize, dtype, options.group)
    baseline = None
    if options.against:
        shape = {"quantize": options.quantize, "room": room, "rows": rows, "threads": torch.get_num_threads()}
        baseline = EngineProcess(options.against, Work(config=ours.config, **shape))
    config = {
        "preset": options.preset,
        "layers": ours.config.num_layers,
        "quantize": options.quantize or "none",
        "dtype": str(dtype)[6:],
        "kernels": isa(),
        "threads": torch.get_num_threads(),
    }
    if options.beside:
        config |= {"beside": options.beside}
    return ours, baseline, config | ({"against": options.against} if options.against else {})


def computing(name: str) -> "torch.dtype":
    """The type to compute in: `name`, or the fastest here."""
    import torch

    from glmkit.core import machine

    result = machine.fastest_dtype(machine.default_device()) if name == "auto" else getattr(torch, name)
    assert isinstance(result, torch.dtype)
    return result
