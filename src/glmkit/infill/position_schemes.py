"""Positions: the only arithmetic outside `models/` that depends on the architecture.

tokens        The [M] on [M] mat | sop the | sop cat sat
TwoChannel     0   1   2  3   4  |  3   3  |  1   1   1      place in the corrupted text
               0   0   0  0   0  |  1   2  |  1   2   3      place inside the span
Sequential     0   1   2  3   4  |  5   6  |  7   8   9      place in the row
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from glmkit.core.errors import UserError
from glmkit.core.types import Example, IntArray
from glmkit.infill.layout import Layout, prompt_layout
from glmkit.text.special import SpecialIds


class PositionScheme(Protocol):
    """How an architecture numbers a layout and what it reads both ways."""

    channels: ClassVar[int]
    spans_take_positions: ClassVar[bool]  # each token of a span one of its own, so that the model's length bounds them

    def positions(self, layout: Layout) -> IntArray: ...  # [P, T]
    def context(self, layout: Layout) -> int: ...
    def start(self, anchor: int, length: int) -> IntArray: ...  # [P], of a span's start token, behind `length` tokens
    def advance(self, last: IntArray) -> IntArray: ...  # [P], of the token after one at `last`
    def read(self, ids: IntArray) -> tuple[IntArray, int]: ...  # [P, T] and context, of ids [T] and nothing else
    def blanks(self, ids: Sequence[int], special: SpecialIds) -> list[int]: ...  # of a prompt, those to be written


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt up to the token after which writing begins. `context` tokens are read both ways.

    `anchors` are the places of its blanks, in order; a prompt that was begun has none, and is written on at its end.
    """

    tokens: IntArray  # [T]
    positions: IntArray  # [P, T]
    context: int
    blank_positions: list[int]


def encode_prompt(position_scheme: PositionScheme, ids: Sequence[int], special: SpecialIds) -> EncodedPrompt:
    """The prompt `ids` as it is read before its first blank is written.

    A prompt without a blank to be written is gone on from at its last token. Raises UserError for a prompt with nothing
    to go on from.
    """
    if not len(ids):
        raise UserError("is empty: there is nothing to go on from")
    tokens = np.asarray(ids, dtype=np.int64)
    blanks = position_scheme.blanks(ids, special)
    if not blanks:
        return EncodedPrompt(tokens, *position_scheme.read(tokens), [])
    return replace(start_span(position_scheme, tokens, blanks[0], special.sop), blank_positions=blanks)


def start_span(position_scheme: PositionScheme, tokens: IntArray, blank: int, sop: int) -> EncodedPrompt:
    """The prompt `tokens`, and behind it the `sop` of its blank at index `blank`."""
    layout, start = prompt_layout(tokens), position_scheme.start(blank, len(tokens))
    places = np.column_stack([position_scheme.positions(layout), start])
    return EncodedPrompt(np.append(tokens, sop), places, position_scheme.context(layout), [blank])


def example(layout: Layout, position_scheme: PositionScheme) -> Example:
    """The layout with the positions an architecture gives it."""
    return Example(
        tokens=layout.tokens,
        targets=layout.targets,
        weights=layout.weights,
        positions=position_scheme.positions(layout),
        context=position_scheme.context(layout),
    )


@dataclass(frozen=True)
class TwoChannel:
    """GLM and ChatGLM-6B: the place in the corrupted text, and the step inside the span."""

    channels: ClassVar[int] = 2
    spans_take_positions: ClassVar[bool] = False

    def positions(self, layout: Layout) -> IntArray:
        return np.array([layout.position_ids, layout.block_position_ids])

    def context(self, layout: Layout) -> int:
        return layout.context

    def start(self, anchor: int, length: int) -> IntArray:
        return np.array([anchor, 1])

    def advance(self, last: IntArray) -> IntArray:
        return last + np.array([0, 1])

    def read(self, ids: IntArray) -> tuple[IntArray, int]:
        return np.stack([np.arange(len(ids)), np.zeros(len(ids), dtype=np.int64)]), 0

    def blanks(self, ids: Sequence[int], special: SpecialIds) -> list[int]:
        """Every mask, in order; none where the prompt ends with the `sop` of its answer. Raises UserError."""
        if ids[-1] == special.sop:
            return []
        if not (results := [place for place, id in enumerate(ids) if id in special.masks]):
            raise UserError("has no blank to fill; write [MASK] where one is")
        return results


@dataclass(frozen=True)
class OneChannel(TwoChannel):
    """Ablation: a span's tokens all sit at step 1, so only the text order of the input tells them apart."""

    def positions(self, layout: Layout) -> IntArray:
        return np.stack([layout.position_ids, np.minimum(layout.block_position_ids, 1)])

    def advance(self, last: IntArray) -> IntArray:
        return last


@dataclass(frozen=True)
class Detached(TwoChannel):
    """Ablation that goes with sentinel marks: spans stand at one far place, and only their mark names the blank."""

    far: int = 512

    def positions(self, layout: Layout) -> IntArray:
        return np.stack(
            [np.where(layout.block_position_ids > 0, self.far, layout.position_ids), layout.block_position_ids]
        )

    def start(self, anchor: int, length: int) -> IntArray:
        return np.array([self.far, 1])


@dataclass(frozen=True)
class Answering(TwoChannel):
    """ChatGLM-6B: ids alone tell the prompt, which ends before `sop`, and the blank the answer stands for.

    tokens      Who  is she  ? [gMASK] | sop She is
    positions    0    1   2  3    4    |  4   4   4      the first [gMASK], or the first [MASK] where there is none
                 0    0   0  0    0    |  1   2   3      context = 5
    """

    mask: int
    gmask: int
    sop: int

    def read(self, ids: IntArray) -> tuple[IntArray, int]:
        blanks = [*np.flatnonzero(ids == self.gmask), *np.flatnonzero(ids == self.mask)]
        if not blanks or self.sop not in ids:
            raise UserError(
                f"a prompt holds a blank ({self.gmask} or {self.mask}) and then {self.sop}, where the answer starts; "
                "add them, or say positions and context"
            )
        context = int(np.flatnonzero(ids == self.sop)[0])
        places = np.arange(len(ids))
        return np.stack([np.where(places < context, places, blanks[0]), np.maximum(places - context + 1, 0)]), context


@dataclass(frozen=True)
class Sequential:
    """ChatGLM2 and 3: tokens are numbered as they stand, and nothing is read both ways."""

    channels: ClassVar[int] = 1
    spans_take_positions: ClassVar[bool] = True

    def positions(self, layout: Layout) -> IntArray:
        return np.arange(len(layout.tokens))[None]

    def context(self, layout: Layout) -> int:
        return 0

    def start(self, anchor: int, length: int) -> IntArray:
        return np.array([length])

    def advance(self, last: IntArray) -> IntArray:
        return last + 1

    def read(self, ids: IntArray) -> tuple[IntArray, int]:
        return np.arange(len(ids))[None], 0

    def blanks(self, ids: Sequence[int], special: SpecialIds) -> list[int]:
        """None: it writes behind the end."""
        return []


@dataclass(frozen=True)
class SequentialInfill(Sequential):
    """ChatGLM2 and 3 that learned the objective `infill`: spans stand behind the text, in the order of its blanks.

    tokens      [gMASK] sop a [MASK] b [MASK] <eod> | sop x y | sop z
    positions      0     1  2   3    4   5      6   |  7  8 9 | 10 11
    """

    def blanks(self, ids: Sequence[int], special: SpecialIds) -> list[int]:
        """Every [MASK] behind the opening. Raises UserError where there is none, and for masks it has not learned."""
        text = range(list(ids).index(special.sop) + 1, len(ids))
        if any(ids[place] in special.masks and ids[place] != special.mask for place in text):
            raise UserError("has a blank that this model has not learned to fill; write [MASK] for it")
        if not (results := [place for place in text if ids[place] == special.mask]):
            raise UserError("has no blank to fill; write [MASK] where one is")
        return results
