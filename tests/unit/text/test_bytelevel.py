"""Byte-level BPE on the 256 bytes and a handful of merges."""

import json

import pytest

from glmkit.core.errors import CorruptFile
from glmkit.text.bytelevel import ByteLevel

PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes written as the character of that number
BYTES = [chr(byte) for byte in PRINTABLE] + [chr(256 + i) for i in range(256 - len(PRINTABLE))]
MERGES = ["Ġ t", "Ġt h", "Ġth e", "i n", "in g", "' t"]
VOCAB = [*BYTES, *(merge.replace(" ", "") for merge in MERGES), "<|endoftext|>"]


@pytest.fixture
def files(tmp_path):
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocab.write_text(json.dumps({piece: id for id, piece in enumerate(VOCAB)}), encoding="utf-8")
    merges.write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    return vocab, merges


@pytest.fixture
def pieces(files):
    return ByteLevel.read(*files)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sing the", ["s", "ing", "Ġthe"]),
        ("the  the", ["t", "h", "e", "Ġ", "Ġthe"]),
        ("in'the", ["in", "'t", "h", "e"]),
        ("é\n", ["Ã", "©", "Ċ"]),
        ("<|endoftext|>", list("<|endoftext|>")),
    ],
)
def test_text_to_pieces(pieces, text, wanted):
    assert [pieces.piece(id) for id in pieces.encode(text)] == wanted
    assert pieces.decode(pieces.encode(text)) == text


def test_bytes_that_are_no_text_become_replacement_characters(pieces):
    assert pieces.decode(pieces.encode("aé")[:-1]) == "a\ufffd"


def test_white_space_alone_is_no_text_but_beside_text_it_is(pieces):
    assert [pieces.whole(text) for text in ("", " ", "\n\t", " a ")] == ["", "", "", " a "]
    assert pieces.encode(" ") == [VOCAB.index("Ġ")]


def test_everything_on_the_left_of_a_mask_is_stripped(pieces):
    assert pieces.before_mask(" a \n\u3000") == " a"


def test_saved_and_read_is_the_same(pieces, tmp_path):
    (tmp_path / "saved").mkdir()
    pieces.save(tmp_path / "saved")
    read = ByteLevel.read(*(tmp_path / "saved" / name for name in ByteLevel.files))
    assert read.size == pieces.size == len(VOCAB)
    assert read.encode("singing the é") == pieces.encode("singing the é")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("vocab.json", ""),
        ("vocab.json", '{"a": 0'),
        ("vocab.json", "[]"),
        ("merges.txt", "#version: 0.2\nĠ\n"),
        ("merges.txt", "#version: 0.2\na zz\n"),
        ("vocab.json", json.dumps({piece: 2 * id for id, piece in enumerate(VOCAB)})),
    ],
)
def test_what_is_no_vocabulary(files, file, content):
    path = next(path for path in files if path.name == file)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorruptFile, match=f"{path}.*copy"):
        ByteLevel.read(*files)


def test_merges_that_are_too_few(files):
    vocab, merges = files
    many = [*VOCAB, *(f"word{i}" for i in range(100))]
    vocab.write_text(json.dumps({piece: id for id, piece in enumerate(many)}), encoding="utf-8")
    with pytest.raises(CorruptFile, match=f"{merges} is cut short: 6 merges"):
        ByteLevel.read(*files)
