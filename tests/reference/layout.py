"""The serialized order of a blanked text, token by token from its definition (paper, section 2.1 and figure 2).

Part A is the text with one mask for each span. Part B is `start span` for each span in the order given, predicting
`span eop`. A Part B token stands at the place of its span's mask in Part A and counts 1, 2, ... from its start token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glmkit.infill.layout import Layout
from glmkit.text.special import SpecialIds


@dataclass
class Written:
    """A layout as plain lists, in the terms of `glmkit.infill.layout.Layout`."""

    tokens: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    anchors: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    context: int = 0

    def add(self, token: int, target: int, weight: int, anchor: int, step: int) -> None:
        self.tokens.append(token)
        self.targets.append(target)
        self.weights.append(weight)
        self.anchors.append(anchor)
        self.steps.append(step)


def as_written(layout: Layout) -> Written:
    """The arrays of a layout as lists, to compare with one written here."""
    return Written(
        layout.tokens.tolist(),
        layout.targets.tolist(),
        layout.weights.tolist(),
        layout.position_ids.tolist(),
        layout.block_position_ids.tolist(),
        layout.context,
    )


def write_blanks(
    text: Sequence[int],
    spans: Sequence[tuple[int, int]],
    order: Sequence[int],
    masks: Sequence[int],
    starts: Sequence[int],
    eop: int,
) -> Written:
    """`masks[n]` and `starts[n]` belong to the span that is written back n-th, which is `spans[order[n]]`."""
    mask_of = {spans[number]: mask for number, mask in zip(order, masks, strict=True)}
    written = Written()
    place_of = {}
    for index, token in enumerate(text):
        inside = next((span for span in spans if span[0] <= index < span[1]), None)
        if inside is not None and index > inside[0]:
            continue  # the mask stands for it
        place = len(written.tokens)
        if inside is not None:
            token = mask_of[inside]
            place_of[inside] = place
        written.add(token, token, 0, place, 0)
    written.context = len(written.tokens)
    for number, start in zip(order, starts, strict=True):
        span = spans[number]
        read = [start, *text[span[0] : span[1]]]
        predicted = [*text[span[0] : span[1]], eop]
        for step, (token, target) in enumerate(zip(read, predicted, strict=True), start=1):
            written.add(token, target, 1, place_of[span], step)
    return written


def write_suffix(text: Sequence[int], division: int, special: SpecialIds, first: int) -> Written:
    """Part A is text[:division] and [gMASK]; the rest is predicted from sop on, without an eop. What lies before
    index `first` weighs nothing."""
    written = Written()
    for place, token in enumerate([*text[:division], special.gmask]):
        written.add(token, token, 0, place, 0)
    written.context = division + 1
    token = special.sop
    for step, index in enumerate(range(division, len(text)), start=1):
        written.add(token, text[index], int(index >= first), division, step)
        token = text[index]
    return written


def rebuild(layout: Layout, special: SpecialIds) -> list[int]:
    """The text a layout was made from: each mask of Part A replaced by the Part B piece that stands at its place."""
    pieces: dict[int, list[int]] = {}
    for index in range(layout.context, len(layout.tokens)):
        piece = pieces.setdefault(int(layout.position_ids[index]), [])
        assert layout.block_position_ids[index] == len(piece) + 1, "a piece counts its tokens 1, 2, 3, ..."
        if piece:
            assert layout.tokens[index] == piece[-1], "the token read is the one predicted before it"
        piece.append(int(layout.targets[index]))
    text: list[int] = []
    for place in range(layout.context):
        piece = pieces.pop(place, None)
        if piece is None:
            text.append(int(layout.tokens[place]))
        else:
            text += piece[:-1] if piece[-1] == special.eop else piece  # a suffix has no eop
    assert not pieces, "every piece stands at a place of Part A"
    return text
