"""The arguments of a call, between what ChatGLM3 writes and the JSON of the API. Only literals are read, none is run.

tool_call(city="Par        {"city": "Par
tool_call(city="Paris",    {"city": "Paris"
tool_call(city="Paris")    {"city": "Paris"}

What is given before the end is what `call_arguments` gives of the whole as far as it is certain: the characters of a
plain text one by one, other values when they are complete.
"""

import ast
import json
import re
import unicodedata

from glmkit.core.strict_json import parse
from glmkit.text.roles import call_parameters

_FENCED = re.compile(r"```[ \t]*\w*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_FENCED_TO_THE_LAST = re.compile(r"```[ \t]*\w*[ \t]*\n?(.*)```", re.DOTALL)  # a text in it may hold a fence
_BEGINNING = re.compile(r"\s*```[ \t]*\w*[ \t]*\n?\s*tool_call\(")
_ESCAPE = re.compile(r"\\(?:[\\'\"abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_UNFINISHED = re.compile(r"\\(?:x[0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7})?")
_LONGEST = 1 << 16  # characters of a call that are looked at before its end


class LiveArguments:
    """The arguments of a call as JSON while it is written, a character at a time."""

    def __init__(self) -> None:
        self.written = ""
        self._json = ""  # what was given of it
        self._code = 0  # where the call begins in what is written
        self._step = self._before  # what the next character is
        self._name = self._quote = self._escape = ""
        self._names: set[str] = set()

    def feed(self, text: str) -> str:
        """What else is certain of the arguments."""
        before = len(self._json)
        for sign in text:
            self.written += sign
            self._step(sign)
        return self._json[before:]

    def end(self) -> str | None:
        """The rest of the arguments; None for what turns out to be no call."""
        whole = call_arguments(self.written)
        return whole[len(self._json) :] if whole is not None and whole.startswith(self._json) else None

    def _before(self, sign: str) -> None:
        if sign == "(" and (match := _BEGINNING.fullmatch(self.written)) is not None:
            self._code, self._step = match.end() - len("tool_call("), self._in_name

    def _in_name(self, sign: str) -> None:
        if sign != "=":
            self._name += sign
            return
        name = self._name.strip()
        if not name.isidentifier() or unicodedata.normalize("NFKC", name) != name or name in self._names:
            self._step = self._at_end
            return
        self._names.add(name)
        self._step = self._before_value

    def _before_value(self, sign: str) -> None:
        if sign in "\"'":
            lead = ", " if self._json else "{"
            self._json += f'{lead}{_quoted(self._name.strip())}: "'
            self._quote, self._step = sign, self._in_text
        elif not sign.isspace():
            self._step = self._in_value
            self._in_value(sign)

    def _in_text(self, sign: str) -> None:
        if self._escape:
            self._escape += sign
            if _ESCAPE.fullmatch(self._escape):
                self._add(ast.literal_eval(f'"{self._escape}"'))
                self._escape = ""
            elif not _UNFINISHED.fullmatch(self._escape):
                self._step = self._at_end
        elif sign == "\\":
            self._escape = sign
        elif sign == self._quote:
            self._step = self._in_value  # the text may go on: "a" "b"
        elif sign in "\n\r\0" or len(self.written) > _LONGEST:
            self._step = self._at_end
        else:
            self._add(sign)

    def _add(self, character: str) -> None:
        if "\ud800" <= character <= "\udfff":  # half a character: there is no such text
            self._step = self._at_end
        else:
            self._json += _quoted(character)[1:-1]

    def _in_value(self, sign: str) -> None:
        """A value is complete where the call up to here is one."""
        if sign not in ",)" or len(self.written) > _LONGEST:
            return
        so_far = _read(f"{self.written[self._code : -1]})")
        if so_far is not None and so_far.startswith(self._json):
            self._json = so_far[:-1]
            self._name, self._step = "", self._in_name if sign == "," else self._at_end

    def _at_end(self, sign: str) -> None:
        """The rest is known when all is written."""


def call_arguments(text: str) -> str | None:
    """The arguments of a call that ChatGLM3 has written, as JSON; None for what is no call."""
    codes = [match[1] for form in (_FENCED, _FENCED_TO_THE_LAST) if (match := form.search(text))] or [text]
    return next((arguments for code in codes if (arguments := _read(code)) is not None), None)


def _read(code: str) -> str | None:
    parameters = call_parameters(code)
    if not isinstance(parameters, dict):
        try:
            parameters = parse(code)
        except ValueError:
            return None
    return _as_json(parameters)


def _as_json(parameters: object) -> str | None:
    """An object of literals as JSON, if JSON can hold it: {1, 2} and 1j it cannot."""
    if not isinstance(parameters, dict) or not all(isinstance(name, str) for name in parameters):
        return None
    try:
        text = json.dumps(parameters, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return text


def written_call(name: str, arguments: str) -> str:
    """The content of the message that calls `name`, as ChatGLM3 writes it. Arguments that are no JSON object stay as
    they are."""
    try:
        table = parse(arguments or "{}")
    except ValueError:
        table = None
    if not isinstance(table, dict):
        return f"```python\n{arguments}\n```"
    if all(key.isidentifier() for key in table):
        code = f"tool_call({', '.join(f'{key}={_literal(value)}' for key, value in table.items())})"
    else:
        code = _literal(table)
    return f"```python\n{code}\n```"


def _literal(value: object) -> str:
    """A value of JSON as a literal of Python."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
