"""Tokens that a user added: read from each file, encoded where marks are read, written, saved; else one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import UserError
from glmkit.testing import tiny
from glmkit.text.added import with_added
from glmkit.text.load import load
from glmkit.text.tokenizer import Tokenizer

OWN = {"[MASK]": 900, "sop": 901}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tiny("chatglm2").tokenizer


def write(folder: Path, *, listed: Any = None, decoder: Any = None, names: Any = None) -> Path:
    if listed is not None:
        (folder / "added_tokens.json").write_text(json.dumps(listed))
    if decoder is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    if names is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": names}))
    return folder


def added(tokenizer: Tokenizer, folder: Path) -> dict[str, int]:
    result = with_added(tokenizer, folder, OWN, 1000)
    return {mark: id for mark, id in result.marks.items() if tokenizer.marks.get(mark) != id}


def test_tokens_are_read_from_each_file(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert added(tokenizer, tmp_path) == {}
    decoder = {"900": {"content": "[MASK]"}, "910": {"content": "<kb>"}, "911": {"content": "<q>", "special": True}}
    assert added(tokenizer, write(tmp_path, decoder=decoder)) == {"<kb>": 910, "<q>": 911}
    names = ["sop", "<kb>", {"content": "<q>", "lstrip": False}]
    assert added(tokenizer, write(tmp_path, listed={"<kb>": 910, "<z>": 912}, names=names)) == {
        "<kb>": 910,
        "<q>": 911,
        "<z>": 912,
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"listed": {"<kb>": "910"}}, r"added_tokens\.json\['<kb>'\] must be a whole number"),
        ({"listed": {"<kb>": None}}, "must be a whole number"),
        ({"listed": {"<kb>": -1}}, "must be a whole number"),
        ({"listed": {"<kb>": True}}, "must be a whole number"),
        ({"listed": ["<kb>"]}, "where an object is needed"),
        ({"listed": {"": 910}}, "a token of no letters"),
        ({"listed": {"<kb>": 1000}}, "the id 1000, but the model has 1000 rows"),
        ({"listed": {"<kb>": 901}}, "the id 901, which is that of 'sop'"),
        ({"listed": {"<kb>": 65}}, "the id 65, which is that of"),
        ({"listed": {"sop": 902}}, "gives 'sop' the id 902, but it is 901"),
        ({"listed": {"<kb>": 910, "<q>": 910}}, "gives '<q>' the id 910, which is that of '<kb>'"),
        ({"listed": {"<kb>": 910}, "decoder": {"911": {"content": "<kb>"}}}, "the id 911, but it is 910"),
        ({"decoder": {"910": "<kb>"}}, r"added_tokens_decoder\['910'\] must be a table"),
        ({"decoder": {"910": {"content": 3}}}, "content must be text, got 3"),
        ({"decoder": {"910": {"content": "\ud83d"}}}, "no Unicode text"),
        ({"decoder": {"twelve": {"content": "<kb>"}}}, "must be a whole number"),
        ({"decoder": {"9" * 50: {"content": "<kb>"}}}, "must be a whole number"),
        ({"decoder": []}, "added_tokens_decoder must be a table"),
        ({"names": ["<kb>"]}, "lists '<kb>' without an id; give its id in added_tokens.json"),
        ({"names": "<kb>"}, "must be a list"),
        ({"names": [7]}, "must be text, got 7"),
    ],
)
def test_what_cannot_be_is_one_line(tokenizer: Tokenizer, tmp_path: Path, files: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        added(tokenizer, write(tmp_path, **files))
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_added_token_is_read_written_and_kept(tokenizer: Tokenizer, tmp_path: Path) -> None:
    first = len(tokenizer)
    bare = Tokenizer(tokenizer.pieces, tokenizer.special, tokenizer.marks, {"": [first + 2, first + 3]}, "chatglm2")
    more = bare.with_tokens({"<kb>": first + 2})
    assert len(more) == first + 3
    for item in (more, more.with_tokens({}), saved(more, tmp_path)):
        assert item.encode_marked("a<kb>b")[1] == first + 2
        assert item.decode([first + 2, first + 3, first + 2]) == "<kb><kb>"  # the other is still left out
        assert first + 2 not in item.encode("a<kb>b")  # a text's own words never become special tokens
        assert {first, first + 1} <= set(item.special.never_generated)  # ids between that nothing spells
        assert first + 2 not in item.special.never_generated


def saved(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    tokenizer.save(folder)
    return load(folder)
