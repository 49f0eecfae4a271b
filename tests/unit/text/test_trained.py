"""Tokenizers made from the user's own text."""

import random

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text import trained
from glmkit.text.trained import BYTES, MARKS, TrainedPieces

TEXTS = ["the river runs under the old bridge", "the old teacher reads", "春眠不觉晓，处处闻啼鸟。"] * 20


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(request):
    return trained.train(TEXTS, vocab_size=400, model=request.param, spare=4)


def test_ids_are_special_then_spare_then_bytes_then_pieces(tokenizer):
    assert [tokenizer.piece(id) for id in range(8)] == list(MARKS)
    assert tokenizer.special.spare == (8, 9, 10, 11)
    assert [tokenizer.piece(id) for id in range(12, 268)] == BYTES
    assert 268 < len(tokenizer) <= 400
    assert tokenizer.decode(tokenizer.encode("the old")) == "the old"
    assert len(tokenizer.encode("the old")) < len("the old")


def test_what_was_never_seen_is_written_in_bytes(tokenizer):
    assert tokenizer.encode("é") == [12 + byte for byte in "é".encode()]
    assert tokenizer.decode(tokenizer.encode("🙂")) == "🙂"


def test_only_the_space_a_piece_carries_goes_before_a_mask(tokenizer):
    assert tokenizer.encode_marked("old  [MASK] the") == [*tokenizer.encode("old "), 3, *tokenizer.encode(" the")]
    assert tokenizer.encode_marked("old\n[MASK]") == [*tokenizer.encode("old\n"), 3]


def test_too_small_a_vocabulary():
    with pytest.raises(UserError, match="vocab_size 300 is too small: 384 ids are special tokens and bytes; use 448"):
        trained.train(TEXTS, vocab_size=300)


@pytest.mark.parametrize("texts", [[], ["", " \n"]])
def test_no_text(texts):
    with pytest.raises(UserError, match="no text"):
        trained.train(texts, vocab_size=448)


def test_a_file_that_is_no_tokenizer(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CorruptFile, match=rf"{tmp_path / 'tokenizer.json'} is not a tokenizer file"):
        TrainedPieces.read(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("model", ["bpe", "unigram"])
def test_of_a_word_of_any_length_parts_are_learnt_from(model):
    """One word without an end, of letters, signs or white space, would take minutes a megabyte."""
    letters = random.Random(0).choices("abcdefgh", k=256 * 40)
    for word in ("".join(letters), "".join(letters).translate(dict(zip(b"abcdefgh", "+-*/=<>%", strict=True)))):
        parts = [word[start : start + 256] for start in range(0, len(word), 256)]
        whole, cut = (trained.train(texts, vocab_size=600, model=model, spare=4) for texts in ([word], parts))
        assert [whole.piece(id) for id in range(len(whole))] == [cut.piece(id) for id in range(len(cut))]
        assert whole.encode(word) == cut.encode(word)
        assert whole.decode(whole.encode(word)) == word
