"""glmkit chat MODEL"""

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser, unicode
from glmkit.cli.loading import add_placement
from glmkit.cli.sampling import add_lengths, add_sampling, settings
from glmkit.cli.stdin import lines
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.api import Model
    from glmkit.cli.dialogue import Dialogue

FENCE = '"""'


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "chat",
        "Talks with a model. Ctrl-C stops a reply, Ctrl-D leaves, /help tells the commands. From a pipe each line is a "
        'turn, whatever it begins with, lines between """ are one, and the replies alone are printed.',
        'glmkit chat chatglm2-6b --system "Answer briefly." --temperature 0.5',
    )
    parser.add_argument("model", nargs="?", help="the directory of a ChatGLM; with --url the name of a model there")
    parser.add_argument(
        "--url", metavar="URL", help="talks with a server instead; its key is in GLMKIT_API_KEY, if it needs one"
    )
    parser.add_argument("--system", type=unicode, metavar="TEXT", help="what stands before the conversation")
    parser.add_argument(
        "--prompt", type=unicode, metavar="TEXT", help="one turn and no more; - reads it from standard input"
    )
    add_sampling(parser, "sampling (as the official code unless given; temperature 0 takes the most probable)")
    add_lengths(parser, "a reply", None)
    parser.add_argument(
        "--overflow",
        choices=("truncate", "error"),
        default="truncate",
        help="what happens when the context is full: the oldest rounds are left out, or an error",
    )
    add_placement(parser, drafts=True)
    options = parser.parse_args(arguments)
    if options.model is None and options.url is None:
        parser.error("the following arguments are required: model")
    live = options.prompt is None and sys.stdin.isatty()
    turns = iter(()) if live else (text for text in _turns(options.prompt) if text.strip())
    first = next(turns, None)
    if not live and first is None:
        raise UserError("no prompt: give it with --prompt or on standard input")

    from glmkit.cli.dialogue import Dialogue
    from glmkit.cli.loading import load_to_write
    from glmkit.cli.remote import RemoteModel

    given = settings(options)
    model: Model | RemoteModel
    if options.url is None:
        model = load_to_write(options)
        model.chat_format  # noqa: B018  a model that cannot chat says so before anybody has typed
    else:
        model = RemoteModel(options.url, options.model)
    dialogue = Dialogue(
        model,
        given,
        system=options.system,
        overflow=options.overflow,
        max_new_tokens=options.max_new_tokens,
        notes=sys.stdout.isatty() and live,
    )
    if first is None:
        _talk(dialogue)
        return
    for text in itertools.chain([first], turns):
        dialogue.ask(text)


def _talk(dialogue: "Dialogue") -> None:
    """Turns typed at a terminal, until Ctrl-D or /exit."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (gives input() a history and editing, where there is one)
    print("Ctrl-C stops a reply, Ctrl-D leaves, /help tells more.")
    while True:
        try:
            text, block = _typed()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print("\n(Ctrl-D leaves)")
            continue
        except UnicodeDecodeError:
            print("(that was not UTF-8 and is left out)")
            continue
        try:
            if block:
                dialogue.ask(text)
            elif not dialogue.take(text):
                return
        except UserError as error:
            print(f"({error})")
        except KeyboardInterrupt:
            print("\n(stopped)")


def _typed() -> tuple[str, bool]:
    """What is typed, and whether it stood between fences: then it is a turn, whatever it begins with."""
    text = input("> ")
    if not text.startswith(FENCE):
        return text, False
    lines = [text.removeprefix(FENCE)]
    while not lines[-1].endswith(FENCE) or (len(lines) == 1 and not lines[0]):
        lines.append(input(". "))
    return "\n".join([*lines[:-1], lines[-1].removesuffix(FENCE)]).strip("\n"), True


def _turns(prompt: str | None) -> Iterator[str]:
    """The turns of a conversation that nobody types: the prompt, or what standard input holds.

    Raises UserError where it is not UTF-8.
    """
    if prompt not in (None, "-"):
        yield str(prompt)
        return
    if prompt == "-":
        yield "\n".join(lines())
        return
    block: list[str] | None = None
    for line in lines():
        if block is None and line.startswith(FENCE):
            block, line = [], line.removeprefix(FENCE)
            if not line:
                continue
        if block is None:
            yield line
        elif line.endswith(FENCE):
            yield "\n".join([*block, line.removesuffix(FENCE)]).strip("\n")
            block = None
        else:
            block.append(line)
    if block is not None:
        yield "\n".join(block)
