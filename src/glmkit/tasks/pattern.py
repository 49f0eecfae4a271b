"""Patterns as data: how the fields of a row become a text with one blank, and which words fill it.

    "|~{hypothesis}|" ?|//|[MASK]|,| "|~{premise}|"        words  Yes, No

A pattern is a row of parts that are encoded one by one, as the original does (THUDM/GLM, tasks/superglue/pvp.py):

| part | means |
|---|---|
| `~...` | may be shortened, from its end, when the text is too long |
| `{field}`, `{field:bare}` | a field of the row, perhaps changed (CHANGES); a `{`, `}` or `:` of its name behind `\\` |
| `[MASK]` | the blank, exactly one |
| `[P]` | a place for continuous prompt vectors; without them it is nothing |
| `//` | parts before and after it are shortened in turn, the longer side first |
"""

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError, nearest

BLANK, SLOT, DIVIDE = "[MASK]", "[P]", "//"

CHANGES: dict[str, Callable[[str], str]] = {
    "bare": lambda text: text.rstrip(string.punctuation),  # without its last punctuation
    "lower": lambda text: text[:1].lower() + text[1:],  # the first letter small
    "trim": str.rstrip,
}

_NAME = r"(?:[^{}:\\]|\\.)+"
_FIELD = re.compile(rf"\{{({_NAME})((?::\w+)*)\}}", re.DOTALL)
_PIECES = re.compile(rf"(\{{{_NAME}(?::\w+)*\}}|\[MASK\]|\[P\])", re.DOTALL)


@dataclass(frozen=True)
class Filled:
    """A part with its fields filled in. `mark`: BLANK, SLOT or DIVIDE where the part is one; a field never is."""

    text: str
    shortenable: bool
    mark: str = ""


@dataclass(frozen=True)
class Pattern:
    """`words`: the text that stands for each label of the task. `answer`: the template of an answer for tasks whose
    rows bring their own `{choice}`s; a pattern whose parts name `{choice}` writes one text a choice."""

    parts: tuple[str, ...]
    words: tuple[str, ...] = ()
    answer: str = " {choice}"

    def __post_init__(self) -> None:
        blanks = self.parts.count(BLANK)
        if blanks != 1:
            raise UserError(f"a pattern needs exactly one {BLANK}, this one has {blanks}: {''.join(self.parts)!r}")
        for part in (*self.parts, self.answer):
            for name in _FIELD.findall(part):
                for change in name[1].split(":")[1:]:
                    if change not in CHANGES:
                        raise UserError(f"pattern {part!r}: unknown change {change!r}{nearest(change, CHANGES)}")

    @property
    def per_choice(self) -> bool:
        """Whether every choice has a text of its own."""
        return "choice" in named(self.parts)

    @property
    def slots(self) -> int:
        return self.parts.count(SLOT)

    def fill(self, fields: Mapping[str, str]) -> list[Filled]:
        """The parts with their fields filled in. Raises UserError naming a field the row lacks."""
        return [
            Filled(part, False, part)
            if part in (BLANK, SLOT, DIVIDE)
            else Filled(fill(part.removeprefix("~"), fields), part.startswith("~"))
            for part in self.parts
        ]


def named(templates: Iterable[str]) -> list[str]:
    """The fields that templates name, in the order in which they first do."""
    return list(dict.fromkeys(_bare(name) for template in templates for name, _ in _FIELD.findall(template)))


def template_of(field: str) -> str:
    """The template that is a field and nothing else, whatever the field's name."""
    return "{" + re.sub(r"([\\{}:])", r"\\\1", field) + "}"


def _bare(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)


def fill(template: str, fields: Mapping[str, str]) -> str:
    """A template with its fields filled in."""

    def value(match: re.Match[str]) -> str:
        name = _bare(match[1])
        if name not in fields:
            raise UserError(f"the pattern asks for a field {name!r} that the row lacks{nearest(name, fields)}")
        text = fields[name]
        for change in match[2].split(":")[1:]:
            if change not in CHANGES:
                raise UserError(f"pattern {template!r}: unknown change {change!r}{nearest(change, CHANGES)}")
            text = CHANGES[change](text)
        return text

    return _FIELD.sub(value, template)


def pattern(parts: str, words: Sequence[str] = (), answer: str = " {choice}") -> Pattern:
    """A pattern from its parts written in one line with `|` between them."""
    return Pattern(tuple(parts.split("|")), tuple(words), answer)


def pattern_of_text(text: str, words: Sequence[str] = (), answer: str = " {choice}") -> Pattern:
    """A pattern from a plain text with {fields} and [MASK]: every field may be shortened.

    A space before a field belongs to the field, and one before the blank to what fills it, as words carry the space
    on their left.
    """
    parts: list[str] = []
    space = ""
    for piece in _PIECES.split(text):
        if piece.startswith("{"):
            parts.append(f"~{space}{piece}")
            space = ""
        elif piece in (BLANK, SLOT):
            parts.append(piece)
            space = ""
        elif piece:
            space = " " if piece.endswith(" ") else ""
            parts += [piece.rstrip(" ")] if piece.strip() else []
    return Pattern(tuple(parts), tuple(words), answer)
