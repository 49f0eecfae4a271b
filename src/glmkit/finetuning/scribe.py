"""Rows to learn from as examples of one model: what is read is what decoding, `infill` and `chat` read."""

import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.types import Example
from glmkit.finetuning.forms import Form
from glmkit.finetuning.talks import Pair, Talk
from glmkit.infill.geometry import example
from glmkit.infill.layout import Blanked, answer_layout, blank_layouts
from glmkit.objective.spans import filled_in
from glmkit.tasks.cells import known
from glmkit.tasks.pattern import fill, named
from glmkit.tasks.score import Subject
from glmkit.text.chat import ChatFormat, chat_format, fitting
from glmkit.text.lesson import Lesson, lessons

_MASKS = re.compile(r"\[MASK\]|\[sMASK\]|\[gMASK\]")


@dataclass(frozen=True)
class Written:
    """The examples of one row, and how many of its tokens had no room. None of them: nothing of it can be learned."""

    where: str
    examples: list[Example]
    cut: int


@dataclass(frozen=True, kw_only=True)
class Scribe:
    """Writes rows out for `subject`. An example has at most `length` tokens, a target `target_length`."""

    subject: Subject
    form: Form
    length: int
    target_length: int

    @property
    def fills(self) -> bool:
        """Whether a target is written into a blank, as by a GLM; a model that chats is asked for it."""
        return self.subject.prompt.writes_in_blank

    @cached_property
    def chat(self) -> ChatFormat:
        """How the model writes a conversation. Raises UserError of one that was not trained to chat."""
        return chat_format(self.subject.tokenizer, self.subject.prompt.chat)

    def talk(self, talk: Talk) -> Written:
        """The lessons of a conversation; where it is too long its oldest rounds are left out, as `chat` does."""
        form, tokenizer = self.chat, self.subject.tokenizer
        try:
            found, dropped = lessons(form, tokenizer, talk.messages), 0
            if max(map(len, found)) > self.length:
                whole = sum(map(len, found))
                found = lessons(form, tokenizer, self._recent(talk, form))
                dropped = whole - sum(map(len, found))
        except UserError as error:
            raise UserError(f"{talk.where}: {error}") from None
        return self._written(talk.where, found, dropped)

    def pair(self, pair: Pair) -> Written:
        """A source with its first target."""
        source, cut = self._shortened(pair)
        if self.fills:
            return self._filled(pair, source, cut)
        asked = [{"role": "user", "content": self._text(self.form.prompt, pair, source)}]
        reply = {"role": "assistant", "content": self._target(pair)}
        return self._written(pair.where, lessons(self.chat, self.subject.tokenizer, [*asked, reply]), cut)

    def prompt(self, pair: Pair) -> list[int]:
        """The ids behind which, or into whose blanks, the target is written."""
        source, _ = self._shortened(pair)
        return self._prompt(pair, source)

    def windows(self, pair: Pair) -> list[Pair]:
        """The row with its source in windows that fit, each half of it new, where the form looks for an answer in it;
        else the row alone."""
        tokenizer = self.subject.tokenizer
        room = self.length - self.target_length - 2 - len(self._prompt(pair, ""))
        ids = tokenizer.encode(pair.source)
        if self.form.keep != "answer" or "answer" in named([self.form.blank]) or len(ids) <= room or room < 2:
            return [pair]
        starts = range(0, len(ids) - room // 2, room // 2)
        return [replace(pair, source=whole(tokenizer.decode(ids[begin : begin + room]))) for begin in starts]

    def asked(self, talk: Talk) -> list[int]:
        """The ids behind which the last reply of a conversation is written."""
        *messages, _ = talk.messages
        return self.chat.prompt(self.subject.tokenizer, messages)

    def text(self, text: str) -> list[Example]:
        """A general text, in pieces, to be gone on from: by a GLM from its middle, by others from the beginning."""
        tokenizer, special = self.subject.tokenizer, self.subject.special
        ids, room = [*tokenizer.encode(text), special.eod], self.length - 4
        made = []
        for begin in range(0, len(ids), room):
            piece = ids[begin : begin + room]
            if len(piece) < 2:
                continue
            prompt, target = self.subject.prompt.split(piece)
            if self.fills:
                layout = answer_layout(np.array(prompt), len(prompt) - 1, target, special.sop)
                made.append(example(layout, self.subject.geometry))
            else:
                made.append(self._example(Lesson.of([*prompt, *target[:-1]], [(len(prompt), target)])))
        return made

    def _recent(self, talk: Talk, form: ChatFormat) -> Sequence[Mapping[str, object]]:
        def longest(some: Sequence[Mapping[str, object]]) -> int:
            return max(map(len, lessons(form, self.subject.tokenizer, some)))

        try:
            return fitting(talk.messages, self.length, longest)[0]
        except UserError:  # the last round alone is too long: its end is cut off
            last = max(place for place, message in enumerate(talk.messages) if message["role"] == "user")
            return talk.messages[last:]

    def _written(self, where: str, found: Sequence[Lesson], cut: int) -> Written:
        kept = [lesson.cut(self.length) for lesson in found]
        cut += sum(map(len, found)) - sum(map(len, kept))
        return Written(where, [self._example(lesson) for lesson in kept if any(lesson.learned)], cut)

    def _example(self, lesson: Lesson) -> Example:
        tokens = np.array(lesson.tokens)
        positions, context = self.subject.geometry.read(tokens)
        return Example(
            tokens=tokens,
            targets=np.array(lesson.targets),
            weights=np.array(lesson.learned, dtype=np.float32),
            positions=positions,
            context=context,
        )

    def _filled(self, pair: Pair, source: str, cut: int) -> Written:
        """A text with its blanks filled, laid out as in pretraining."""
        special, ids = self.subject.special, self._prompt(pair, source)
        blanks = [place for place, id in enumerate(ids) if id in special.masks]
        targets = pair.targets if _fills(self.form) else pair.targets[:1]
        if len(targets) != len(blanks):
            raise UserError(f"{pair.where}: {len(blanks)} blanks and {len(targets)} targets; give one for each blank")
        spans = [self.subject.tokenizer.encode(target)[: self.target_length] for target in targets]
        text, places = filled_in(ids, blanks, spans)
        starts = np.full(len(spans), special.sop)
        masks = np.array([ids[place] for place in blanks])
        (layout,) = blank_layouts([Blanked(text, places, np.arange(len(spans)), masks, starts)], special.eop)
        made = example(layout, self.subject.geometry)
        return Written(pair.where, [made] if len(made) <= self.length else [], cut)

    def _target(self, pair: Pair) -> str:
        tokenizer = self.subject.tokenizer
        return shortened(tokenizer.encode, tokenizer.decode, pair.targets[0], self.target_length)

    def _prompt(self, pair: Pair, source: str) -> list[int]:
        tokenizer, special = self.subject.tokenizer, self.subject.special
        if not self.fills:
            asked = {"role": "user", "content": self._text(self.form.prompt, pair, source)}
            return self.chat.prompt(tokenizer, [asked])
        if _fills(self.form):
            return self.subject.prompt.document(tokenizer.encode_marked(source))
        before, mark, after = self._parts()
        pieces = tokenizer.pieces
        left = pieces.before_mask(pieces.whole(self._text(before, pair, source)))
        right = self._text(after, pair, source)
        mask = {"[MASK]": special.mask, "[sMASK]": special.smask, "[gMASK]": special.gmask}[mark]
        ids = [*(pieces.encode(left) if left else []), mask, *(pieces.encode(right) if right else [])]
        return self.subject.prompt.document(ids)

    def _parts(self) -> tuple[str, str, str]:
        """The template before its mask, the mask, the template behind it."""
        marks = _MASKS.findall(self.form.blank)
        if len(marks) != 1:
            raise UserError(f"the pattern {self.form.blank!r} must have one [MASK], [sMASK] or [gMASK] in it")
        before, after = _MASKS.split(self.form.blank)
        return before, marks[0], after

    def _text(self, template: str, pair: Pair, source: str) -> str:
        if not template and not self.fills:
            raise UserError("form 'fill' fills blanks, which this model does not: use another form, or a GLM")
        for name in named([template]):
            if name != "source" and name not in pair.fields:
                raise UserError(f"{pair.where}: no column {name!r}{known(name, pair.fields)}")
        return fill(template, ChainMap({"source": source}, pair.fields))  # type: ignore[arg-type]

    def _shortened(self, pair: Pair) -> tuple[str, int]:
        """The source with as many tokens as there is room for, and how many it lost."""
        tokenizer = self.subject.tokenizer
        if _fills(self.form) and self.fills:
            return pair.source, 0
        room = self.length - self.target_length - 2 - len(self._prompt(pair, ""))
        size = len(tokenizer.encode(pair.source))
        source, limit = pair.source, min(size, max(room, 0))
        while limit > 0 and len(self._prompt(pair, source)) > self.length - self.target_length - 2:
            source = self._window(pair, limit)
            limit -= 1
        return source, size - len(tokenizer.encode(source))

    def _window(self, pair: Pair, limit: int) -> str:
        encode, decode = self.subject.tokenizer.encode, self.subject.tokenizer.decode
        ids = encode(pair.source)
        if self.form.keep == "end":
            return whole(decode(ids[len(ids) - limit :]))
        begin = 0
        if self.form.keep == "answer":
            wanted = pair.fields.get("answer", pair.targets[0])
            place = max(pair.source.find(wanted), 0)
            middle = len(encode(pair.source[:place])) + len(encode(wanted)) // 2
            begin = min(max(middle - limit // 2, 0), len(ids) - limit)
        return whole(decode(ids[begin : begin + limit]))


def shortened(encode: Callable[[str], list[int]], decode: Callable[[list[int]], str], text: str, limit: int) -> str:
    """The beginning of a text, of at most `limit` tokens."""
    ids = encode(text)
    return text if len(ids) <= limit else whole(decode(ids[:limit]))


def whole(text: str) -> str:
    """A text cut out of another, without white space and halves of characters at its ends."""
    return text.strip(" \n\ufffd")


def _fills(form: Form) -> bool:
    """Whether the source brings its own blanks."""
    return form.blank == "{source}"
