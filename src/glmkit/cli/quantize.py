"""glmkit quantize MODEL DST --bits 8|4"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser
from glmkit.cli.invocation import trial
from glmkit.cli.keys import bits
from glmkit.cli.loading import add_source, bar, source

if TYPE_CHECKING:
    from glmkit.quantization.evaluation import Quality


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "quantize",
        "Writes a model whose linear layers are integers of 8 or 4 bits, layer by layer.",
        "glmkit quantize chatglm2-6b chatglm2-6b-int4 --bits 4 --text article.txt",
    )
    parser.add_argument("source", type=Path, metavar="MODEL", help="a model directory of any known layout")
    parser.add_argument("destination", type=Path, metavar="DST", help="the new directory")
    parser.add_argument(
        "--bits",
        "--quantize",
        type=_bits,
        choices=(8, 4),
        default=8,
        help="of the linear layers, 8 unless given; int8 and int4 are 8 and 4",
    )
    parser.add_argument(
        "--group", choices=("32", "64", "128", "row"), help="columns that share a scale; 64 for 4 bits, 128 for 8"
    )
    parser.add_argument("--symmetric", action="store_true", help="groups of 4 bits without a zero point of their own")
    parser.add_argument(
        "--scheme",
        choices=("search", "rtn", "gptq"),
        default="search",
        help="MSE scale search, round to nearest, or error compensation on the text of --calibrate; "
        "search unless given",
    )
    parser.add_argument("--calibrate", type=Path, metavar="FILE", help="a text like those that the model will read")
    parser.add_argument(
        "--output-bits",
        "--output",
        dest="output",
        type=int,
        choices=(8, 16),
        default=8,
        help="bits of the output matrix",
    )
    parser.add_argument("--text", type=Path, metavar="FILE", help="a text to compare both models on")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    add_source(parser)
    options = parser.parse_args(arguments)

    from glmkit.api.quantize import quantize

    model = source(options)
    with bar(f"quantizing {options.source}") as watch:
        written = quantize(
            options.source,
            options.destination,
            bits=options.bits,
            group=int(options.group) if options.group not in (None, "row") else options.group,
            symmetric=options.symmetric,
            scheme=options.scheme,
            calibrate=options.calibrate,
            output=options.output,
            text=options.text,
            dtype=options.dtype,
            progress=watch,
            **model.pop("options"),
            **model,
        )
    layers, size = len(written.errors), written.bytes / 2**20
    print(f"{written.path}: {layers} linear layers in {written.bits} bits, {size:,.1f} MiB")
    _print_errors(written.errors)
    if written.quality is not None:
        _print_quality(written.quality)
    print(f"try: {trial(written.path)}")


def _bits(text: str) -> int:
    """8 or 4 however they are written, for argparse."""
    return int(bits(text).removeprefix("int"))


def _print_errors(errors: Mapping[str, float]) -> None:
    """One line for each kind of layer: its relative error on average and at worst."""
    kinds: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, error in errors.items():
        kinds[".".join(part for part in name.split(".") if not part.isdecimal())].append((error, name))
    for kind, layers in kinds.items():
        mean, (worst, where) = sum(error for error, _ in layers) / len(layers), max(layers)
        print(f"  {kind:<24} off by {mean:.2%} on average, {worst:.2%} at worst ({where})")


def _print_quality(quality: "Quality") -> None:
    before, after = quality.perplexity
    print(
        f"on {quality.tokens} tokens of the text: perplexity {before:.4g} -> {after:.4g}, "
        f"KL divergence {quality.divergence:.3g} nats a token, same first choice {quality.agreement:.1%}"
    )
