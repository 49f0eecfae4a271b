"""Argument parsers that answer a mistake with one line."""

import argparse
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from glmkit.cli.keys import FLAGS, SAME_FLAGS
from glmkit.core.errors import UserError, in_python, nearest, short, spelling
from glmkit.core.kinds import NOT_UNICODE, has_surrogates


class _Formatter(argparse.HelpFormatter):
    """Wraps descriptions at the terminal's width and leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("example:") else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are UserErrors and whose help ends with an example."""

    def __init__(self, verb: str, description: str, example: str) -> None:
        super().__init__(
            prog=f"glmkit {verb}",
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=_Formatter,
            allow_abbrev=False,
        )

    def parse_args(self, *given: Any, **how: Any) -> Any:
        """As argparse, flags of the same meaning taken for ours; from then on messages name the flags of this parser
        (`glmkit.core.errors.argument`)."""
        arguments, *rest = given
        options = super().parse_args([self._ours(argument) for argument in arguments], *rest, **how)
        spelling.set(self._spelled)
        return options

    def _ours(self, argument: str) -> str:
        """An argument whose flag this parser knows by another name, with that."""
        flag, equals, value = argument.partition("=")
        same = SAME_FLAGS.get(flag.replace("_", "-"), flag)
        known = self._option_string_actions
        return same + equals + value if flag not in known and same in known else argument

    def _spelled(self, name: str, value: object) -> str:
        flags = {flag[2:].replace("-", "_"): flag for flag in self._option_string_actions if flag.startswith("--")}
        return as_flag(name, value, flags)

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        hint = self._hint(unknown[1]) if unknown else ""
        raise UserError(f"{self.prog}: {message}{hint}; see {self.prog} --help")

    def _hint(self, flag: str) -> str:
        """What may have been meant by a flag that there is not: ours for another program's, or the nearest."""
        known = self._option_string_actions
        name = flag[2:].replace("_", "-")
        meant = next((item for item in FLAGS.get(name, ()) if item.split()[0] in known), None)
        return f"; did you mean {meant!r}?" if meant else nearest(f"--{name}", known)


def unicode(argument: str) -> str:
    """Text, for argparse; a terminal that is not UTF-8 gives other bytes."""
    if has_surrogates(argument):
        raise argparse.ArgumentTypeError(f"{NOT_UNICODE}: {short(argument)}")
    return argument


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"{value} is less than {least}")
    if value >= 1 << 63:
        raise argparse.ArgumentTypeError(f"{text[:20]}... is too large")
    return value


def real(text: str) -> float:
    """A finite number, for argparse."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return value


def share(text: str) -> float:
    """A number above 0, up to 1, for argparse."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def add_longest(parser: argparse.ArgumentParser) -> None:
    """The flag that says how long a document of text files may be."""
    parser.add_argument(
        "--longest",
        type=positive,
        default=8,
        metavar="MB",
        help="of a document or line; a longer one is an error, as all of it goes into memory",
    )


@contextmanager
def say_longest() -> Iterator[None]:
    """Where `add_longest` has added its flag: names it in what is said of a document that is too long."""
    from glmkit.data.sources import TooLong

    try:
        yield
    except TooLong as error:
        raise UserError(f"{error}, or allow longer ones by --longest") from None


def as_flag(name: str, value: object, flags: Mapping[str, str]) -> str:
    """An argument of a Python call as a flag, or as it is in Python where this command has none."""
    if name not in flags:
        return in_python(name, value)
    return flags[name] if value is None else f"{flags[name]} {value}"
