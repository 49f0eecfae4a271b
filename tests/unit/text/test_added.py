"""Tokens that a user added: read from either file, encoded where marks are read, written, saved; else one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import CorruptFile
from glmkit.testing import tiny
from glmkit.text.added import added_tokens


def written(folder: Path, listed: Any = None, decoder: Any = None) -> Path:
    if listed is not None:
        (folder / "added_tokens.json").write_text(json.dumps(listed), encoding="utf-8")
    if decoder is not None:
        table = {"added_tokens_decoder": decoder}
        (folder / "tokenizer_config.json").write_text(json.dumps(table), encoding="utf-8")
    return folder


def test_tokens_are_read_from_either_file(tmp_path: Path) -> None:
    assert added_tokens(tmp_path, 10) == {}
    decoder = {"3": {"content": "[MASK]"}, "11": {"content": "<kb>"}, "12": {"content": "<q>", "special": True}}
    assert added_tokens(written(tmp_path, None, decoder), 10) == {"<kb>": 11, "<q>": 12}
    assert added_tokens(written(tmp_path, {"<kb>": 11, "<z>": 13, "<old>": 4}), 10, {"<q>"}) == {"<kb>": 11, "<z>": 13}


@pytest.mark.parametrize(
    ("listed", "decoder", "said"),
    [
        ({"<kb>": "11"}, None, r"added_tokens\.json\['<kb>'\] must be a whole number from 0"),
        ({"<kb>": None}, None, "must be a whole number"),
        ({"<kb>": -1}, None, "must be a whole number"),
        ({"<kb>": True}, None, "must be a whole number"),
        (["<kb>"], None, "where an object is needed"),
        ({"<kb>": 11, "<q>": 11}, None, "have one id"),
        ({"<kb>": 11}, {"12": {"content": "<kb>"}}, "has the ids 11 and 12"),
        (None, {"12": "<kb>"}, r"added_tokens_decoder\['12'\] must be a table"),
        (None, {"12": {"content": 3}}, "must be text, got 3"),
        (None, {"12": {"content": "\ud83d"}}, "no Unicode text"),
        (None, {"twelve": {"content": "<kb>"}}, "must be an id"),
        (None, {"9" * 50: {"content": "<kb>"}}, "must be an id"),
        (None, [], "added_tokens_decoder must be a table"),
    ],
)
def test_other_values_are_one_line(tmp_path: Path, listed: Any, decoder: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        added_tokens(written(tmp_path, listed, decoder), 10)
    assert isinstance(raised.value, CorruptFile) or "must be" in str(raised.value) or "Unicode" in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_an_added_token_is_read_written_and_kept(tmp_path: Path) -> None:
    m = tiny("chatglm3")
    tokenizer = m.tokenizer.with_tokens({"<kb>": 280})
    tokenizer.written = {"": [280, 281]}  # as ChatGLM3's spare rows are left out of a text
    again = tokenizer.with_tokens({"<kb>": 280})
    assert again.encode_marked("a<kb>b").count(280) == 1
    assert again.decode([280, 281, 280]) == "<kb><kb>"
    assert 280 not in again.encode("a<kb>b")  # a text's own words never become special tokens
    m._tokenizer = again
    m.save(tmp_path / "m")
    from glmkit import load

    kept = load(tmp_path / "m").tokenizer
    assert (kept.encode_marked("<kb>"), kept.decode([280])) == ([280], "<kb>")
