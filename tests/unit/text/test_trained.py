"""Tokenizers made from the user's own text."""

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
