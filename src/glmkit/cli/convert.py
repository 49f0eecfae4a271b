"""glmkit convert SRC DST [--to LAYOUT]"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, positive
from glmkit.cli.loading import add_source, bar, source


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "convert",
        "Writes a model in another layout, tensor by tensor: it need not fit into memory.",
        "glmkit convert glm-10b-1024 glm-10b\n"
        "  glmkit convert glm-10b glm-10b-port --to glm-hf-port\n"
        "  glmkit convert glm-10b glm-10b-mp4 --to megatron --ranks 4",
    )
    parser.add_argument("source", type=Path, help="a model directory of any known layout")
    parser.add_argument("destination", type=Path, help="the new directory")
    parser.add_argument(
        "--to",
        default="native",
        metavar="LAYOUT",
        help="native (the default); for a GLM glm-hf-port (the Hugging Face port's) or megatron (the original's)",
    )
    parser.add_argument("--ranks", type=positive, default=1, metavar="N", help="model-parallel files of megatron")
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="auto: as in the source"
    )
    add_source(parser)
    options = parser.parse_args(arguments)

    import torch

    from glmkit.families.conversion import convert

    with bar(f"converting {options.source}") as watch:
        found = convert(
            options.source,
            options.destination,
            options.to,
            ranks=options.ranks,
            dtype=None if options.dtype == "auto" else getattr(torch, options.dtype),
            progress=watch,
            **source(options),
        )
    print(f"{options.destination}: {len(found.weights.keys())} weights as {options.to}")
    if found.tokenizer is None:
        print(f"without a tokenizer: {found.missing}")
