"""The `glmkit` command: finds the verb, runs it, and turns what goes wrong into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 the user's mistake, 130 Ctrl-C (143 SIGTERM).
"""

import contextvars
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import glmkit
from glmkit.cli import streams
from glmkit.cli.verbs import VERBS, is_chinese, line_of, overview
from glmkit.core.errors import FailedElsewhere, Unwritable, UserError, nearest


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `glmkit ARGV` and returns its exit code. Without `argv` it is the process's own, with its streams."""
    if argv is not None:
        return _answered(list(argv))
    streams.prepare()
    code = _answered(sys.argv[1:])
    try:
        streams.finish()
    except BrokenPipeError:
        streams.give_up()
    except Unwritable as error:
        streams.give_up()
        code = code or _fail(error, 2, debug=False)
    return code


def _answered(arguments: list[str]) -> int:
    """Runs the command; whatever goes wrong becomes one line and an exit code."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        return contextvars.copy_context().run(_run, arguments)  # how messages spell is a matter of this call alone
    except BrokenPipeError:  # the reader went away: nothing is left to say
        streams.give_up()
        return 0
    except (UserError, OSError) as error:  # a full disk or a file that may not be read is not a fault of ours
        return _fail(error, 2, debug)
    except FailedElsewhere as error:
        return error.exit_code
    except KeyboardInterrupt:
        print("glmkit: stopped", file=sys.stderr)
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception as error:  # noqa: BLE001 (the last line of defence)
        return _fail(error, getattr(error, "exit_code", 1), debug)


def _run(arguments: list[str]) -> int:
    if not arguments:
        print(overview(first=True))
        return 0
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    if arguments[0] in ("-h", "--help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(f"glmkit {glmkit.__version__}")
        return 0
    for number, argument in enumerate(arguments, start=1):
        if "\0" in argument:
            raise UserError(f"argument {number} holds a zero byte, which no name or text can")
    verb, *rest = arguments
    if verb not in VERBS:
        raise UserError(f"unknown command {verb!r}{nearest(verb, VERBS)}")
    if is_chinese() and {"-h", "--help"} & set(rest):
        print(f"glmkit {verb}：{line_of(verb)}\n")
    module = importlib.import_module(f"glmkit.cli.{VERBS[verb].module}")
    module.main(rest)
    return 0


def _fail(error: BaseException, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, Unwritable) and error.path == "standard output":
        streams.give_up()
    expected = isinstance(error, UserError | OSError) or hasattr(error, "exit_code")
    kind = "" if expected else f"{type(error).__name__}: "
    line = f"glmkit: {kind}{_words(error)}"
    if "TORCHELASTIC_RUN_ID" in os.environ:  # else torch need not be imported for a mistake
        from glmkit.core.processes import end_torchrun, say_once

        if not say_once(line):
            return code
        print(line, file=sys.stderr, flush=True)
        if code == 2:
            end_torchrun()
        return code
    print(line, file=sys.stderr)
    if kind and not debug:
        print("glmkit: this looks like a fault of the program; --debug shows where", file=sys.stderr)
    return code


def _words(error: BaseException) -> str:
    """What an error says, in one line; of the system's with the file first."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{os.fsdecode(error.filename)}: {error.strerror}"
    return " ".join(str(error).split("\n"))


if __name__ == "__main__":
    sys.exit(main())
