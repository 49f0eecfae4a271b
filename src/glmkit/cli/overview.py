"""The help of a training verb: every key of its config in one line each, in groups, as wide as the terminal."""

import dataclasses
import shutil
import textwrap
import typing
from collections.abc import Container

from glmkit.cli.arguments import Parser
from glmkit.cli.keys import KEYS

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

_HEAD = 26  # columns of key=default beside which its meaning still begins on the same line


def overview(default: "DataclassInstance", usage: str, about: str, example: str, hidden: Container[str] = ()) -> str:
    """`default` is a config: its values are the defaults that are shown, but for those that are `hidden`."""
    width = max(40, shutil.get_terminal_size().columns - 2)
    groups: dict[str, list[str]] = {"": []}
    for key, value, choices in leaves(default):
        if key in hidden:
            continue
        group = key.rpartition(".")[0]
        what = KEYS[key] + (f" ({', '.join(choices)})" if choices else "")
        groups.setdefault(group, []).append(_entry(f"{key}={value}", what, width))
    return "\n".join(
        [
            textwrap.fill(f"usage: {usage}", width, subsequent_indent="  ", break_on_hyphens=False),
            "",
            textwrap.fill(about, width),
            "",
            textwrap.fill(
                "Keys with their defaults, each also as --key value or as a line of a YAML file (--config FILE); "
                "--print_config prints what a run would use.",
                width,
            ),
            *(line for group, lines in groups.items() for line in ["", f"{group or 'run'}:", *lines]),
            "",
            "example:",
            f"  {example}",
        ]
    )


class KeysParser(Parser):
    """A parser with a flag for each key of a config, whose help is the overview of them."""

    def __init__(
        self, default: "DataclassInstance", verb: str, about: str, example: str, hidden: Container[str] = ()
    ) -> None:
        super().__init__(verb, about, example)
        usage = f"glmkit {verb} [key=value ...] [--config FILE]"
        self._overview = overview(default, usage, about, example, hidden)
        self.add_argument("--config", metavar="FILE")
        for key, _, choices in leaves(default):
            if key not in hidden:
                self.add_argument(f"--{key}", choices=choices or None, help=KEYS[key].replace("%", "%%"))

    def format_help(self) -> str:
        return f"{self._overview}\n"


def leaves(config: "DataclassInstance", before: str = "") -> list[tuple[str, str, tuple[str, ...]]]:
    """Dotted keys of a config with their values, and their choices where there are a fixed few."""
    results = []
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, key = getattr(config, field.name), before + field.name
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            results += leaves(value, f"{key}.")
        else:
            shown = (
                str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
            )
            choices = (
                typing.get_args(hints[field.name]) if typing.get_origin(hints[field.name]) is typing.Literal else ()
            )
            results.append((key, str(shown), choices))
    return results


def _entry(head: str, what: str, width: int) -> str:
    beside = len(head) <= _HEAD
    first = f"  {head:<{_HEAD}}  " if beside else " " * (_HEAD + 4)
    text = textwrap.fill(what, width, initial_indent=first, subsequent_indent=" " * (_HEAD + 4), break_on_hyphens=False)
    return text if beside else f"  {head}\n{text}"
