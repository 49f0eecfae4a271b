"""glmkit quantize MODEL DST --bits 8|4"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser
from glmkit.cli.loading import add_source, bar, load, source
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.api.quality import Quality


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "quantize",
        "Writes a model whose linear layers are whole numbers of 8 or 4 bits, layer by layer.",
        "glmkit quantize chatglm2-6b chatglm2-6b-int4 --bits 4 --text article.txt",
    )
    parser.add_argument("source", type=Path, metavar="MODEL", help="a model directory of any known layout")
    parser.add_argument("destination", type=Path, metavar="DST", help="the new directory")
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8)
    parser.add_argument(
        "--group", choices=("32", "64", "128", "row"), help="columns that share a scale; 64 for 4 bits, 128 for 8"
    )
    parser.add_argument("--symmetric", action="store_true", help="groups of 4 bits without a zero of their own")
    parser.add_argument(
        "--scheme",
        choices=("search", "rtn", "gptq"),
        default="search",
        help="the best of a few steps, the first, or codes that make up for one another on the text of --calibrate",
    )
    parser.add_argument("--calibrate", type=Path, metavar="FILE", help="a text that says what layers have to do with")
    parser.add_argument("--output", type=int, choices=(8, 16), default=8, help="bits of the output matrix")
    parser.add_argument("--text", type=Path, metavar="FILE", help="a text to compare both models on")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    add_source(parser)
    options = parser.parse_args(arguments)
    if options.destination.exists():
        raise UserError(f"{options.destination} exists already; choose another name or remove it")
    if options.scheme == "gptq" and options.calibrate is None:
        raise UserError("--scheme gptq looks at what the layers have to do with; give a text by --calibrate FILE")

    import torch

    from glmkit.api import Model
    from glmkit.api.calibration import MOST, calibrate
    from glmkit.api.classify import trained_of
    from glmkit.api.quality import compare, importance, passages, predictions
    from glmkit.core import machine
    from glmkit.core.files import read_text
    from glmkit.families.adapter import refuse_adapter
    from glmkit.families.load import read
    from glmkit.families.quantise import Plan, refuse_twice
    from glmkit.kernels.codes import Form

    refuse_adapter(options.source)
    group = options.group or ("64" if options.bits == 4 else "128")
    form = Form(
        bits=options.bits,
        group=None if group == "row" else int(group),
        asymmetric=options.bits == 4 and not options.symmetric,
    )
    errors: dict[str, float] = {}
    plan = Plan(
        form=form,
        scheme="search" if options.scheme == "gptq" else options.scheme,
        output_bits=options.output,
        watch=lambda name, error: errors.update({name: error}),
    )
    model = None
    text, before = [], []
    if options.text or options.calibrate:
        given = source(options)
        model = load(
            options.source,
            dtype=options.dtype,
            model=given["model"],
            tokenizer=given["tokenizer"],
            **given["options"],
        )
        refuse_twice(model.module)
        if options.text:
            text = passages(model, read_text(options.text))
            before = predictions(model, text)
    if model is not None and options.scheme == "gptq":
        calibrate(model, plan, passages(model, read_text(options.calibrate), MOST))
    else:
        if model is not None and options.calibrate:
            plan = replace(plan, importance=importance(model, passages(model, read_text(options.calibrate))))
        model = None  # its memory goes to the one that is made
        with bar(f"quantising {options.source}") as watch:
            loaded = read(
                options.source,
                dtype=None if options.dtype == "auto" else getattr(torch, options.dtype),
                device=machine.default_device(),
                quantize=plan,
                progress=watch,
                **source(options),
            )
        model = Model(loaded.family, loaded.config, loaded.model, loaded.tokenizer, loaded.missing)
    model.trained = trained_of(options.source)
    model.save(options.destination)
    size = sum(file.stat().st_size for file in options.destination.iterdir())
    print(f"{options.destination}: {len(errors)} linear layers in {options.bits} bits, {size / 2**20:,.1f} MiB")
    _print_errors(errors)
    if text:
        _print_quality(compare(text, before, predictions(model, text)))


def _print_errors(errors: dict[str, float]) -> None:
    """One line for each kind of layer: how far it went off on average and at worst."""
    kinds: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, error in errors.items():
        kinds[".".join(part for part in name.split(".") if not part.isdecimal())].append((error, name))
    for kind, found in kinds.items():
        mean, (worst, where) = sum(error for error, _ in found) / len(found), max(found)
        print(f"  {kind:<24} off by {mean:.2%} on average, {worst:.2%} at worst ({where})")


def _print_quality(quality: "Quality") -> None:
    before, after = quality.perplexity
    print(
        f"on {quality.tokens} tokens of the text: perplexity {before:.4g} -> {after:.4g}, "
        f"KL divergence {quality.divergence:.3g} nats a token, same first choice {quality.agreement:.1%}"
    )
