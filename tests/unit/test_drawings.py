"""The arrays drawn in docstrings are what the code makes."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from glmkit.core import types
from glmkit.core.types import AttentionMask, Example
from glmkit.data import chunks, packing
from glmkit.data.chunks import cut
from glmkit.finetuning import pool
from glmkit.finetuning.pool import pooled_example
from glmkit.infill import layout, position_schemes
from glmkit.infill.layout import Layout, answer_layout, blank_layouts, blanked, suffix_layout
from glmkit.infill.position_schemes import Answering, Sequential, TwoChannel, example
from glmkit.kernels.library import library
from glmkit.kernels.packed import pack
from glmkit.kernels.quantized import QuantizedTensor, pack_nibbles
from glmkit.nn import positions as rotary
from glmkit.nn import prefix
from glmkit.objective import choices
from glmkit.objective.choices import ScoringRequest, choice_batch
from glmkit.text import labelled_sequence
from glmkit.text.labelled_sequence import LabelledSequence
from glmkit.text.special import SpecialIds

WORDS = ["<pad>", "<eod>", "[CLS]", "[M]", "[sM]", "[gMASK]", "sop", "eop"]
WORDS += ["The", "cat", "sat", "on", "the", "mat", "Rain", "falls", ".", "a", "b", "c", "d", "e", "f", "g"]
WORDS += ["He", "ran", "fell", "down", "slept", "over", "It", "it", "rains", "no"]
ID = {word: id for id, word in enumerate(WORDS)} | {"eod": 1, "pad": 0, "[MASK]": 3}
SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7)


def drawn(source: object, row: str, remark: bool = True) -> list[str]:
    """The cells of a row of the drawing in a docstring, without its bars (and without a remark on its right)."""
    match = re.search(rf"^ *{row}  +(.*)$", source.__doc__ or "", re.MULTILINE)
    assert match, row
    cells = re.split(r" {6,}", match[1])[0] if remark else match[1]  # what stands far to the right is a remark
    return cells.replace("|", " ").split()


def ids(words: str) -> np.ndarray:
    return np.array([ID[word] for word in words.split()])


def cat_on_mat() -> Layout:
    spans = np.array([[1, 3], [4, 5]])
    return blank_layouts([blanked(ids("The cat sat on the mat"), spans, np.array([1, 0]), SPECIAL, SPECIAL.mask)], 7)[0]


def words(values: np.ndarray) -> list[str]:
    return [WORDS[id] for id in values]


def test_layout() -> None:
    built = cat_on_mat()
    assert drawn(layout, "tokens") == words(built.tokens)
    assert drawn(layout, "targets") == words(built.targets[built.context :])
    assert [float(x) for x in drawn(layout, "weights")] == built.weights.tolist()
    assert [int(x) for x in drawn(layout, "position_ids")] == built.position_ids.tolist()
    assert [int(x) for x in drawn(layout, "block_position_ids")] == built.block_position_ids.tolist()
    assert f"context = {built.context}" in (layout.__doc__ or "")


def test_suffix_layout() -> None:
    built = suffix_layout(ids("a b c d eod"), 2, SPECIAL)
    assert drawn(suffix_layout, "tokens") == words(built.tokens)
    targets = re.search(r"targets +(.*?) +\(", suffix_layout.__doc__ or "")
    assert targets
    assert targets[1].split() == [word.strip("<>") for word in words(built.targets[built.context :])]


def test_geometry() -> None:
    positions = TwoChannel().positions(cat_on_mat())
    rows = [line.split("      ")[0].replace("|", " ").split() for line in drawing_lines(position_schemes, "TwoChannel")]
    assert [int(x) for x in rows[0][1:]] == positions[0].tolist()
    assert [int(x) for x in rows[1]] == positions[1].tolist()


def test_sequential_geometry() -> None:
    line = drawing_lines(position_schemes, "Sequential")[0]
    cells = line.split("      ")[0].replace("|", " ").split()
    assert [int(x) for x in cells[1:]] == Sequential().positions(cat_on_mat())[0].tolist()


def test_what_bare_ids_say() -> None:
    tokens = drawn(Answering, "tokens")
    gmask, sop = 100 + tokens.index("[gMASK]"), 100 + tokens.index("sop")
    positions, context = Answering(mask=1, gmask=gmask, sop=sop).read(np.arange(100, 100 + len(tokens)))
    rows = [line.split("      ")[0].replace("|", " ").split() for line in drawing_lines(Answering, "positions")]
    assert [int(x) for x in rows[0][1:]] == positions[0].tolist()
    assert [int(x) for x in rows[1]] == positions[1].tolist()
    assert f"context = {context}" in (Answering.__doc__ or "")


def test_rotary_pairs() -> None:
    """Each number of a head is moved by the numbers of its pair and by no others; a letter is one frequency."""
    one, other = torch.tensor([[7.0]]), torch.tensor([[[1.0], [2.0]]])
    rotations = {"ChatGLM2, 3": rotary.interleaved_rope(one, 4), "ChatGLM-6B": rotary.rope_2d(other, 8)}
    for name, rotation in rotations.items():
        letters = drawn(rotary, name)
        turned = rotation(torch.eye(8)[:, None, None])[:, 0, 0]  # row i: where number i goes
        for i, letter in enumerate(letters):
            pair = {j for j, same in enumerate(letters) if same == letter} if letter != "." else {i}
            assert set(turned[i].nonzero().flatten().tolist()) == pair, (name, i)
        angles = {letter: turned[i, i].item() for i, letter in enumerate(letters)}
        assert len(set(angles.values())) == len(angles)


def test_keys_behind_a_prefix() -> None:
    keys = drawn(prefix, "keys of a layer")
    width = 2
    encoder = prefix.PrefixEncoder(torch.nn.Embedding(width, 2 * 4), torch.nn.Identity(), 1, 4)
    result, _ = prefix.PrefixAlone(encoder.eval()(1)).append(0, torch.full((1, 1, 2, 4), 9.0), torch.zeros(1, 1, 2, 4))
    assert torch.equal(result[0, 0, :width], encoder.embedding.weight[:, :4]), "the prefix first, as it is learned"
    assert (result[0, 0, width:] == 9).all()
    assert " ".join(keys).startswith("prefix 0 .. P-1 token 0 token 1")


def drawing_lines(module: ModuleType | type, first: str) -> list[str]:
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
    shown = re.search(r"-> +(.*)$", chunks.__doc__ or "", re.MULTILINE)
    assert shown
    parts = [part.split() for part in shown[1].split("|")]
    table = cut(np.array([7]), np.array([0]), np.array([0]), seq_length=6)
    assert [stop - start + 1 for _, start, stop in (table.row(i) for i in range(len(table)))] == [len(p) for p in parts]


def test_lesson() -> None:
    names = drawn(labelled_sequence, "tokens")
    number = {name: id for id, name in enumerate([*names, "end"])}
    replies = [(3, [number["a"], number["b"], number["end"]]), (6, [number["c"], number["end"]])]
    built = LabelledSequence.of([number[name] for name in names], replies)
    spelled = [[*names, "end"][id] for id in built.targets]
    assert drawn(labelled_sequence, "learned") == [
        target if counts else "." for target, counts in zip(spelled, built.loss_mask, strict=True)
    ]


def plain(cells: list[str]) -> list[int]:
    return [ID[cell] for cell in cells]


def test_answer_layout() -> None:
    context = ids("[CLS] It [MASK] .")
    built = answer_layout(context, 2, ids("ran eop").tolist(), SPECIAL.sop)
    assert plain(drawn(answer_layout, "tokens")) == built.tokens.tolist()
    assert plain(drawn(answer_layout, "targets")) == built.targets.tolist()
    spans = blank_layouts([blanked(ids("[CLS] It ran ."), np.array([[2, 3]]), np.array([0]), SPECIAL, 3)], 7)[0]
    for name in (
        "tokens",
        "targets",
        "weights",
        "position_ids",
        "block_position_ids",
        "context",
    ):  # the same as in pretraining
        np.testing.assert_array_equal(getattr(built, name), getattr(spans, name), name)


def test_choices() -> None:
    first, second = (choices.__doc__ or "").split("What is written there already")
    cases = [
        (
            first,
            ScoringRequest(
                context=ids("[CLS] He [MASK] . <eod>").tolist(), blank=2, answers=answers("ran, fell down, slept")
            ),
        ),
        (
            second,
            ScoringRequest(
                context=[2, 5], blank=1, forced_prefix=ids("He fell").tolist(), answers=answers("over, down")
            ),
        ),
    ]
    for drawing, requests in cases:
        batch = choice_batch(TwoChannel(), SPECIAL, [requests])
        source = type("Drawing", (), {"__doc__": drawing})
        assert plain(drawn(source, "tokens")) == batch.tokens[0].tolist()
        assert batch.mask.segments is not None
        assert [int(cell) for cell in drawn(source, "segments", remark=False) if cell.isdigit()] == batch.mask.segments[
            0
        ].tolist()
        scored = batch.weights[0] > 0
        assert [cell for cell in re.split(r"\s+", drawing.split("targets")[1].split("\n")[0].strip()) if cell] == words(
            batch.targets[0][scored].numpy()
        )


def answers(text: str) -> list[list[int]]:
    return [[*ids(answer).tolist(), SPECIAL.eop] for answer in text.split(", ")]


@pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
def test_packed_weights() -> None:
    """Sixteen rows are one stream, four columns of each; 4-bit integers of columns j and j + 4 share byte j."""
    text = (Path(__file__).parents[2] / "docs/kernels.md").read_text("utf-8")
    cells = re.search(r"^ +(c0.*?)  +then c4 \.\. c7", text, re.MULTILINE)
    assert cells
    first, *_, last = (part.split() for part in cells[1].split("|"))
    drawing = [int(cell[1:]) for cell in first]
    assert first == last
    row, column = torch.arange(16)[:, None], torch.arange(64)[None]
    integers = QuantizedTensor((16 * column + row).to(torch.int8), torch.ones(16).half(), None)
    tile_block = pack(integers, 8).tile_blocks[0, 0]
    packed = tile_block[:-32].view(-1, 16, 4)  # [columns / 4, 16, 4], a row of it is 64 bytes
    assert packed[0].numel() == 64
    for word in range(16):
        for of in range(16):
            want = [int(integers.weight[of, 4 * word + j]) + 128 for j in drawing]
            assert packed[word, of].tolist() == want
    assert "column j of each row in the low half of byte j, column j + 4 in the high" in " ".join(text.split())
    small = ((3 * column + row) % 16 - 8).to(torch.int8)
    zeros = torch.arange(-8, 8).to(torch.int8)
    tile_block = pack(QuantizedTensor(pack_nibbles(small), (zeros / 2).half(), zeros), 4).tile_blocks[0, 0]
    assert "| integers of sixteen rows | 16 scales, float16 | 16 zeros, int8" in text
    packed, scales, after = tile_block[:-48].view(-1, 16, 4), tile_block[-48:-16], tile_block[-16:]
    assert torch.equal(scales.view(torch.float16), (zeros / 2).half())
    assert torch.equal(after.view(torch.int8), zeros)
    for word in range(8):
        for j in drawing:
            assert torch.equal(packed[word, :, j] & 15, (small[:, 8 * word + j] + 8).to(torch.uint8))
            assert torch.equal(packed[word, :, j] >> 4, (small[:, 8 * word + j + 4] + 8).to(torch.uint8))


def test_pool() -> None:
    built = [
        pooled_example(TwoChannel(), SPECIAL, ids(text), "cls") for text in ("[CLS] it rains <eod>", "[CLS] no <eod>")
    ]
    assert plain(drawn(pool, "tokens")) == [id for item in built for id in item.tokens.tolist()]
    weights = [cell for cell in drawn(pool, "weights", remark=False) if cell in "01"]
    assert [int(cell) for cell in weights] == [int(weight) for item in built for weight in item.weights]
