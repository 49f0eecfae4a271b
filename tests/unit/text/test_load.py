"""Saved tokenizers are read by their kind, and mistakes are named."""

import json
import subprocess
import sys

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text import trained
from glmkit.text.load import KINDS, load
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import SPECIAL_FILE, Tokenizer
from glmkit.text.wordpiece import WordPiece


@pytest.fixture
def saved(tmp_path):
    trained.train(["one two three, four"] * 3, vocab_size=448).save(tmp_path)
    return tmp_path


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_each_kind_is_known_by_its_own_name():
    assert all(KINDS[pieces.kind] is pieces for pieces in KINDS.values())
    assert {"trained", "wordpiece", "gpt2", "sentencepiece", "chatglm", "ice_text"} == set(KINDS)


def test_a_directory_without_a_tokenizer(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} has no {SPECIAL_FILE}.*glmkit tokenizer train"):
        load(tmp_path)


def test_a_missing_vocabulary_file_is_named_with_its_place(saved):
    (saved / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=rf"{saved} has no tokenizer\.json.*put .* there"):
        load(saved)


def test_a_vocabulary_file_that_was_cut_short(saved):
    path = saved / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile, match=str(path)):
        load(saved)


def test_a_vocabulary_that_lost_its_last_piece(tmp_path):
    """Readable as it is, but not the vocabulary that was saved."""
    (tmp_path / "vocab.txt").write_text("[UNK]\none\ntwo\n", encoding="utf-8")
    special = SpecialIds(pad=3, eod=3, cls=4, mask=5, smask=5, gmask=5, sop=6, eop=7)
    Tokenizer(WordPiece.read(tmp_path / "vocab.txt"), special, {"[MASK]": 5}).save(tmp_path)
    assert load(tmp_path).encode("one two") == [1, 2]
    (tmp_path / "vocab.txt").write_text("[UNK]\none\n", encoding="utf-8")
    with pytest.raises(CorruptFile, match=rf"{tmp_path / 'vocab.txt'} is not the file .* saved with"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": 1, "files": 3}', "\udcff"])
def test_a_damaged_table_of_special_tokens(saved, content):
    (saved / SPECIAL_FILE).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorruptFile, match=f"{saved / SPECIAL_FILE}.*copy the tokenizer again"):
        load(saved)


def test_an_unknown_kind(saved):
    rewrite(saved / SPECIAL_FILE, kind="word-piece")
    with pytest.raises(CorruptFile, match=r"'word-piece'.*did you mean 'wordpiece'"):
        load(saved)


def test_an_unknown_special_token(saved):
    table = json.loads((saved / SPECIAL_FILE).read_text(encoding="utf-8"))
    rewrite(saved / SPECIAL_FILE, special=table["special"] | {"sopp": 3})
    with pytest.raises(UserError, match=r"unknown key 'sopp'.*did you mean 'sop'"):
        load(saved)


def test_importing_the_room_imports_no_library():
    script = """
import sys
from glmkit.text import load, published, special, tokenizer, trained
print({"torch", "tokenizers", "sentencepiece"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
