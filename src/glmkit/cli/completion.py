"""glmkit completion bash|zsh|fish"""

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, parser_of
from glmkit.cli.verbs import VERBS, line_of

_SHELLS = ("bash", "zsh", "fish")


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "completion",
        "Prints what makes a shell complete commands, flags and their values. Do it again after an update, which may "
        "bring new ones.",
        "glmkit completion bash > ~/.local/share/bash-completion/completions/glmkit\n"
        "  glmkit completion zsh > ~/.zfunc/_glmkit      # with fpath+=~/.zfunc before compinit in ~/.zshrc\n"
        "  glmkit completion fish > ~/.config/fish/completions/glmkit.fish",
    )
    parser.add_argument("shell", choices=_SHELLS)
    options = parser.parse_args(arguments)

    import shtab

    print(shtab.complete(_whole(), options.shell))


def _whole() -> argparse.ArgumentParser:
    """The parsers of all commands as one."""
    whole = argparse.ArgumentParser("glmkit")
    commands = whole.add_subparsers()
    for name, verb in VERBS.items():
        module = importlib.import_module(f"glmkit.cli.{verb.module}")
        inner: dict[str, Callable[[Sequence[str]], object]] = getattr(module, "COMMANDS", {})
        if inner:
            group = commands.add_parser(name, help=line_of(name)).add_subparsers()
            for word, command in inner.items():
                own = parser_of(command)
                group.add_parser(word, parents=[_completed(own)], add_help=False, help=own.description)
        else:
            parser = _training(name, module.main) or parser_of(module.main)
            commands.add_parser(name, parents=[_completed(parser)], add_help=False, help=line_of(name))
    return whole


def _training(verb: str, command: Callable[[Sequence[str]], object]) -> argparse.ArgumentParser | None:
    """The parser of a command whose keys depend on its first argument: those of the smallest GLM."""
    if verb == "pretrain":
        from glmkit.recipes.pretraining import RECIPES

        parser = parser_of(command, "glm-nano")
        parser.add_argument("recipe", choices=tuple(RECIPES))
        return parser
    if verb == "finetune":
        parser = parser_of(command, "MODEL")
        parser.add_argument("start", type=Path, metavar="MODEL")
        return parser
    return None


def _completed(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, with names of files or directories for arguments that are such."""
    import shtab

    for action in parser._actions:
        if action.metavar == "DIR":
            vars(action)["complete"] = shtab.DIRECTORY
        elif action.type is Path or not (action.option_strings or action.choices):
            vars(action)["complete"] = shtab.FILE
    return parser
