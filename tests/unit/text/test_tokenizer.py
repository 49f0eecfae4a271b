"""Special tokens around a vocabulary: one character a piece, so that every id can be read off."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import SPECIAL_FILE, Pieces, Tokenizer, fingerprint, read_table

SPECIAL = SpecialIds(pad=100, eod=100, cls=101, mask=102, smask=102, gmask=103, sop=104, eop=103, spare=(106,))
MARKS = {"<end>": 100, "[CLS]": 101, "[MASK]": 102, "<eop>": 103, "[gMASK]": 103, "<sop>": 104}


class Characters(Pieces):
    """Printable ASCII: a piece is a character, its id the index in string.printable."""

    kind = "characters"
    files = ("characters.txt",)

    def __init__(self, characters: str = string.printable) -> None:
        self.characters = characters
        self.size = len(characters)

    @classmethod
    def read(cls, *files: Path) -> Self:
        return cls(files[0].read_text(encoding="utf-8"))

    def save(self, directory: Path) -> None:
        (directory / self.files[0]).write_text(self.characters, encoding="utf-8")

    def encode(self, text: str) -> list[int]:
        return [self.characters.index(character) for character in text]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def write(self, id: int, begun: bool) -> tuple[bytes, bool]:
        return self.characters[id].encode(), True

    def piece(self, id: int) -> str:
        return self.characters[id]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(Characters(), SPECIAL, MARKS)


def text_ids(text: str) -> list[int]:
    return Characters().encode(text)


def test_text_stays_text(tokenizer):
    assert tokenizer.encode("a [MASK]") == text_ids("a [MASK]")
    assert tokenizer.encode_batch(["<sop>", ""]) == [text_ids("<sop>"), []]


def test_marks_become_their_ids(tokenizer):
    assert tokenizer.encode_marked("[CLS]a<sop>[MASK") == [101, *text_ids("a"), 104, *text_ids("[MASK")]


def test_white_space_goes_on_the_left_of_masks_only(tokenizer):
    assert tokenizer.encode_marked("a \n\t[MASK] b [gMASK]") == [*text_ids("a"), 102, *text_ids(" b"), 103]
    assert tokenizer.encode_marked("a <eop>") == [*text_ids("a "), 103]  # the same id as [gMASK], but not a mask
    assert tokenizer.encode_marked("  [MASK]  [MASK]") == [102, 102]


def test_decoding_writes_special_tokens_out(tokenizer):
    assert tokenizer.decode([101, *text_ids("a b"), 102, 102, *text_ids("c")]) == "[CLS]a b[MASK][MASK]c"
    assert tokenizer.decode(np.array([10, 102])) == tokenizer.decode(torch.tensor([10, 102])) == "a[MASK]"
    assert tokenizer.decode([]) == ""


def test_of_two_spellings_of_an_id_the_last_is_written(tokenizer):
    assert tokenizer.decode([103]) == tokenizer.piece(103) == "[gMASK]"


def test_ids_that_are_written_otherwise(tokenizer, tmp_path):
    other = Tokenizer(Characters(), SPECIAL, MARKS, {"": [10, 101], "<E>": [103], "?": [105]}, chat="some")
    assert other.decode([101, *text_ids("abc"), 103, 105, 104]) == "bc<E>?<sop>"
    assert other.piece(103) == "[gMASK]"
    assert other.fingerprint != tokenizer.fingerprint
    other.save(tmp_path)
    table = read_table(tmp_path)
    assert table["written"] == {"": [10, 101], "<E>": [103], "?": [105]}
    assert table["chat"] == "some"
    tokenizer.save(tmp_path)
    assert (read_table(tmp_path)["written"], read_table(tmp_path)["chat"]) == ({}, None)


@pytest.mark.parametrize("id", [-1, 105, 106, 107, 1 << 40])
def test_ids_that_stand_for_nothing_are_refused(tokenizer, id):
    for read in (lambda: tokenizer.decode([10, id]), lambda: tokenizer.piece(id)):
        with pytest.raises(ValueError, match=f"token id {id} is outside the vocabulary of 107"):
            read()


def test_the_vocabulary_reaches_to_the_last_special_id(tokenizer):
    assert len(tokenizer) == 107  # spare 106, which has no spelling
    assert len(tokenizer.sentence_ends) == 107


def test_sentences_end_at_signs_and_line_breaks(tokenizer):
    ends = {i for i, end in enumerate(tokenizer.sentence_ends) if end}
    assert ends == {string.printable.index(sign) for sign in ".?!;:\n"}


def test_a_special_token_ends_no_sentence_whatever_its_piece():
    dot = string.printable.index(".")
    assert not Tokenizer(Characters(), SPECIAL, MARKS | {"<dot>": dot}).sentence_ends[dot]


def test_equal_tokenizers_have_equal_fingerprints(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    assert fingerprint(tmp_path) == tokenizer.fingerprint == Tokenizer(Characters(), SPECIAL, MARKS).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        Tokenizer(Characters(string.printable[::-1]), SPECIAL, MARKS),
        Tokenizer(Characters(), SPECIAL, MARKS | {"[sMASK]": 105}),
        Tokenizer(Characters(), SpecialIds(pad=0, eod=0, cls=1, mask=2, smask=2, gmask=2, sop=3, eop=4), MARKS),
    ],
    ids=["pieces", "marks", "special"],
)
def test_unequal_tokenizers_have_unequal_fingerprints(tokenizer, other):
    assert other.fingerprint != tokenizer.fingerprint


def test_the_fingerprint_covers_the_vocabulary_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    (tmp_path / "characters.txt").write_text("abc", encoding="utf-8")
    assert fingerprint(tmp_path) != tokenizer.fingerprint


def test_the_fingerprint_of_an_incomplete_directory_names_the_file(tokenizer, tmp_path):
    with pytest.raises(UserError, match=f"no {SPECIAL_FILE}"):
        fingerprint(tmp_path)
    tokenizer.save(tmp_path)
    (tmp_path / "characters.txt").unlink()
    with pytest.raises(UserError, match=r"no characters\.txt"):
        fingerprint(tmp_path)
    (tmp_path / SPECIAL_FILE).write_text('{"kind": "characters"', encoding="utf-8")
    with pytest.raises(CorruptFile, match=SPECIAL_FILE):
        fingerprint(tmp_path)
