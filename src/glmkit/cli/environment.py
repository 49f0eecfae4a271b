"""Flags from the environment: GLMKIT_MAX_BODY=8 is --max-body 8, where the command line does not say otherwise."""

import os
from argparse import Action
from collections.abc import Mapping, Sequence

from glmkit.cli.arguments import Parser
from glmkit.core.errors import UserError

_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def from_environment(
    parser: Parser, arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> list[str]:
    """The arguments, with those flags that the environment sets before them. Values of a flag that may come several
    times are parted by commas, those that have no flag by white space. Raises UserError for a switch that is neither on
    nor off."""
    given = {argument.split("=", 1)[0] for argument in arguments}
    result: list[str] = []
    for action in parser._actions:
        name = f"GLMKIT_{action.dest.upper()}"
        if name not in environment or action.dest == "help" or given & set(action.option_strings):
            continue
        value = environment[name]
        if not action.option_strings:
            if all(argument.startswith("-") for argument in arguments):  # none is given by itself
                result += value.split()
            continue
        result += _flag(action, name, value)
    return [*result, *arguments]


def _flag(action: Action, name: str, value: str) -> list[str]:
    flag = max(action.option_strings, key=len)
    if action.nargs == 0:
        if value.lower() not in (*_YES, *_NO):
            raise UserError(f"{name}={value!r}: give 1 or 0")
        return [flag] if value.lower() in _YES else []
    values = value.split(",") if type(action).__name__ == "_AppendAction" else [value]
    return [f"{flag}={part}" for part in values if part]
