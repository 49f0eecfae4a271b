"""The command that a person types next: glmkit by the name or path under which the shell finds the one that runs."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def again(*arguments: object) -> str:
    """`glmkit ARGUMENTS` to be typed in this directory: the name alone where the shell finds this very program by it,
    else its path, so that a program in a virtual environment is named whether or not somebody has entered it."""
    return " ".join([_program(), *(shlex.quote(str(argument)) for argument in arguments)])


def _program() -> str:
    script = Path(sys.argv[0])
    if script.stem != "glmkit" or not script.is_file():  # run as a module: the script lies beside the interpreter
        script = Path(sys.executable).parent / "glmkit"
    if not script.is_file():
        return f"{_typed(Path(sys.executable))} -m glmkit.cli.main"
    program = shutil.which("glmkit")
    return "glmkit" if program and os.path.samefile(program, script) else _typed(script)


def _typed(path: Path) -> str:
    """A path as short as can be: from here if it lies below."""
    whole = Path(os.path.abspath(path))
    cwd = Path.cwd()
    return shlex.quote(str(whole.relative_to(cwd)) if whole.is_relative_to(cwd) else str(whole))


def trial(model: Path, name: object = None) -> str:
    """The command that shows what the model in a directory can do: classes of a file's rows, a conversation, or blanks
    that are filled; what it holds where its tokenizer is missing. `name`: what the command calls it, if not so."""
    from glmkit.families.load import open_model

    source = open_model(model)
    prompt, name = source.detected.family.prompt, name or model
    if source.tokenizer is None:
        return again("info", name)
    if getattr(source.config, "num_labels", 0):
        return again("predict", name, "FILE")
    if prompt.chat:
        return again("chat", name)
    if prompt.bidirectional or source.infill_run is not None:
        return again("infill", name, "... [MASK] ...")
    return again("generate", name, "...")
