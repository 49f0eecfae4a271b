"""Streams of text: in sum what decoding gives, never half a character; decoding as the vocabularies' libraries do."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmkit.text.chatglm import OFFICIAL
from glmkit.text.stream import Detokenizer, StopStrings
from glmkit.text.tokenizer import Tokenizer
from tests.invariants.test_text import ALL, TRAINED, texts, tokenizer_named

UNREADABLE = "\N{REPLACEMENT CHARACTER}"
NAMES = [*ALL]


def streamed(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    stream = Detokenizer(tokenizer)
    return [*(stream.feed(id) for id in ids), stream.end()]


@cache
def readable_ids(name: str) -> list[int]:
    """Ids that decoding accepts; pieces of bytes and special tokens several times over, so that they are met often."""
    tokenizer = tokenizer_named(name)
    special = [*tokenizer.marks.values(), *(id for ids in tokenizer.written.values() for id in ids)]
    bytes_ = [id for id in range(tokenizer.pieces.size) if re.fullmatch("<0x..>", tokenizer.pieces.piece(id))]
    return [*range(tokenizer.pieces.size), *special * 20, *bytes_ * 200]


@cache
def text_ids(name: str) -> list[int]:
    """Those of pieces, without the first few that stand for no text."""
    return [id for id in readable_ids(name) if 4 < id < tokenizer_named(name).pieces.size]


def some(ids: list[int]) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, len(ids) - 1).map(ids.__getitem__), max_size=20)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=60)
def test_a_stream_adds_up_to_the_decoded_text(name, data):
    tokenizer = tokenizer_named(name)
    ids = data.draw(some(readable_ids(name)))
    assert "".join(streamed(tokenizer, ids)) == tokenizer.decode(ids)


@pytest.mark.parametrize("name", NAMES)
@given(text=texts)
@settings(max_examples=60)
def test_a_stream_never_shows_half_a_character(name, text):
    tokenizer = tokenizer_named(name)
    text = text.replace(UNREADABLE, "")
    *shown, rest = streamed(tokenizer, tokenizer.encode(text))
    assert UNREADABLE not in "".join(shown)
    assert rest == ""


@pytest.mark.parametrize("name", ["chatglm", "chatglm2", "codegeex2", "chinese"])
@given(data=st.data())
@settings(max_examples=100)
def test_pieces_are_decoded_as_sentencepiece_decodes_them(name, data):
    pieces = tokenizer_named(name).pieces
    ids = data.draw(some(text_ids(name)))
    wanted = pieces._backend.Decode(ids) if ids else ""
    if name == "chatglm":
        wanted = wanted.replace("<n>", "\n").replace("<|tab|>", "\t")
        wanted = re.sub(r"<\|blank_(\d+)\|>", lambda run: " " * int(run[1]), wanted)
    assert pieces.decode(ids) == wanted


@pytest.mark.parametrize("name", ["chatglm2", "codegeex2"])
@given(text=texts)
@settings(max_examples=100)
def test_the_vocabulary_of_chatglm2_loses_nothing(name, text):
    """Unless the text holds the sign that the vocabulary writes for a space."""
    tokenizer = tokenizer_named(name)
    text = text.replace("▁", "")
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", [*TRAINED, "gpt2", "bert"])
@given(data=st.data())
@settings(max_examples=60)
def test_pieces_are_decoded_as_the_tokenizers_library_decodes_them(name, data):
    from tokenizers import decoders

    pieces = tokenizer_named(name).pieces
    ids = data.draw(some(readable_ids(name)))
    ids = [id for id in ids if id < pieces.size]
    names = [pieces.piece(id) for id in ids]
    decoder = {
        "gpt2": decoders.ByteLevel(),
        "bert": decoders.WordPiece(prefix="##", cleanup=False),
    }.get(name, decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()]))
    wanted = decoder.decode(names) if names else ""
    if name in TRAINED and UNREADABLE in wanted:  # that library gives up a whole run of bytes for one that is wrong
        assert UNREADABLE in pieces.decode(ids)
    else:
        assert pieces.decode(ids) == wanted


letters = st.text("ab", max_size=4)


@given(chunks=st.lists(letters, max_size=8), stops=st.lists(letters, max_size=3))
@settings(max_examples=300)
def test_text_ends_before_the_first_stop_string_however_it_is_cut(chunks, stops):
    whole, cut = "".join(chunks), StopStrings(stops)
    shown = "".join(cut.feed(chunk) for chunk in chunks)
    complete = [(end, stop) for end in range(len(whole) + 1) for stop in stops if stop and whole[:end].endswith(stop)]
    end = min(complete)[0] if complete else len(whole)
    result = max((stop for at, stop in complete if at == end), key=len, default=None)
    assert cut.matched == result
    assert shown + cut.end() == whole[: end - len(result or "")]


def test_every_official_tokenizer_streams():
    assert set(OFFICIAL) <= set(NAMES)
