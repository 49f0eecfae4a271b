"""How a family frames a text: what stands around it when it is learned, gone on from, filled, paired and scored.

|                      | InfillPrompt (GLM)      | PrefixPrompt (ChatGLM-6B) | CausalPrompt (ChatGLM2, 3)  |
|---|---|---|---|
| `document(a)`        | [CLS] a <eod>           | a [gMASK] sop             | [gMASK] sop a               |
| `continuation(a)`    | [CLS] a [gMASK]         | a [gMASK] sop             | [gMASK] sop a               |
| `fill(a)`            | [CLS] a <eod>           | a                         | CausalInfillPrompt alone    |
| `pair(a, b)`         | [CLS] a [SEP] b <eod>   | [gMASK] sop a b           | [gMASK] sop a b             |
| `split(a b)`         | [CLS] a [gMASK], b      | a [gMASK] sop, b          | [gMASK] sop, a b            |
| `scored(a)`          | [CLS] a [gMASK]         | a [gMASK]                 | [gMASK], then sop a is read |

All are ids in and ids out. Where a prompt ends with [gMASK], writing begins with the sop that is put behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from glmkit.core.errors import UserError
from glmkit.text.special import SpecialIds


@dataclass(frozen=True, kw_only=True)
class ScoringPrompt:
    """What is read before answers are scored: `context` with a blank at index `blank`, then `forced_prefix`, which
    stands in the blank already."""

    context: Sequence[int]
    blank: int
    forced_prefix: Sequence[int] = ()


class PromptFormat(Protocol):
    """How one family frames a text (see the drawing above).

    `fills_blanks`: it writes into the blanks of a text; else behind its end. `scores_in_blank`: a choice of a cloze is
    scored in its blank, with the text on both sides read first; else as what goes on from the text before it.
    `writes_in_blank`: what goes on from a text stands in a blank behind it, and takes no place of its own.
    `bidirectional`: what is read before writing is read both ways. `chat`: the format of its conversations where the
    tokenizer names none; "" of a family that was not trained to chat. `pool`: the token whose hidden state stands
    for a text, "cls" the first or "end" the last.
    """

    @property
    def special(self) -> SpecialIds: ...

    fills_blanks: ClassVar[bool]
    scores_in_blank: ClassVar[bool]
    writes_in_blank: ClassVar[bool]
    bidirectional: ClassVar[bool]
    chat: ClassVar[str]
    pool: ClassVar[Literal["cls", "end"]]

    @property
    def begin(self) -> list[int]:
        """What stands before a text that a task reads whole."""
        ...

    @property
    def end(self) -> list[int]:
        """What stands behind it."""
        ...

    @property
    def opening(self) -> list[int]:
        """What begins a text that a model is pretrained on."""
        ...

    def document(self, ids: Sequence[int]) -> list[int]:
        """A whole text as it is read to be understood."""
        ...

    def continuation(self, ids: Sequence[int]) -> list[int]:
        """A text that is gone on from."""
        ...

    def fill(self, ids: Sequence[int]) -> list[int]:
        """A text with blanks. Raises UserError for a family that fills none."""
        ...

    def pair(self, first: Sequence[int], second: Sequence[int] | None = None) -> list[int]:
        """One text or two, read whole by a classifier."""
        ...

    def split(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """A text to learn to go on from: what is read first, and what is written behind it."""
        ...

    def scored(self, ids: Sequence[int], *, both_ways: bool, closed: bool = False) -> ScoringPrompt:
        """What is read before answers that go on from a text: all of it both ways, or but for its first token as if it
        had been written. `closed`: the text ends with the blank, as a whole document. A causal family reads one way
        whatever is asked."""
        ...


class Framing(Protocol):
    """The class of a family's prompt format, which is made for the special ids of a tokenizer."""

    @property
    def bidirectional(self) -> bool: ...
    @property
    def chat(self) -> str: ...
    def __call__(self, special: SpecialIds) -> PromptFormat: ...


def _gmask_ended(
    begin: list[int], ids: Sequence[int], special: SpecialIds, end: list[int], both_ways: bool
) -> ScoringPrompt:
    """A text read before its [gMASK]."""
    context = [*begin, *(ids if both_ways else ids[:1]), special.gmask]
    return ScoringPrompt(context=[*context, *end], blank=len(context) - 1, forced_prefix=() if both_ways else ids[1:])


def _in_halves(prompt: PromptFormat, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """A text whose first half is read, and whose second half goes on from it."""
    half = len(ids) // 2
    return prompt.continuation(ids[:half]), list(ids[half:])


@dataclass(frozen=True)
class InfillPrompt:
    """GLM: a document stands between [CLS] and <eod>, and everything written fills a blank of it."""

    special: SpecialIds
    fills_blanks: ClassVar[bool] = True
    scores_in_blank: ClassVar[bool] = True
    writes_in_blank: ClassVar[bool] = True
    bidirectional: ClassVar[bool] = True
    chat: ClassVar[str] = ""
    pool: ClassVar[Literal["cls", "end"]] = "cls"

    @property
    def begin(self) -> list[int]:
        return [self.special.begin]

    @property
    def end(self) -> list[int]:
        return [self.special.eod]

    @property
    def opening(self) -> list[int]:
        return self.begin

    def document(self, ids: Sequence[int]) -> list[int]:
        return [*self.begin, *ids, *self.end]

    def continuation(self, ids: Sequence[int]) -> list[int]:
        return [*self.begin, *ids, self.special.gmask]

    def fill(self, ids: Sequence[int]) -> list[int]:
        """A text that ends with [gMASK] goes on, so it has no end."""
        goes_on = len(ids) and ids[-1] == self.special.gmask != self.special.mask
        return [*self.begin, *ids] if goes_on else self.document(ids)

    def pair(self, first: Sequence[int], second: Sequence[int] | None = None) -> list[int]:
        """A vocabulary without [SEP] has <eod> between the texts."""
        between = self.special.eod if self.special.sep is None else self.special.sep
        return self.document(first if second is None else [*first, between, *second])

    def split(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        return _in_halves(self, ids)

    def scored(self, ids: Sequence[int], *, both_ways: bool, closed: bool = False) -> ScoringPrompt:
        return _gmask_ended(self.begin, ids, self.special, self.end if closed else [], both_ways)


@dataclass(frozen=True)
class CausalPrompt:
    """ChatGLM2, ChatGLM3 and CodeGeeX2: [gMASK] sop begin every text, which is read and written from left to right."""

    special: SpecialIds
    fills_blanks: ClassVar[bool] = False
    scores_in_blank: ClassVar[bool] = False
    writes_in_blank: ClassVar[bool] = False
    bidirectional: ClassVar[bool] = False
    chat: ClassVar[str] = "chatglm2"
    pool: ClassVar[Literal["cls", "end"]] = "end"

    @property
    def begin(self) -> list[int]:
        return [self.special.gmask, self.special.sop]

    @property
    def end(self) -> list[int]:
        return []

    @property
    def opening(self) -> list[int]:
        return self.begin

    def document(self, ids: Sequence[int]) -> list[int]:
        return self.continuation(ids)

    def continuation(self, ids: Sequence[int]) -> list[int]:
        return [*self.begin, *ids]

    def fill(self, ids: Sequence[int]) -> list[int]:
        raise UserError("this model writes from left to right and fills no blanks; use generate or chat, or load a GLM")

    def pair(self, first: Sequence[int], second: Sequence[int] | None = None) -> list[int]:
        return [*self.begin, *first, *(second or ())]

    def split(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        return self.begin, list(ids)

    def scored(self, ids: Sequence[int], *, both_ways: bool, closed: bool = False) -> ScoringPrompt:
        return ScoringPrompt(context=[self.special.gmask], blank=0, forced_prefix=ids)


@dataclass(frozen=True)
class CausalInfillPrompt(CausalPrompt):
    """One of them that was pretrained with the objective `infill`: a text with blanks stands as a document that was
    learned, and its spans are written behind it."""

    fills_blanks: ClassVar[bool] = True

    def fill(self, ids: Sequence[int]) -> list[int]:
        return [*self.begin, *ids, self.special.eod]


@dataclass(frozen=True)
class PrefixPrompt(CausalPrompt):
    """ChatGLM-6B: what is read stands before [gMASK] and is read both ways; the answer stands behind sop. What a task
    reads whole is framed as by its successors."""

    fills_blanks: ClassVar[bool] = True
    bidirectional: ClassVar[bool] = True
    chat: ClassVar[str] = "chatglm"

    @property
    def opening(self) -> list[int]:
        """It was trained on texts without a begin or an end."""
        return []

    def continuation(self, ids: Sequence[int]) -> list[int]:
        return [*ids, self.special.gmask, self.special.sop]

    def fill(self, ids: Sequence[int]) -> list[int]:
        return list(ids)

    def split(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        return _in_halves(self, ids)

    def scored(self, ids: Sequence[int], *, both_ways: bool, closed: bool = False) -> ScoringPrompt:
        return _gmask_ended([], ids, self.special, [], both_ways)
