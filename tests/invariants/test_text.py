"""What holds for every tokenizer and any text."""

import itertools
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.testing import shared_path
from glmkit.text import trained
from glmkit.text.chatglm import OFFICIAL
from glmkit.text.load import load
from glmkit.text.published import PUBLISHED, published
from glmkit.text.tokenizer import Tokenizer
from tests.parity.chatglm import tokenizer_of

TRAINED = ("bpe", "unigram")
ALL = (*TRAINED, *PUBLISHED, *OFFICIAL)
FOLDERS = {
    "bert": "bert",
    "roberta": "gpt2",
    "gpt2": "gpt2",
    "chinese": "glm-chinese",
    "chinese-unfixed": "glm-chinese",
}
WRITTEN_FOR_UNKNOWN = {"bert": {100}, "chinese": {0}, "chinese-unfixed": {0}}  # [UNK], <unk>: all that text may give

ENGLISH = "the a of river teacher small book reads walks under old bridge and Paris never, 1984 can't slowly. why?"
CHINESE = "春夏秋冬山水花月人在上下大小来去天地风雨，。、《》？！的了不是我你他"


def lines(count: int) -> Iterator[str]:
    rng = random.Random(0)
    for i in range(count):
        yield " ".join(rng.choices(ENGLISH.split(), k=12)) if i % 2 else "".join(rng.choices(CHINESE, k=20))


@cache
def tokenizer_named(name: str) -> Tokenizer:
    if name in TRAINED:
        return trained.train(lines(400), vocab_size=480, model=name)
    if name in OFFICIAL:
        return tokenizer_of(name)
    directory = shared_path("data", "tokenizers", FOLDERS[name])
    if directory is None:
        pytest.skip(f"shared data/tokenizers/{FOLDERS[name]} is not here")
    return published(name, directory)


@pytest.fixture(scope="session", params=ALL)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return tokenizer_named(request.param)


MARKS = sorted({mark for row in PUBLISHED.values() for mark in row.spellings.values()} | set(trained.MARKS))
LOOKALIKES = [
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<mask>",
    "<n>",
    "##",
    "▁",
    "Ġ",
    "[unused5]",
    "<0x41>",
    "<spare_0>",
    "[MA",
    "<|user|>",
    "<|tab|>",
    "<|blank_2|>",
    "sop",
]
SPACES = [" ", "  ", "\n", "\t", "\u3000"]
fragments = st.one_of(st.text(max_size=6), st.sampled_from(MARKS), st.sampled_from(LOOKALIKES), st.sampled_from(SPACES))
texts = st.lists(fragments, max_size=8).map("".join)


@pytest.mark.parametrize("name", ALL)
@given(text=texts)
@settings(max_examples=60, deadline=None)
def test_text_never_becomes_a_special_token(name, text):
    tokenizer = tokenizer_named(name)
    special = {*tokenizer.marks.values(), *tokenizer.special.never_generated, *tokenizer.special.ends}
    assert not set(tokenizer.encode(text)) & (special - WRITTEN_FOR_UNKNOWN.get(name, set()))


@pytest.mark.parametrize("name", TRAINED)
@given(text=texts)
@settings(max_examples=200, deadline=None)
def test_trained_tokenizers_lose_nothing(name, text):
    tokenizer = tokenizer_named(name)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", ["gpt2", "roberta"])
@given(text=texts)
@settings(max_examples=60, deadline=None)
def test_byte_level_tokenizers_lose_nothing_but_text_that_is_all_white_space(name, text):
    tokenizer = tokenizer_named(name)
    assert tokenizer.decode(tokenizer.encode(text)) == ("" if text.isspace() else text)


@pytest.mark.parametrize("name", ALL)
@given(text=texts)
@settings(max_examples=40, deadline=None)
def test_text_without_marks_is_the_same_marked_or_not(name, text):
    tokenizer = tokenizer_named(name)
    for mark in tokenizer.marks:
        text = text.replace(mark, "")
    if not any(mark in text for mark in tokenizer.marks):
        assert tokenizer.encode_marked(text) == tokenizer.encode(text)


@pytest.mark.parametrize("name", ALL)
@given(text=texts)
@settings(max_examples=40, deadline=None)
def test_each_mark_becomes_its_id_in_order(name, text):
    tokenizer = tokenizer_named(name)
    unknown = WRITTEN_FOR_UNKNOWN.get(name, set())
    special = set(tokenizer.marks.values()) - unknown
    results = [id for id in tokenizer.encode_marked(text) if id in special]
    written = sorted((at, mark) for mark in tokenizer.marks for at in occurrences(text, mark))
    assert results == [tokenizer.marks[mark] for _, mark in written if tokenizer.marks[mark] not in unknown]


def occurrences(text: str, mark: str) -> Iterator[int]:
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)


@pytest.mark.parametrize("name", ALL)
@given(batch=st.lists(texts, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_batch_is_its_texts_one_by_one(name, batch):
    tokenizer = tokenizer_named(name)
    assert tokenizer.encode_batch(batch) == [tokenizer.encode(text) for text in batch]


def test_saved_and_loaded_is_the_same(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path / "first")
    loaded = load(tmp_path / "first")
    loaded.save(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()
    assert loaded.fingerprint == tokenizer.fingerprint
    assert (loaded.special, loaded.marks, len(loaded)) == (tokenizer.special, tokenizer.marks, len(tokenizer))
    for text in itertools.chain(lines(20), MARKS, LOOKALIKES, ["", " ", "naïve 日本 🙂\n\n x"]):
        assert loaded.encode_marked(text) == tokenizer.encode_marked(text)
        assert loaded.decode(loaded.encode(text)) == tokenizer.decode(tokenizer.encode(text))
