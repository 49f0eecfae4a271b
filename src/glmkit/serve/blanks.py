"""Texts with blanks, which are put in as ids: what a user types never becomes a blank by its spelling.

"She ate ____ for ____."  ->  ["She ate ", Blank("0"), " for ", Blank("1"), "."]  ->  [CLS] She ate [M] for [M] . <eod>

White space on the left of a blank belongs to what fills it; where the text has some, a filling brings none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glmkit.core.errors import short
from glmkit.core.json_types import Table
from glmkit.core.kinds import TEXT, Kind, either, list_of, optional, record, whole
from glmkit.serve.errors import bad_request, too_long
from glmkit.serve.fields import ARRAY, TABLE, Fields, at_most, check_field, outlined
from glmkit.serve.models import ServedModel
from glmkit.text.tokenizer import Tokenizer

MAX_BLANKS, MAX_SEGMENTS, MAX_CANDIDATES = 64, 1024, 64
_UNDERSCORES = re.compile("_{3,}")
_BLANK: dict[str, Kind] = {
    "id": optional(TEXT),
    "max_tokens": optional(whole(1, 2**31 - 1)),
    "min_tokens": optional(whole(0, 2**31 - 1)),
    "candidates": optional(at_most(list_of(TEXT, least=1), MAX_CANDIDATES)),
}
_SEGMENT = either(record({"text": TEXT}), record({"blank": record(_BLANK)}))
SEGMENTS = outlined(ARRAY, at_most(list_of(_SEGMENT), MAX_SEGMENTS))


@dataclass(frozen=True)
class Blank:
    """A blank, how long its filling may be, and `candidates` whose probability is wanted."""

    id: str
    max_tokens: int | None = None
    min_tokens: int = 1
    candidates: tuple[str, ...] = ()


Segment = str | Blank


def read_segments(fields: Fields) -> list[Segment]:
    """The text and the blanks of a request: its `segments`, or its `text` cut at each `marker`. Raises ApiError."""
    if ("segments" in fields) == ("text" in fields):
        raise bad_request("give either segments, a list of texts and blanks, or text with blanks written ____", "text")
    if "text" in fields:
        marker = fields.get("marker")
        if marker == "":
            raise bad_request("marker must not be empty", "marker")
        texts = fields["text"].split(marker) if marker else _UNDERSCORES.split(fields["text"])
        segments: list[Segment] = [texts[0]]
        for number, text in enumerate(texts[1:]):
            segments += [Blank(str(number)), text]
    else:
        given = fields["segments"]
        if len(given) > MAX_SEGMENTS:
            raise bad_request(f"segments may be {MAX_SEGMENTS} at most, got {len(given)}", "segments")
        segments = []
        for place, one in enumerate(given):
            segments.append(_segment(one, f"segments[{place}]", len(blanks_of(segments))))
    if not 1 <= len(blanks_of(segments)) <= MAX_BLANKS:
        count = len(blanks_of(segments))
        raise bad_request(f"a text has from 1 to {MAX_BLANKS} blanks, this one {count}", "segments")
    return segments


def _segment(given: object, path: str, number: int) -> Segment:
    table: Table = check_field(given, TABLE, path)
    if table.keys() == {"text"}:
        return str(check_field(table["text"], TEXT, f"{path}.text"))
    if table.keys() != {"blank"}:
        raise bad_request(f'{path} must be {{"text": ...}} or {{"blank": {{...}}}}, got {short(given)}', path)
    blank: Table = check_field(table["blank"], TABLE, f"{path}.blank")
    for name, kind in _BLANK.items():
        check_field(blank.get(name), kind, f"{path}.blank.{name}")
    most, least = blank.get("max_tokens"), blank.get("min_tokens")
    least = min(1, most or 1) if least is None else least
    if most is not None and least > most:
        raise bad_request(f"{path}.blank: min_tokens {least} is more than max_tokens {most}", f"{path}.blank")
    return Blank(blank.get("id") or str(number), most, least, tuple(blank.get("candidates") or ()))


def blanks_of(segments: Sequence[Segment]) -> list[Blank]:
    return [segment for segment in segments if isinstance(segment, Blank)]


def texts_of(segments: Sequence[Segment]) -> list[str]:
    """The text before, between and after the blanks."""
    texts = [""]
    for segment in segments:
        if isinstance(segment, Blank):
            texts.append("")
        else:
            texts[-1] += segment
    return texts


def marked_segments(tokenizer: Tokenizer, text: str) -> list[Segment]:
    """A text whose blanks are spelled as the tokenizer spells its masks, [MASK] among them."""
    texts = re.split("|".join(map(re.escape, tokenizer.blanks)) or "(?!)", text)
    segments: list[Segment] = [texts[0]]
    for number, after in enumerate(texts[1:]):
        segments += [Blank(str(number)), after]
    return segments


def blanked_ids(served: ServedModel, segments: Sequence[Segment]) -> list[int]:
    """Ids of a text with blanks, as it stands in training. Raises UserError for a model that fills none, ApiError for a
    text that is too long."""
    tokenizer = served.model.tokenizer
    pieces, (*before, last) = tokenizer.pieces, texts_of(segments)
    ids: list[int] = []
    for text in before:
        text = pieces.before_mask(text)
        ids += [*(pieces.encode(text) if text else []), tokenizer.special.mask]
    ids += pieces.encode(last) if last else []
    prompt = served.model.prompt_format.fill(ids)
    if len(prompt) > served.limit:
        raise too_long(len(prompt), served.limit, "the text")
    return prompt


class Filling:
    """The text of a blank as it is written, behind the text before it."""

    def __init__(self, before: str) -> None:
        self._bare = not before or before[-1].isspace()
        self.text = ""

    def feed(self, text: str) -> str:
        """What of it can be shown."""
        if self._bare and not self.text:
            text = text.lstrip()
        self.text += text
        return text
