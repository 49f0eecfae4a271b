"""Tokenizers of the ChatGLM family against the original's, with the published vocabularies."""

from pathlib import Path
from typing import Any

import pytest

from glmkit.text.chatglm import OFFICIAL, which
from glmkit.text.load import load
from glmkit.text.stream import Detokenizer
from glmkit.text.tokenizer import Tokenizer
from tests.parity.chatglm import SOURCES, golden_of, publish, tokenizer_of


@pytest.fixture(scope="module", params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def golden(name: str) -> dict[str, Any]:
    return golden_of(name)


@pytest.fixture(scope="module")
def directory(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    publish(name, tmp_path_factory.getbasetemp() / name)
    return tmp_path_factory.getbasetemp() / name


@pytest.fixture(scope="module")
def tokenizer(name: str) -> Tokenizer:
    return tokenizer_of(name)


def test_the_published_files_are_recognized(name, directory):
    assert which(directory).model == name


def test_sizes_and_special_ids(golden, tokenizer):
    facts = golden["facts"]
    assert len(tokenizer) == facts["len"]
    assert tokenizer.special.pad == facts["pad_token_id"]
    assert tokenizer.special.eod == facts["eos_token_id"]
    for mark, id in facts["special_ids"].items():
        assert tokenizer.marks.get(mark, id) == id
        if id < tokenizer.pieces.size:
            assert tokenizer.pieces.piece(id) == mark


def test_ids_of_text(golden, tokenizer):
    """Text that looks like a special token stays text, as in the original's encoder alone."""
    for case in golden["strings"]:
        assert tokenizer.encode(case["text"]) == case.get("ids_no_special_parsing", case["ids"]), case["text"]
    texts = [case["text"] for case in golden["strings"]]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


def test_decoded(golden, tokenizer):
    for case in golden["strings"]:
        for ids, text in (("ids", "decoded"), ("ids_special", "decoded_special")):
            wanted = case.get("decoded_no_cleanup", case[text])  # the same without and with special tokens
            assert tokenizer.decode(case[ids]) == wanted, case["text"]
    for case in golden["decode"]:
        if "text" in case:
            assert tokenizer.decode(case["ids"]) == case["text"], case["ids"]
        else:
            with pytest.raises(ValueError, match="outside the vocabulary"):
                tokenizer.decode(case["ids"])


def test_streamed(golden, tokenizer, name):
    for case in golden["stream"]:
        stream, text = Detokenizer(tokenizer), ""
        for id, visible, decoded in zip(case["ids"], case["visible"], case["decoded_prefixes"], strict=True):
            text += stream.feed(id)
            if case["prefix_monotone"]:
                assert text == (decoded.rstrip("\N{REPLACEMENT CHARACTER}") if visible is None else visible)
        assert text + stream.end() == tokenizer.decode(case["ids"])


def test_saved_and_loaded_is_the_same(golden, tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert (loaded.special, loaded.marks, loaded.chat, len(loaded)) == (
        tokenizer.special,
        tokenizer.marks,
        tokenizer.chat,
        len(tokenizer),
    )
    for case in golden["strings"][::7]:
        assert loaded.encode(case["text"]) == tokenizer.encode(case["text"])
    for case in golden["decode"]:
        if "text" in case:
            assert loaded.decode(case["ids"]) == case["text"]


def test_every_official_tokenizer_is_tested():
    assert set(SOURCES) == set(OFFICIAL)
