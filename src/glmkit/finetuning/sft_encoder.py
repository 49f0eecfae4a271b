"""Encodes rows for supervised fine-tuning (SFT): an example begins with the ids that `infill` or `chat` reads."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.types import Example
from glmkit.finetuning.conversations import Conversation, SourceTarget
from glmkit.finetuning.forms import Form
from glmkit.infill.layout import Blanked, answer_layout, blank_layouts
from glmkit.infill.position_schemes import example
from glmkit.objective.spans import filled_in
from glmkit.tasks.cells import known
from glmkit.tasks.pattern import fill, named
from glmkit.tasks.score import ScoringModel
from glmkit.text.chat import ChatFormat, chat_format, fitting
from glmkit.text.labelled_sequence import LabelledSequence, labelled_sequences

_MASKS = re.compile(r"\[MASK\]|\[sMASK\]|\[gMASK\]")


@dataclass(frozen=True)
class EncodedRow:
    """The examples of one row, and how many of its tokens had no room; no examples where nothing of it can be
    learned."""

    where: str
    examples: list[Example]
    cut: int


@dataclass(frozen=True, kw_only=True)
class SFTEncoder:
    """Encodes rows as training examples of a model. An example has at most `length` tokens, a target
    `target_length`."""

    scorer: ScoringModel
    form: Form
    length: int
    target_length: int

    @property
    def fills(self) -> bool:
        """Whether a target fills a blank, as of a GLM; a model that chats writes it as a reply."""
        return self.scorer.prompt.writes_in_blank

    @property
    def _room(self) -> int:
        """Tokens that a prompt may have: the rest is for the target with its begin and end."""
        return self.length - self.target_length - 2

    @cached_property
    def chat(self) -> ChatFormat:
        """How the model writes a conversation. Raises UserError of one that was not trained to chat."""
        return chat_format(self.scorer.tokenizer, self.scorer.prompt.chat)

    def conversation(self, conversation: Conversation) -> EncodedRow:
        """The examples of a conversation; where it is too long its oldest rounds are left out, as `chat` does."""
        form, tokenizer = self.chat, self.scorer.tokenizer
        try:
            sequences, dropped = labelled_sequences(form, tokenizer, conversation.messages), 0
            if max(map(len, sequences)) > self.length:
                whole = sum(map(len, sequences))
                sequences = labelled_sequences(form, tokenizer, self._latest_rounds(conversation, form))
                dropped = whole - sum(map(len, sequences))
        except UserError as error:
            raise UserError(f"{conversation.where}: {error}") from None
        return self._encoded(conversation.where, sequences, dropped)

    def source_target(self, pair: SourceTarget) -> EncodedRow:
        """A source with its first target."""
        source, cut = self._fit_source(pair)
        if self.fills:
            return self._fill_blanks(pair, source, cut)
        question = [{"role": "user", "content": self._text(self.form.prompt, pair, source)}]
        reply = {"role": "assistant", "content": self._target(pair)}
        return self._encoded(pair.where, labelled_sequences(self.chat, self.scorer.tokenizer, [*question, reply]), cut)

    def prompt(self, pair: SourceTarget) -> list[int]:
        """The ids behind which, or into whose blanks, the target is written."""
        source, _ = self._fit_source(pair)
        return self._prompt(pair, source)

    def windows(self, pair: SourceTarget) -> list[SourceTarget]:
        """The row with its source in windows that fit, each half of it new, where the form looks for an answer in it;
        else the row alone."""
        tokenizer = self.scorer.tokenizer
        room, ids = self._room - len(self._prompt(pair, "")), tokenizer.encode(pair.source)
        if self.form.keep != "answer" or "answer" in named([self.form.blank]) or len(ids) <= room or room < 2:
            return [pair]
        starts = range(0, len(ids) - room // 2, room // 2)
        return [replace(pair, source=trimmed(tokenizer.decode(ids[begin : begin + room]))) for begin in starts]

    def chat_prompt(self, conversation: Conversation) -> list[int]:
        """The ids that stand before the last reply of a conversation."""
        *messages, _ = conversation.messages
        return self.chat.prompt(self.scorer.tokenizer, messages)

    def text(self, text: str) -> list[Example]:
        """A general text in chunks to be continued: by a GLM from the middle, by others from the beginning."""
        tokenizer, special = self.scorer.tokenizer, self.scorer.special
        ids, room = [*tokenizer.encode(text), special.eod], self.length - 4  # no format adds more tokens than that
        examples = []
        for begin in range(0, len(ids), room):
            piece = ids[begin : begin + room]
            if len(piece) < 2:
                continue
            prompt, target = self.scorer.prompt.split(piece)
            if self.fills:
                layout = answer_layout(np.array(prompt), len(prompt) - 1, target, special.sop)
                examples.append(example(layout, self.scorer.position_scheme))
            else:
                examples.append(self._example(LabelledSequence.of([*prompt, *target[:-1]], [(len(prompt), target)])))
        return examples

    def _latest_rounds(self, conversation: Conversation, form: ChatFormat) -> Sequence[Mapping[str, object]]:
        """The messages of a conversation without its oldest rounds, so that the others fit."""

        def longest(some: Sequence[Mapping[str, object]]) -> int:
            return max(map(len, labelled_sequences(form, self.scorer.tokenizer, some)))

        try:
            return fitting(conversation.messages, self.length, longest)[0]
        except UserError:  # the last round alone is too long: its end is cut off
            last = max(place for place, message in enumerate(conversation.messages) if message["role"] == "user")
            return conversation.messages[last:]

    def _encoded(self, where: str, sequences: Sequence[LabelledSequence], cut: int) -> EncodedRow:
        kept = [sequence.cut(self.length) for sequence in sequences]
        cut += sum(map(len, sequences)) - sum(map(len, kept))
        return EncodedRow(where, [self._example(sequence) for sequence in kept if any(sequence.loss_mask)], cut)

    def _example(self, sequence: LabelledSequence) -> Example:
        tokens = np.array(sequence.tokens)
        positions, context = self.scorer.position_scheme.read(tokens)
        return Example(
            tokens=tokens,
            targets=np.array(sequence.targets),
            weights=np.array(sequence.loss_mask, dtype=np.float32),
            positions=positions,
            context=context,
        )

    def _fill_blanks(self, pair: SourceTarget, source: str, cut: int) -> EncodedRow:
        """A text with its blanks filled, laid out as in pretraining."""
        special, ids = self.scorer.special, self._prompt(pair, source)
        blanks = [place for place, id in enumerate(ids) if id in special.masks]
        targets = pair.targets if _has_own_blanks(self.form) else pair.targets[:1]
        if len(targets) != len(blanks):
            raise UserError(f"{pair.where}: {len(blanks)} blanks and {len(targets)} targets; give one for each blank")
        spans = [self.scorer.tokenizer.encode(target)[: self.target_length] for target in targets]
        text, places = filled_in(ids, blanks, spans)
        starts = np.full(len(spans), special.sop)
        masks = np.array([ids[place] for place in blanks])
        (layout,) = blank_layouts([Blanked(text, places, np.arange(len(spans)), masks, starts)], special.eop)
        filled = example(layout, self.scorer.position_scheme)
        return EncodedRow(pair.where, [filled] if len(filled) <= self.length else [], cut)

    def _target(self, pair: SourceTarget) -> str:
        tokenizer = self.scorer.tokenizer
        return truncated(tokenizer.encode, tokenizer.decode, pair.targets[0], self.target_length)

    def _prompt(self, pair: SourceTarget, source: str) -> list[int]:
        tokenizer, special = self.scorer.tokenizer, self.scorer.special
        if not self.fills:
            question = {"role": "user", "content": self._text(self.form.prompt, pair, source)}
            return self.chat.prompt(tokenizer, [question])
        if _has_own_blanks(self.form):
            return self.scorer.prompt.document(tokenizer.encode_marked(source))
        before, mark, after = self._template_parts()
        pieces = tokenizer.pieces
        left = pieces.before_mask(pieces.whole(self._text(before, pair, source)))
        right = self._text(after, pair, source)
        mask = {"[MASK]": special.mask, "[sMASK]": special.smask, "[gMASK]": special.gmask}[mark]
        ids = [*(pieces.encode(left) if left else []), mask, *(pieces.encode(right) if right else [])]
        return self.scorer.prompt.document(ids)

    def _template_parts(self) -> tuple[str, str, str]:
        """The template of the form before its mask, the mask, the template behind it."""
        marks = _MASKS.findall(self.form.blank)
        if len(marks) != 1:
            raise UserError(f"the pattern {self.form.blank!r} must have one [MASK], [sMASK] or [gMASK] in it")
        before, after = _MASKS.split(self.form.blank)
        return before, marks[0], after

    def _text(self, template: str, pair: SourceTarget, source: str) -> str:
        if not template and not self.fills:
            raise UserError("form 'fill' fills blanks, which this model does not: use another form, or a GLM")
        for name in named([template]):
            if name != "source" and name not in pair.fields:
                raise UserError(f"{pair.where}: no column {name!r}{known(name, pair.fields)}")
        return fill(template, {name: source if name == "source" else pair.fields[name] for name in named([template])})

    def _fit_source(self, pair: SourceTarget) -> tuple[str, int]:
        """The source with as many tokens as there is room for, and how many it lost."""
        tokenizer = self.scorer.tokenizer
        if _has_own_blanks(self.form) and self.fills:
            return pair.source, 0
        room = self._room - len(self._prompt(pair, ""))
        size = len(tokenizer.encode(pair.source))
        source, limit = pair.source, min(size, max(room, 0))
        while limit > 0 and len(self._prompt(pair, source)) > self._room:
            source = self._source_window(pair, limit)
            limit -= 1
        return source, size - len(tokenizer.encode(source))

    def _source_window(self, pair: SourceTarget, limit: int) -> str:
        """So many tokens of the source as `limit`: its beginning, its end, or what stands around the answer."""
        encode, decode = self.scorer.tokenizer.encode, self.scorer.tokenizer.decode
        ids = encode(pair.source)
        if self.form.keep == "end":
            return trimmed(decode(ids[len(ids) - limit :]))
        begin = 0
        if self.form.keep == "answer":
            wanted = pair.fields.get("answer", pair.targets[0])
            place = max(pair.source.find(wanted), 0)
            middle = len(encode(pair.source[:place])) + len(encode(wanted)) // 2
            begin = min(max(middle - limit // 2, 0), len(ids) - limit)
        return trimmed(decode(ids[begin : begin + limit]))


def truncated(encode: Callable[[str], list[int]], decode: Callable[[list[int]], str], text: str, limit: int) -> str:
    """The beginning of a text, of at most `limit` tokens."""
    ids = encode(text)
    return text if len(ids) <= limit else trimmed(decode(ids[:limit]))


def trimmed(text: str) -> str:
    """A text cut out of another, without white space and halves of characters at its ends."""
    return text.strip(" \n\ufffd")


def _has_own_blanks(form: Form) -> bool:
    """Whether the source brings its own blanks."""
    return form.blank == "{source}"
