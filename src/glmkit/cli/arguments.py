"""Argument parsers that answer a mistake with one line."""

import argparse
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

from glmkit.cli.keys import FLAGS, NEAR_FLAGS
from glmkit.core.errors import UserError, in_python, nearest, short, spelling
from glmkit.core.kinds import NOT_UNICODE, has_surrogates

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class _Formatter(argparse.HelpFormatter):
    """Wraps descriptions at the terminal's width and leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("example:") else super()._fill_text(text, width, indent)


_takes_parser: ContextVar[Callable[["Parser"], None] | None] = ContextVar("takes_parser", default=None)


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
        """As argparse, other programs' flags of the same meaning taken for ours; from then on messages name the flags
        of this parser (`glmkit.core.errors.argument`)."""
        arguments, *rest = given
        arguments = [self._ours(argument) for argument in arguments]
        options = self._with_model(arguments) or super().parse_args(arguments, *rest, **how)
        spelling.set(self._spelled)
        return options

    def print_help(self, file: "SupportsWrite[str] | None" = None) -> None:
        """As argparse; to `parser_of` it gives itself instead."""
        take = _takes_parser.get()
        if take is None:
            super().print_help(file)
        else:
            take(self)

    def _ours(self, argument: str) -> str:
        """An argument whose flag this parser knows by another name, or with dashes, with that."""
        flag, equals, value = argument.partition("=")
        known = self._option_string_actions
        if flag in known:
            return argument
        for same in (_dashed(flag), *FLAGS.get(_dashed(flag), ())):
            name, fixed, _ = same.partition("=")
            if name in known and not (fixed and equals):
                return same + equals + value
        return argument

    def _with_model(self, arguments: Sequence[str]) -> argparse.Namespace | None:
        """What is parsed where `--model X` is given to a command that reads a model; else nothing.

        X is MODEL unless that is given too; then it is the name of the published model, as `--published`. A text that
        may be left out leaves both open: then X is MODEL if it is there, or if what stands in MODEL's place is not.
        """
        models, rest = self._models(arguments)
        if not models:
            return None
        as_model = [models[-1], *rest]
        try:
            beside = super().parse_args([f"--published={models[-1]}", *rest])
        except UserError as error:
            if " required: " not in str(error):
                raise
            return super().parse_args(as_model)
        try:
            alone = super().parse_args(as_model)
        except UserError:
            return beside
        stands = getattr(beside, self._get_positional_actions()[0].dest)
        return alone if os.path.exists(models[-1]) or not os.path.exists(stands or "") else beside

    def _models(self, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
        """The values of `--model`, of a parser that knows it by `--published` alone, and the other arguments."""
        known = self._option_string_actions
        models: list[str] = []
        rest: list[str] = []
        if "--published" not in known or "--model" in known:
            return models, list(arguments)
        left = list(arguments)
        while left:
            flag, equals, value = left.pop(0).partition("=")
            if _dashed(flag) not in ("--model", "-m", "--model-name-or-path"):
                rest.append(flag + equals + value)
            elif equals or left:
                models.append(value if equals else left.pop(0))
            else:
                self.error(f"argument {flag}: expected one argument")
        return models, rest

    def _spelled(self, name: str, value: object) -> str:
        flags = {flag[2:].replace("-", "_"): flag for flag in self._option_string_actions if flag.startswith("--")}
        if "published" in flags:
            flags["model"] = flags["published"]
        return as_flag(name, value, flags)

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--?[\w-]+)", message)
        hint = self._hint(_dashed(unknown[1])) if unknown else ""
        raise UserError(f"{self.prog}: {message}{hint}; see {self.prog} --help")

    def _hint(self, flag: str) -> str:
        """What may have been meant by a flag that there is not: ours for another program's, or the nearest."""
        if flag in ("--num-return-sequences", "--alternatives"):
            return ": one text is written; several fillings of a blank are glmkit infill --num-return-sequences N"
        known = self._option_string_actions
        near = (*FLAGS.get(flag, ()), *NEAR_FLAGS.get(flag, ()))
        meant = next((item for item in near if re.split("[ =]", item)[0] in known), None)
        return f"; did you mean {meant!r}?" if meant else nearest(flag, known)


def parser_of(command: Callable[[Sequence[str]], object], *arguments: str) -> Parser:
    """The parser that a command makes for `arguments`, without running it: that whose help it would print."""
    taken: list[Parser] = []
    token = _takes_parser.set(taken.append)
    try:
        command([*arguments, "--help"])
    except SystemExit:  # argparse ends so after a help
        pass
    finally:
        _takes_parser.reset(token)
    return taken[0]


def _dashed(flag: str) -> str:
    """A flag as this command line writes it: --max_tokens is --max-tokens. Other arguments stay."""
    return flag.replace("_", "-") if flag.startswith("--") else flag


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
