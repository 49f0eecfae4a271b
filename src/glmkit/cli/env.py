"""glmkit env"""

import json
from collections.abc import Sequence
from importlib import metadata

from glmkit.cli.arguments import Parser

_PACKAGES = (
    "glmkit",
    "torch",
    "numpy",
    "safetensors",
    "tokenizers",
    "sentencepiece",
    "jsonargparse",
    "rich",
    "matplotlib",
)
_OPTIONAL = ("tensorboard", "pyarrow", "zstandard")


def main(arguments: Sequence[str]) -> None:
    parser = Parser("env", "Prints versions and hardware: paste it into a report.", "glmkit env --json")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    from glmkit.core.machine import describe
    from glmkit.kernels.library import isa, isas

    kernels = {"kernels": f"{isa()} (of {', '.join(isas())})"}
    facts = describe() | kernels | {name: _version(name) for name in (*_PACKAGES, *_OPTIONAL)}
    if options.json:
        print(json.dumps(facts, indent=1))
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"{name:<{width}}  {value}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
