"""The arrays drawn in docstrings are what the code makes."""

import re
from types import ModuleType

import numpy as np
import torch

from glmkit.core import types
from glmkit.core.types import AttentionMask, Example
from glmkit.data import packing, pieces
from glmkit.data.pieces import cut
from glmkit.infill import geometry, layout
from glmkit.infill.geometry import TwoChannel, example
from glmkit.infill.layout import Layout, blank_layouts, blanked, suffix_layout
from glmkit.text.special import SpecialIds

WORDS = ["<pad>", "<eod>", "[CLS]", "[M]", "[sM]", "[gMASK]", "sop", "eop"]
WORDS += ["The", "cat", "sat", "on", "the", "mat", "Rain", "falls", ".", "a", "b", "c", "d", "e", "f", "g"]
ID = {word: id for id, word in enumerate(WORDS)} | {"eod": 1, "pad": 0}
SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)


def drawn(source: object, row: str) -> list[str]:
    """The cells of a row of the drawing in a docstring, without its bars."""
    found = re.search(rf"^ *{row}  +(.*)$", source.__doc__ or "", re.MULTILINE)
    assert found, row
    cells = re.split(r" {6,}", found[1])[0]  # what stands far to the right is a remark
    return cells.replace("|", " ").split()


def ids(words: str) -> np.ndarray:
    return np.array([ID[word] for word in words.split()])


def cat_on_mat() -> Layout:
    spans = np.array([[1, 3], [4, 5]])
    return blank_layouts([blanked(ids("The cat sat on the mat"), spans, np.array([1, 0]), SPECIAL, SPECIAL.mask)], 7)[0]


def words(values: np.ndarray) -> list[str]:
    return [WORDS[id] for id in values]


def test_layout() -> None:
    made = cat_on_mat()
    assert drawn(layout, "tokens") == words(made.tokens)
    assert drawn(layout, "targets") == words(made.targets[made.context :])
    assert [float(x) for x in drawn(layout, "weights")] == made.weights.tolist()
    assert [int(x) for x in drawn(layout, "anchors")] == made.anchors.tolist()
    assert [int(x) for x in drawn(layout, "steps")] == made.steps.tolist()
    assert f"context = {made.context}" in (layout.__doc__ or "")


def test_suffix_layout() -> None:
    made = suffix_layout(ids("a b c d eod"), 2, SPECIAL)
    assert drawn(suffix_layout, "tokens") == words(made.tokens)
    targets = re.search(r"targets +(.*?) +\(", suffix_layout.__doc__ or "")
    assert targets
    assert targets[1].split() == [word.strip("<>") for word in words(made.targets[made.context :])]


def test_geometry() -> None:
    positions = TwoChannel().positions(cat_on_mat())
    rows = [line.split("      ")[0].replace("|", " ").split() for line in drawing_lines(geometry, "TwoChannel")]
    assert [int(x) for x in rows[0][1:]] == positions[0].tolist()
    assert [int(x) for x in rows[1]] == positions[1].tolist()


def drawing_lines(module: ModuleType, first: str) -> list[str]:
    """The line of a drawing that begins with `first`, and the one below."""
    lines = [line.strip() for line in (module.__doc__ or "").splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith(first))
    return lines[at : at + 2]


def test_mask() -> None:
    rows = re.findall(r"query \d +([x. ]+)$", types.AttentionMask.__doc__ or "", re.MULTILINE)
    shown = [[cell == "x" for cell in row.split()] for row in rows]
    assert AttentionMask.prefix([3]).visible(0, 5)[0, 0].tolist() == shown


def test_packing() -> None:
    """Padding comes after, as many tokens as the width asks for."""
    rain = blank_layouts([blanked(ids("Rain falls ."), np.array([[1, 2]]), np.array([0]), SPECIAL, SPECIAL.mask)], 7)[0]
    cat = blank_layouts([blanked(ids("The cat sat on"), np.array([[1, 3]]), np.array([0]), SPECIAL, SPECIAL.mask)], 7)[
        0
    ]
    row: list[Example] = [example(cat, TwoChannel()), example(rain, TwoChannel())]
    batch = packing.pack([row], SPECIAL.pad)
    tokens, segments = drawn(packing, "tokens"), drawn(packing, "segments")
    assert [word.strip("<>") for word in words(batch.tokens[0].numpy())[: len(tokens)]] == tokens
    assert batch.mask.segments is not None
    assert batch.mask.segments[0, : len(segments)].tolist() == [int(x) for x in segments]
    assert f"context = {int(batch.mask.context[0])}" in (packing.__doc__ or "")
    assert torch.all(batch.mask.segments[0, len(segments) - 1 :] == -1)


def test_pieces() -> None:
    """Eight tokens with the end token, room for five beside the [CLS]: two pieces of four."""
    shown = re.search(r"-> +(.*)$", pieces.__doc__ or "", re.MULTILINE)
    assert shown
    parts = [part.split() for part in shown[1].split("|")]
    table = cut(np.array([7]), np.array([0]), np.array([0]), seq_length=6)
    assert [stop - start + 1 for _, start, stop in (table.row(i) for i in range(len(table)))] == [len(p) for p in parts]
