"""WordPiece on a vocabulary small enough to read."""

import pytest

from glmkit.core.errors import CorruptFile
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.wordpiece import WordPiece, words

VOCAB = ["[UNK]", "the", "play", "##ing", "##s", "cafe", "中", "文", "!", "#", "###", "[", "]", "mask"]


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pieces(vocab):
    return WordPiece.read(vocab)


def spelled(pieces, text):
    return [pieces.piece(id) for id in pieces.encode(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The PLAYINGS!", ["the", "play", "##ing", "##s", "!"]),
        ("café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
        ("中文!the", ["中", "文", "!", "the"]),
        ("play\u200bing\n\tthe\xa0", ["play", "##ing", "the"]),
        ("player 🙂 the", ["[UNK]", "[UNK]", "the"]),
        ("[MASK]", ["[", "mask", "]"]),
        (" \n ", []),
    ],
)
def test_text_to_pieces(pieces, text, wanted):
    assert spelled(pieces, text) == wanted


def test_words_stand_apart():
    assert words("Don't 中x").split() == ["don", "'", "t", "中", "x"]
    assert words("x\ufa0ex").split() == ["x", "\ufa0e", "x"]  # an ideograph of the compatibility block


def test_pieces_are_joined_by_spaces(pieces):
    assert pieces.decode(pieces.encode("the playings!")) == "the playings !"
    assert pieces.decode([2, 9, 10]) == "play ##"  # "#" and its continuation
    assert pieces.decode([3, 1]) == "##ing the"


def test_special_tokens_are_words_too(pieces):
    special = SpecialIds(pad=0, eod=0, cls=20, mask=21, smask=21, gmask=21, sop=23, eop=24)
    tokenizer = Tokenizer(pieces, special, {"[CLS]": 20, "[MASK]": 21, "[SEP]": 22})
    assert tokenizer.decode([20, 1, 2, 21, 3, 22]) == "[CLS] the play [MASK]ing [SEP]"
    assert tokenizer.decode([3]) == "##ing"
    assert tokenizer.decode([]) == ""


def test_a_saved_vocabulary_is_the_same_file(pieces, vocab, tmp_path):
    (tmp_path / "saved").mkdir()
    pieces.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "vocab.txt").read_text(encoding="utf-8").split() == VOCAB


@pytest.mark.parametrize("content", [b"", b"the\nplay\n", b"[UNK]\n\xff\n"])
def test_what_is_no_vocabulary(vocab, content):
    vocab.write_bytes(content)
    with pytest.raises(CorruptFile, match=rf"{vocab} is not .*copy it again"):
        WordPiece.read(vocab)


def test_a_piece_that_stands_twice(vocab):
    vocab.write_bytes(b"[UNK]\nthe\nthe\n")
    with pytest.raises(CorruptFile, match=rf"{vocab}:3 repeats a piece"):
        WordPiece.read(vocab)


def test_line_ends_of_other_systems(vocab):
    vocab.write_bytes("\r\n".join(VOCAB).encode())
    assert spelled(WordPiece.read(vocab), "the plays") == ["the", "play", "##s"]
