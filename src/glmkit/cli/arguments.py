"""Argument parsers that answer a mistake with one line, and run configs from recipe, file and overrides."""

import argparse
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from glmkit.core.config import to_mapping
from glmkit.core.errors import UserError, nearest

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are UserErrors and whose help ends with an example."""

    def __init__(self, verb: str, description: str, example: str) -> None:
        super().__init__(
            prog=f"glmkit {verb}",
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        hint = nearest(unknown[1], self._option_string_actions) if unknown else ""
        raise UserError(f"{self.prog}: {message}{hint}; see {self.prog} --help")


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def configure(
    default: T, arguments: Sequence[str], *, verb: str, example: str, aliases: Mapping[str, str] | None = None
) -> T:
    """The config `default` (a dataclass) changed by `arguments`: `key=value`, `--key value` or `--config FILE.yaml`.

    Keys of nested configs are dotted (`schedule.peak=1e-4`). Raises UserError naming an unknown key's nearest.
    """
    import jsonargparse

    flags = _as_flags(arguments, aliases or {})
    known = set(_keys(to_mapping(default)))
    for flag in flags:
        name = flag[2:].split("=")[0] if flag.startswith("--") else ""
        if name and name not in known | {"config", "print_config", "help"}:
            raise UserError(f"unknown key {name!r}{nearest(name, known)}")
    parser = jsonargparse.ArgumentParser(
        prog=f"glmkit {verb}", exit_on_error=False, epilog=f"example:\n  {example}", add_help=True
    )
    parser.add_argument("--config", action="config", help="a YAML file with any of these keys")
    parser.add_class_arguments(type(default), as_group=False)
    parser.set_defaults(to_mapping(default))
    try:
        values = parser.parse_args(flags)
        values.pop("config", None)
        return _build(type(default), values.as_dict())
    except (jsonargparse.ArgumentError, argparse.ArgumentError) as error:
        raise UserError(_one_line(str(error))) from None


def _build(cls: type[T], values: Mapping[str, Any]) -> T:
    from glmkit.core.config import from_mapping

    return from_mapping(cls, values, "config")


def _as_flags(arguments: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """`key=value` and dashed names as jsonargparse wants them: --key=value, with underscores."""
    flags = []
    for argument in arguments:
        match = re.match(r"(?:--)?([A-Za-z][\w.-]*)(=.*)?$", argument, re.DOTALL)
        if match and (argument.startswith("--") or match[2]):
            name = match[1].replace("-", "_")
            flags.append(f"--{aliases.get(name, name)}{match[2] or ''}")
        else:
            flags.append(argument)
    return flags


def _keys(values: Mapping[str, Any], before: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        found.append(before + name)
        if isinstance(value, Mapping):
            found += _keys(value, f"{before}{name}.")
    return found


def _one_line(message: str) -> str:
    return " ".join(message.split())


def describe(config: Any) -> list[tuple[str, str]]:
    """Dotted keys and values of a config, to print."""
    flat = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            flat += [(f"{field.name}.{name}", text) for name, text in describe(value)]
        else:
            flat.append((field.name, str(value)))
    return flat
