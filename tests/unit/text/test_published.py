"""The table of published tokenizers, and what is said about the user's files."""

import shutil

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.testing import shared_path
from glmkit.text.load import load
from glmkit.text.published import PUBLISHED, VARIANTS, published


@pytest.fixture(scope="module")
def vocabularies():
    path = shared_path("data", "tokenizers")
    if path is None:
        pytest.skip("shared data/tokenizers is not here")
    return path


@pytest.mark.parametrize("name", PUBLISHED)
def test_special_ids_and_pieces_do_not_overlap_by_accident(name):
    """Ids inside the vocabulary are pieces that text never gives; the others follow it without a gap but the spare."""
    row = PUBLISHED[name]
    beyond = {id for id in (*row.ids.values(), *row.spare) if id >= row.size}
    assert beyond == set(range(row.size, row.size + len(beyond)))
    assert not set(row.ids.values()) & {*row.spare, *row.other}
    assert row.spellings.keys() >= row.ids.keys() >= {token for tokens in VARIANTS.values() for token in tokens}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_directory_without_the_files_is_told_whose_belong_there(name, tmp_path):
    with pytest.raises(UserError, match=f"the vocabulary of {name} "):
        published(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        ("bert", {"vocab.txt": "bert/bert-base-uncased-vocab.txt"}),
        ("bert", {"bert-large-uncased-vocab.txt": "bert/bert-base-uncased-vocab.txt"}),
        ("gpt2", {"vocab.json": "gpt2/gpt2-vocab.json", "merges.txt": "gpt2/gpt2-merges.txt"}),
        ("roberta", {"vocab.json": "gpt2/roberta-vocab.json", "merges.txt": "gpt2/roberta-merges.txt"}),
        ("roberta", {"roberta-vocab.json": "gpt2/roberta-vocab.json", "gpt2-merges.txt": "gpt2/gpt2-merges.txt"}),
        ("chinese", {"cog-pretrain.model": "glm-chinese/cog-pretrain.model"}),
        ("chinese-unfixed", {"tokenizer.model": "glm-chinese/cog-pretrain.model"}),
    ],
)
def test_vocabulary_files_are_found_by_any_published_name(name, sources, vocabularies, tmp_path):
    for file, source in sources.items():
        shutil.copy(vocabularies / source, tmp_path / file)
    tokenizer = published(name, tmp_path)
    assert tokenizer.pieces.size == PUBLISHED[name].size
    tokenizer.save(tmp_path / "saved")
    assert load(tmp_path / "saved").fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize("name", ["bert", "chinese", "chinese-unfixed"])
def test_ids_that_the_vocabulary_keeps_free_are_never_generated(name, vocabularies):
    tokenizer = published(name, vocabularies / ("bert" if name == "bert" else "glm-chinese"))
    assert set(tokenizer.special.spare) <= set(tokenizer.special.never_generated)
    if name == "bert":
        assert {tokenizer.piece(id).startswith("[unused") for id in tokenizer.special.spare} == {True}


def test_the_unnamed_id_of_glm_chinese_stands_for_nothing(vocabularies):
    with pytest.raises(ValueError, match="token id 50005"):
        published("chinese", vocabularies / "glm-chinese").decode([50005])


def test_unknown_names_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"'chines'.*did you mean 'chinese'"):
        published("chines", tmp_path)
    with pytest.raises(UserError, match=r"'taskmask'.*did you mean 'task_mask'"):
        published("bert", tmp_path, "taskmask")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=rf"{tmp_path} has no vocab\.txt: .* as vocab\.txt; bert-large-uncased-vocab"):
        published("bert", tmp_path)
    (tmp_path / "gpt2-vocab.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{tmp_path} has no gpt2-merges\.txt: "):
        published("gpt2", tmp_path)


def test_another_vocabulary_is_refused(vocabularies, tmp_path):
    shutil.copy(vocabularies / "bert" / "bert-base-chinese-vocab.txt", tmp_path / "vocab.txt")
    with pytest.raises(UserError, match=r"vocab\.txt has 21128 pieces, the vocabulary of bert has 30522"):
        published("bert", tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(
    ("name", "file", "source"),
    [
        ("gpt2", "vocab.json", "gpt2/gpt2-vocab.json"),
        ("gpt2", "merges.txt", "gpt2/gpt2-merges.txt"),
        ("chinese", "cog-pretrain.model", "glm-chinese/cog-pretrain.model"),
    ],
)
def test_a_file_that_was_cut_short_is_named(name, file, source, share, vocabularies, tmp_path):
    if name == "gpt2":
        shutil.copy(vocabularies / "gpt2" / "gpt2-vocab.json", tmp_path / "vocab.json")
        shutil.copy(vocabularies / "gpt2" / "gpt2-merges.txt", tmp_path / "merges.txt")
    whole = (vocabularies / source).read_bytes()
    (tmp_path / file).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CorruptFile, match=str(tmp_path / file)):
        published(name, tmp_path)


def test_merges_cut_at_the_end_of_a_line_are_noticed(vocabularies, tmp_path):
    shutil.copy(vocabularies / "gpt2" / "gpt2-vocab.json", tmp_path / "vocab.json")
    lines = (vocabularies / "gpt2" / "gpt2-merges.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "merges.txt").write_text("".join(lines[:40001]), encoding="utf-8")
    with pytest.raises(CorruptFile, match=r"merges\.txt is cut short: 40000 merges for the 50257 pieces"):
        published("gpt2", tmp_path)
