"""Tokenizers of `glmkit tokenizer train` as others read them: the same ids."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.llama_spm import encode

from glmkit.core.errors import UserError
from glmkit.text.chat import chat_format
from glmkit.text.export import gguf_vocabulary, serving_files, tokenizer_json
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import train

ROWS = 512


@pytest.fixture(scope="module")
def talking(tokenizer: Tokenizer) -> Tokenizer:
    return tokenizer.with_chat("chatglm2")


def test_the_chat_format_is_no_part_of_the_ids(tokenizer: Tokenizer, talking: Tokenizer) -> None:
    assert talking.encode("ba de 北京") == tokenizer.encode("ba de 北京")
    assert talking.with_chat(None).fingerprint == tokenizer.fingerprint


@given(text=st.text(max_size=40))
def test_tokenizer_json_gives_the_same_ids_behind_the_opening(talking: Tokenizer, text: str) -> None:
    from tokenizers import Tokenizer as Backend

    backend = Backend.from_str(tokenizer_json(talking))
    backend.encode_special_tokens = True  # special tokens that are written out are text to us
    special = talking.special
    assert backend.encode(text).ids == [special.gmask, special.sop, *talking.encode(text)]
    assert backend.encode("[gMASK]<sop>", add_special_tokens=False).ids != [special.gmask, special.sop]
    backend.encode_special_tokens = False
    assert backend.encode("[gMASK]<sop>", add_special_tokens=False).ids == [special.gmask, special.sop]


def test_the_files_of_transformers_name_its_own_tokens(talking: Tokenizer) -> None:
    files = serving_files(talking, max_length=128)
    config = json.loads(files["tokenizer_config.json"])
    assert (config["pad_token"], config["eos_token"], "unk_token" in config) == ("<pad>", "<eod>", False)
    assert {"[gMASK]", "<sop>"} <= set(config["additional_special_tokens"])
    assert json.loads(files["generation_config.json"])["eos_token_id"] == [talking.special.eod]


def test_a_conversation_is_the_same_through_the_template(talking: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    template = json.loads(serving_files(talking, max_length=128)["tokenizer_config.json"])["chat_template"]
    messages = [{"role": "user", "content": "ba de"}]
    text = transformers.utils.chat_template_utils.render_jinja_template([messages], chat_template=template)[0][0]
    assert talking.encode_marked(text) == chat_format(talking).prompt(talking, messages)


@given(words=st.lists(st.sampled_from(["ba", "北京", "学习", "é", "🎉", "12", "345", "，", "?!", "\n", "don't", "語"])))
def test_llama_cuts_text_as_we_do(talking: Tokenizer, words: list[str]) -> None:
    """But for numbers of more than three digits and white space before a word, which the text has not."""
    facts = gguf_vocabulary(talking, ROWS)
    tokens, scores = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.scores"]
    assert len(tokens) == len(set(tokens)) == ROWS
    text = " ".join(words).replace("\n ", "\n").replace(" \n", "\n")
    assert encode(text, tokens, scores, space_before=False) == talking.encode(text)


def test_unigram_pieces_are_refused_for_gguf_alone(corpus: list[str]) -> None:
    unigram = train(corpus, vocab_size=448, model="unigram").with_chat("chatglm2")
    with pytest.raises(UserError, match=r"Unigram pieces cannot be written as gguf.*convert --to glm-hf"):
        gguf_vocabulary(unigram, ROWS)
    from tokenizers import Tokenizer as Backend

    text = "ba 北京 é"
    assert Backend.from_str(tokenizer_json(unigram)).encode(text).ids[2:] == unigram.encode(text)
