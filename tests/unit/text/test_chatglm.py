"""Files of the ChatGLM family that are missing, damaged, another vocabulary's, or do not say what they are."""

import io
import json
import re
from pathlib import Path

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text.chatglm import OFFICIAL, official, which
from glmkit.text.sentencepiece import SentencePiece

NAMES = {name: row.pieces.files[0] for name, row in OFFICIAL.items()}


def small_model(dummy_prefix: bool = True) -> bytes:
    """A SentencePiece vocabulary of a few pieces."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(["a river a bridge", "a book on a river"] * 20),
        model_writer=model,
        vocab_size=24,
        model_type="bpe",
        add_dummy_prefix=dummy_prefix,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def spaced() -> bytes:
    return small_model()


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_missing_vocabulary(name, tmp_path):
    with pytest.raises(UserError, match=rf"{tmp_path} has no {NAMES[name]}: copy it there from the published {name}"):
        official(name, tmp_path)


@pytest.mark.parametrize("name", OFFICIAL)
def test_another_vocabulary(name, tmp_path, spaced):
    (tmp_path / NAMES[name]).write_bytes(spaced)
    with pytest.raises(UserError, match=rf"{NAMES[name]} is not the vocabulary of {name} \(24 pieces, \d+ expected"):
        official(name, tmp_path)


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a SentencePiece model"),
        (b"{}", "not a SentencePiece model"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 1\n", "Git LFS pointer.*git lfs pull"),
    ],
)
def test_a_damaged_vocabulary(name, content, complaint, tmp_path):
    (tmp_path / NAMES[name]).write_bytes(content)
    with pytest.raises(CorruptFile, match=f"{NAMES[name]} is .*{complaint}"):
        official(name, tmp_path)


def test_an_unknown_name(tmp_path):
    with pytest.raises(UserError, match="did you mean 'chatglm2'"):
        official("chatgml2", tmp_path)


def write(folder: Path, model: bytes, **tables: object) -> Path:
    (folder / "tokenizer.model").write_bytes(model)
    for name, table in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(table), encoding="utf-8")
    return folder


def test_the_vocabulary_that_begins_no_text_with_a_space_is_codegeex2s(tmp_path):
    assert which(write(tmp_path, small_model(dummy_prefix=False))).model == "codegeex2"


def test_what_cannot_be_recognized(tmp_path, spaced):
    write(tmp_path, spaced)
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer_config\.json is damaged"):
        which(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    decision = which(tmp_path)
    assert decision.model is None
    assert re.search(
        r"cannot be known .*nothing beside it.*model=\"chatglm3-6b\".*--published chatglm3", decision.question
    )


def test_what_the_user_says_and_what_glmkit_wrote_go_before_all_else(tmp_path, spaced):
    folder = write(tmp_path, spaced, config={"_name_or_path": "THUDM/chatglm2-6b"})
    assert which(folder).model == "chatglm2"
    record = {"kind": "chatglm", "files": {}, "special": {}, "marks": {"[MASK]": 5}, "chat": "chatglm3"}
    (folder / "special_tokens.json").write_text(json.dumps(record))
    assert [which(folder).model, which(folder).signs[0].where] == ["chatglm3", "special_tokens.json: chat"]
    assert which(folder, model="THUDM/chatglm2-6b-32k").model == "chatglm2"
    with pytest.raises(UserError, match="no model of the ChatGLM family is called 'chatglm4'"):
        which(folder, model="chatglm4")


def test_the_layout_decides_where_both_vocabularies_lie(tmp_path, spaced):
    """Only a directory without a tokenizer.model is a ChatGLM-6B's."""
    (tmp_path / "ice_text.model").write_bytes(spaced)
    assert which(tmp_path).model == "chatglm"
    assert which(write(tmp_path, spaced, config={"_name_or_path": "chatglm2-6b"})).model == "chatglm2"


def test_each_has_a_function_of_its_own(tmp_path):
    for name in OFFICIAL:
        with pytest.raises(UserError, match=f"published {name} model"):
            official(name, tmp_path)


def test_space_at_the_beginning_as_the_library_has_it(spaced, tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(spaced)
    pieces = SentencePiece.read(tmp_path / "tokenizer.model")
    for text in ("a river", " a river", "   ", "", "bridge  a"):
        assert pieces.decode(pieces.encode(text)) == pieces._backend.Decode(pieces.encode(text)) == text
