"""A conversation at the terminal: what was said, how the next reply is written, and the commands that change both."""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from glmkit.core.errors import CorruptFile, UserError, counted, nearest
from glmkit.core.files import atomic_file, read_text
from glmkit.core.json_types import JsonObject, Table
from glmkit.core.kinds import ANY, check, list_of, record, table_of, whole
from glmkit.core.strict_json import LARGEST, parse
from glmkit.generate.settings import SETTINGS, strategy

if TYPE_CHECKING:
    from glmkit.api import Answer, Model
    from glmkit.api.generate import Overflow
    from glmkit.cli.remote import RemoteAnswer, RemoteModel
    from glmkit.generate.sampling import Strategy

_HELP = '''/system TEXT     sets what stands before the conversation
/clear           forgets the conversation, not the system
/regen           writes the last reply again
/save FILE       writes the conversation as JSON
/load FILE       goes on with a saved conversation
/set NAME VALUE  changes how replies are written;
                 /set alone lists the names
/stats           tells how the last reply was written
/exit            leaves, as Ctrl-D does
"""              begins and ends a text of several lines
Ctrl-C           stops a reply; what is there stays'''

# What a model writes must not steer the terminal.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")

_SAVED = record({"messages": list_of(table_of(ANY))})

_KINDS: dict[str, type] = dict.fromkeys(SETTINGS, float) | dict.fromkeys(("top_k", "seed", "max_new_tokens"), int)
del _KINDS["logit_bias"]  # a table, which no line says
_WANTED = SETTINGS | {"max_new_tokens": whole(low=1)}


class Dialogue:
    """Takes turns and commands one by one, and prints replies; `notes` prints what is about them, too."""

    def __init__(
        self,
        model: "Model | RemoteModel",
        given: Table,
        *,
        system: str | None,
        overflow: "Overflow",
        max_new_tokens: int | None,
        notes: bool,
    ) -> None:
        usual = model.chat_sampling
        self.model, self.overflow, self.notes = model, overflow, notes
        self.settings = {"temperature": usual.temperature, "top_p": usual.p} | dict(given)
        if max_new_tokens is not None:
            self.settings["max_new_tokens"] = max_new_tokens
        self.messages: list[JsonObject] = [] if system is None else [_system(system)]
        self._replies, self._stats = 0, "nothing has been written yet"

    def take(self, text: str) -> bool:
        """A line typed: a turn or a command; False when it was to leave. Raises UserError for one that cannot be
        obeyed, which changes nothing."""
        if not text.strip():
            return True
        if not text.startswith("/"):
            self.ask(text)
            return True
        name, _, rest = text[1:].strip().partition(" ")
        commands: dict[str, Callable[[str], None]] = {
            "help": lambda rest: print(_HELP),
            "system": self._system,
            "clear": self._clear,
            "regen": self._again,
            "save": self._save,
            "load": self._load,
            "set": self._set,
            "stats": lambda rest: print(self._stats),
        }
        if name in ("exit", "quit"):
            return False
        if name not in commands:
            raise UserError(f"unknown command /{name}{nearest(name, [*commands, 'exit'])}")
        commands[name](rest.strip())
        return True

    def ask(self, text: str) -> None:
        """A turn, whatever stands in it."""
        self._answer([*self.messages, {"role": "user", "content": text}])

    def _answer(self, messages: list[JsonObject]) -> None:
        """Writes the reply to `messages`; Ctrl-C keeps what is there, and where nothing is, the conversation as it
        was."""
        began = time.perf_counter()
        answer = self.model.stream_chat(
            messages,
            sampling=self._strategy(),
            max_new_tokens=self.settings.get("max_new_tokens"),
            overflow=self.overflow,
        )
        first, stopped = None, False
        try:
            for piece in answer:
                first = first or time.perf_counter()
                print(piece.translate(_CONTROLS) if self.notes else piece, end="", flush=True)
        except KeyboardInterrupt:
            stopped = True
        answer.close()
        print(flush=True)
        self._replies += 1
        answered = bool(answer.ids or answer.finish_reason)
        if answered:
            self.messages = [*messages, *answer.reply.messages]
        if isinstance(answer.reply.content, dict):
            print(_written(answer.reply.content))
        self._note(answer, stopped, (first or time.perf_counter()) - began, time.perf_counter() - began)
        if self.notes and not answered:
            print("[stopped before the reply began; the turn does not count]")
        if answered and not answer.reply.content and not stopped:
            empty = f"the reply is empty: {counted(len(answer.ids), 'token')} and no text"
            print(f"[{empty}]" if self.notes else f"glmkit: {empty}", file=None if self.notes else sys.stderr)

    def _note(self, answer: "Answer | RemoteAnswer", stopped: bool, waited: float, total: float) -> None:
        count, limit = len(answer.ids), self.model.config.max_positions
        speed = f"{(count - 1) / (total - waited):.1f} tokens/s" if count > 1 and total > waited else "-"
        cut_off = "cut off at the length allowed" if answer.finish_reason == "length" else ""
        ending = "stopped" if stopped else cut_off
        self._stats = "\n".join(
            [
                f"reply       {counted(count, 'token')}, {speed}{f', {ending}' if ending else ''}",
                f"first piece after {waited:.2f} s",
                f"prompt      {counted(answer.prompt_length, 'token')}, {answer.cached_tokens} of them known",
                f"context     {answer.prompt_length + count} of {limit} tokens",
                f"left out    {counted(answer.dropped, 'round')} from the beginning",
            ]
        )
        if self.notes:
            print(f"[{counted(count, 'token')}, {speed}{f', {ending}' if ending else ''}]")
            if answer.dropped:
                print(f"[{counted(answer.dropped, 'round')} from the beginning left out to fit]")

    def _strategy(self) -> "Strategy":
        """By the settings; a fixed seed gives the same conversation, whose replies differ from one another."""
        seed = self.settings.get("seed")
        drawn = random.randrange(2**31) if seed is None else seed + self._replies
        given = {name: value for name, value in self.settings.items() if name in SETTINGS}
        return strategy(given | {"seed": drawn})

    def _system(self, text: str) -> None:
        rest = [message for message in self.messages if message["role"] != "system"]
        if text:
            self.messages = [_system(text), *rest]
        else:
            print(next((m["content"] for m in self.messages if m["role"] == "system"), "no system message"))

    def _clear(self, rest: str) -> None:
        self.messages = [message for message in self.messages if message["role"] == "system"]
        self.model.free()

    def _again(self, rest: str) -> None:
        questions = [place for place, message in enumerate(self.messages) if message["role"] == "user"]
        if not questions:
            raise UserError("there is no reply to write again yet")
        self._answer(self.messages[: questions[-1] + 1])

    def _save(self, name: str) -> None:
        if not name:
            raise UserError("/save needs the name of a file")
        try:
            with atomic_file(Path(name)) as file:
                file.write_text(json.dumps({"messages": self.messages}, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except (OSError, ValueError) as error:  # ValueError: a path without a name, such as /
            raise UserError(f"cannot write {name}: {getattr(error, 'strerror', error)}") from None
        print(f"saved {counted(len(self.messages), 'message')} in {name}")

    def _load(self, name: str) -> None:
        if not name:
            raise UserError("/load needs the name of a file")
        tokenizer = self.model.tokenizer
        text = read_text(Path(name), LARGEST)
        try:
            messages = [dict(message) for message in check(parse(text), _SAVED, "it")["messages"]]
            self.model.chat_format.prompt(tokenizer, [*messages, {"role": "user", "content": "?"}])  # it can go on
        except ValueError as error:
            raise CorruptFile(f"{name} is not a saved conversation ({error})") from None
        self.messages = messages
        print(f"loaded {counted(len(messages), 'message')}")

    def _set(self, text: str) -> None:
        name, _, value = text.partition(" ")
        name = name.lstrip("-").replace("-", "_")
        if not name:
            print("\n".join(f"{known:<18} {self.settings.get(known, 'not set')}" for known in _KINDS))
            return
        if name not in _KINDS:
            raise UserError(f"nothing to set is called {name!r}{nearest(name, _KINDS)}")
        try:
            changed = self.settings | {name: _KINDS[name](value)}
        except ValueError:
            raise UserError(f"{name} is a number, got {value!r}") from None
        check(changed[name], _WANTED[name], name)
        self.settings = changed


def _written(call: JsonObject) -> str:
    """A call of a tool as JSON; as Python where the model wrote a set, or another value that JSON has not."""
    try:
        return json.dumps(call, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return repr(call)


def _system(text: str) -> JsonObject:
    return {"role": "system", "content": text}
