"""A row of a task as the model reads it: contexts with one blank, and the ids of every answer.

    pattern     "|~{hypothesis}|" ?|//|[MASK]|,| "|~{premise}|"
    context     [CLS] " it rains " ? [MASK] , " it is wet " <eod>      blank 6
    choices     [[Yes], [No]]                                          each read as  sop answer -> answer eop

One context serves all choices (it is cut to leave room for the longest), unless the pattern itself names the choice.
A model that fills no blanks (ChatGLM2, 3) reads the text up to the blank; a choice is scored with all that follows it:

    context     [gMASK] sop " it rains " ? [MASK] , " it is wet "
    choices     [[Yes], [No]]                                          each read as  ? answer , " it is wet -> ... wet "
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmkit.core.errors import UserError, argument
from glmkit.core.types import IntArray
from glmkit.infill.layout import Layout, answer_layout
from glmkit.tasks.instance import Instance
from glmkit.tasks.pattern import BLANK, DIVIDE, SLOT, Filled, Pattern, fill
from glmkit.tasks.task import Task
from glmkit.text.prompts import PromptFormat
from glmkit.text.tokenizer import Tokenizer

Part = tuple[list[int], bool]  # ids, and whether they may be shortened


@dataclass(frozen=True)
class Context:
    """A text with one blank, as ids; `cut` tokens did not fit in."""

    ids: IntArray
    blank: int
    cut: int = 0


@dataclass(frozen=True)
class Cloze:
    """`contexts`: one, or one for each choice. `choices`: the ids of each answer, without its end. `single`: the
    answers are label words of one token each, so the first token of the blank tells them apart."""

    uid: str
    contexts: tuple[Context, ...]
    choices: tuple[tuple[int, ...], ...]
    gold: int | None
    single: bool
    weight: float = 1.0

    def context(self, choice: int) -> Context:
        return self.contexts[choice if len(self.contexts) > 1 else 0]

    def layout(self, choice: int, sop: int, eop: int) -> Layout:
        """The training example of answer `choice`, laid out as in pretraining."""
        context = self.context(choice)
        return answer_layout(context.ids, context.blank, [*self.choices[choice], eop], sop)

    @property
    def cut(self) -> int:
        return max(context.cut for context in self.contexts)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Encodes rows for one tokenizer and a family's prompt format. `length`: the most tokens of a context and answer.

    `prompts` continuous prompt tokens, with the ids from `prompt_base` on, go to the pattern's [P] places in order
    (ceil(prompts / places) each until none is left), `prefix` more to the front. `shots`: ids of solved examples,
    read before every row.
    """

    tokenizer: Tokenizer
    prompt: PromptFormat
    length: int
    prompts: int = 0
    prefix: int = 0
    prompt_base: int = 0
    shots: tuple[int, ...] = ()

    def encode(self, task: Task, instance: Instance, pattern: Pattern) -> Cloze:
        """Raises UserError naming the row when the pattern does not fit it or leaves nothing to shorten."""
        try:
            choices = self.choices(instance, pattern)
            single = self.prompt.scores_in_blank and not instance.choices and all(len(ids) == 1 for ids in choices)
            if pattern.per_choice and instance.choices:
                rooms = [len(ids) + 1 for ids in choices]
                texts = [pattern.fill({**instance.fields, "choice": choice}) for choice in instance.choices]
            else:
                rooms, texts = [1 if single else max(map(len, choices)) + 1], [pattern.fill(instance.fields)]
            contexts = [self.context(self.parts(text), room) for text, room in zip(texts, rooms, strict=True)]
        except UserError as error:
            raise UserError(f"{task.place(instance)}: {error}") from None
        answers = tuple(map(tuple, choices))
        return Cloze(instance.uid, tuple(contexts), answers, instance.gold, single, instance.weight)

    def choices(self, instance: Instance, pattern: Pattern) -> list[list[int]]:
        """The ids of every answer of the row. Raises UserError for one without a token."""
        if instance.choices:
            texts = [fill(pattern.answer, {**instance.fields, "choice": choice}) for choice in instance.choices]
        else:
            texts = list(pattern.words)
        ids = self.tokenizer.encode_batch(texts)
        for text, item in zip(texts, ids, strict=True):
            if not item:
                raise UserError(f"the answer {text!r} has no token: a blank holds one at least")
        return ids

    def parts(self, filled: Sequence[Filled]) -> tuple[list[Part], list[Part]]:
        """The parts as ids, those before and those after the divide, continuous prompts in their places."""
        slots = sum(part.mark == SLOT for part in filled)
        if self.prompts and not slots:
            raise UserError(f"continuous prompts need a pattern with {SLOT} places, this one has none")
        share = -(-self.prompts // slots) if slots else 0
        pseudo = iter(range(self.prompt_base, self.prompt_base + self.prefix + self.prompts))
        left = self.prompts
        sides: tuple[list[Part], list[Part]] = ([], [])
        side = sides[0]
        side.append(([next(pseudo) for _ in range(self.prefix)], False))
        texts = [part.text for part in filled if not part.mark]
        encoded = iter(self.tokenizer.encode_batch(texts) if texts else [])
        for part in filled:
            if part.mark == DIVIDE:
                side = sides[1]
            elif part.mark == BLANK:
                side.append(([self.tokenizer.special.mask], False))
            elif part.mark == SLOT:
                side.append(([next(pseudo) for _ in range(min(share, left))], False))
                left -= min(share, left)
            else:
                side.append((next(encoded), part.shortenable))
        return sides

    def context(self, parts: tuple[list[Part], list[Part]], room: int) -> Context:
        """The parts between the text's begin and its end; shortened so that `room` more tokens fit in."""
        special = self.tokenizer.special
        size = sum(len(ids) for side in parts for ids, _ in side)
        size += len(self.prompt.begin) + len(self.shots) + len(self.prompt.end)
        cut = max(0, size + room - self.length)
        kept = shorten(parts, cut)
        ids = [*self.prompt.begin, *self.shots]
        blank = len(ids)
        for part in kept:
            if part == [special.mask]:
                blank = len(ids)
            ids += part
        return Context(np.array([*ids, *self.prompt.end]), blank, cut)

    def solved(self, task: Task, instance: Instance, pattern: Pattern) -> list[int]:
        """The text of a row with its answer in the blank: a shot. Raises UserError for a row without an answer."""
        if instance.gold is None:
            raise UserError(f"{task.place(instance)}: a shot needs a label")
        fields = instance.fields
        if pattern.per_choice and instance.choices:
            fields = {**fields, "choice": instance.choices[instance.gold]}
        answer = self.choices(instance, pattern)[instance.gold]
        context = self.context(self.parts(pattern.fill(fields)), len(answer))
        ids, before = context.ids.tolist(), len(self.prompt.begin) + len(self.shots)
        return [*ids[before : context.blank], *answer, *ids[context.blank + 1 : len(ids) - len(self.prompt.end)]]


def shorten(parts: tuple[list[Part], list[Part]], count: int) -> list[list[int]]:
    """The ids of all parts without `count` tokens, taken one by one from the end of what may be shortened: of the
    first side while it is the longer one, else of the second. Raises UserError when there is nothing left to take."""
    left = [[[len(ids) if may else 0, len(ids)] for ids, may in side] for side in parts]
    room = [sum(part[0] for part in side) for side in left]
    for _ in range(count):
        side = 0 if room[0] > room[1] else 1
        if not room[side]:
            raise UserError(
                f"it is too long for the model and nothing in it may be shortened further; raise {argument('length')}"
            )
        last = next(part for part in reversed(left[side]) if part[0])
        last[0] -= 1
        last[1] -= 1
        room[side] -= 1
    return [
        ids[: part[1]]
        for side, sizes in zip(parts, left, strict=True)
        for (ids, _), part in zip(side, sizes, strict=False)
    ]


def segments(context: Context, answer: Sequence[int], length: int) -> list[tuple[Context, list[int]]]:
    """A long answer (its end included) in pieces of `length` tokens, each asked for with the earlier ones in place.

    context    a [MASK] b        answer  1 2 3 eop        length 2
    rows       a [MASK] b -> 1 2      a 1 2 [MASK] b -> 3 eop
    """
    rows = []
    for start in range(0, len(answer), length):
        ids = np.insert(context.ids, context.blank, answer[:start])
        rows.append((Context(ids, context.blank + start, context.cut), list(answer[start : start + length])))
    return rows
