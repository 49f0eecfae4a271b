"""SentencePiece on a model trained on the spot."""

import io

import pytest

from glmkit.core.errors import CorruptFile
from glmkit.text.sentencepiece import SentencePiece

TEXT = ["the river runs under the old bridge", "春眠不觉晓，处处闻啼鸟。", "[MASK] is not text"] * 20


@pytest.fixture(scope="module")
def model() -> bytes:
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=written,
        vocab_size=90,
        model_type="bpe",
        normalization_rule_name="nmt_nfkc",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return written.getvalue()


@pytest.fixture(scope="module")
def pieces(model):
    return SentencePiece(model)


def test_text_and_back(pieces):
    ids = pieces.encode("the old river，处处")
    assert all(0 <= id < pieces.size for id in ids)
    assert pieces.decode(ids) == "the old river,处处"  # full-width signs are folded
    assert "".join(pieces.piece(id) for id in ids) == "▁the▁old▁river,处处"
    assert pieces.encode_batch(["the", "", "old"]) == [pieces.encode("the"), [], pieces.encode("old")]


def test_control_pieces_are_never_read_from_text(pieces):
    assert not {1, 2} & set(pieces.encode("<s>the</s>"))


def test_characters_it_lacks_are_unknown(pieces):
    assert pieces.encode("🙂")[-1] == 0
    assert pieces.decode([0]) == " ⁇ "


def test_a_saved_model_is_the_same_file(pieces, model, tmp_path):
    pieces.save(tmp_path)
    assert (tmp_path / "tokenizer.model").read_bytes() == model
    assert SentencePiece.read(tmp_path / "tokenizer.model").encode("the river") == pieces.encode("the river")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_model_that_was_cut_short(model, share, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(model[: int(share * len(model))] + b"\xff" * bool(share))
    with pytest.raises(CorruptFile, match=f"{path} is not a SentencePiece model"):
        SentencePiece.read(path)
