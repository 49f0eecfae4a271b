"""The files that let other libraries read the tokenizers: the same ids, by their own code."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glmkit.core.errors import UserError
from glmkit.text.chat import chat_format
from glmkit.text.export import TEMPLATES, serving_files
from tests.invariants.test_text import CHINESE, ENGLISH, texts, tokenizer_named
from tests.parity.chatglm import golden_of, tokenizer_of

CODE = "def f(x):\n\treturn x  # 注释\n    for (int i = 0; i < n; ++i) { a[i] *= 2.5e-3; }\r\n"
EMOJI = ["👋", "🦄", "👩‍👩‍👧", "é", "ﬁ", "Ａ", "\u200b", "\x00", "𠮷", "한국어", "עברית"]
words = st.sampled_from([*ENGLISH.split(), *CHINESE, *CODE.split(" "), *EMOJI, " ", "  ", "\n", "\n\n", "12345", "."])
written = texts | st.lists(words, max_size=14).map("".join) | st.lists(words, max_size=14).map(" ".join)


@cache
def read(name: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(serving_files(tokenizer_of(name), max_length=8192)["tokenizer.json"])


def looks_special(name: str, text: str) -> bool:
    return any(token.content in text for token in read(name).get_added_tokens_decoder().values())


def rendered(name: str, messages: list[dict[str, Any]]) -> str:
    """What `transformers` renders: its environment and its `tojson`, which keeps Chinese as it is."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(why: str) -> None:
        raise ValueError(why)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    template = environment.from_string(TEMPLATES[name], globals={"raise_exception": refuse})
    return template.render(messages=messages, add_generation_prompt=True)


@pytest.mark.parametrize("name", TEMPLATES)
def test_ids_of_the_goldens(name):
    for case in golden_of(name)["strings"]:
        if not looks_special(name, case["text"]):
            assert read(name).encode(case["text"]).ids == case["ids_special"]
            assert read(name).encode(case["text"], add_special_tokens=False).ids == case["ids"]
            assert read(name).decode(case["ids"]) == case["decoded"]
    for case in golden_of(name)["pairs"]:
        assert read(name).encode(case["a"], case["b"]).ids == case["ids"]


@pytest.mark.parametrize("name", TEMPLATES)
@given(text=written)
@settings(max_examples=300)
def test_ids_of_any_text(name, text):
    assume(not looks_special(name, text))
    ids = tokenizer_of(name).encode(text)
    assert read(name).encode(text, add_special_tokens=False).ids == ids
    assert read(name).decode(ids) == tokenizer_of(name).decode(ids)


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_word_is_cut_out_of_another(name):
    assert read(name).encode("sophie develops eop", add_special_tokens=False).ids == tokenizer_of(name).encode(
        "sophie develops eop"
    )
    tokenizer = tokenizer_of(name)
    special = [("[gMASK]", 64790), ("<sop>", 64792), ("<eop>", 64793), ("</s>", 2), *tokenizer.marks.items()]
    assert [read(name).token_to_id(mark) for mark, _ in special] == [id for _, id in special]
    assert read(name).get_vocab_size() == len(tokenizer)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_template_writes_the_original_prompts(name):
    chat, tokenizer = chat_format(tokenizer_of(name)), tokenizer_of(name)
    for case in golden_of(name)["chat"]:
        messages = chat.messages(case["query"], case["history"])
        messages[-1]["role"] = case.get("role", "user")
        if not any(looks_special(name, message["content"]) for message in messages):
            ids = read(name).encode(rendered(name, messages), add_special_tokens=False).ids
            assert ids == case["prompt_ids"] == chat.prompt(tokenizer, messages)


@pytest.mark.parametrize("name", TEMPLATES)
@given(said=st.lists(written, min_size=1, max_size=5).filter(lambda said: len(said) % 2))
@settings(max_examples=60)
def test_the_template_writes_any_conversation(name, said):
    assume(not any(looks_special(name, text) for text in said))
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]
    messages.insert(0, {"role": "system", "content": "Be kind."})
    ids = read(name).encode(rendered(name, messages), add_special_tokens=False).ids
    assert ids == chat_format(tokenizer_of(name)).prompt(tokenizer_of(name), messages)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_transformers_reads_the_files(name, tmp_path: Path):
    transformers = pytest.importorskip("transformers", reason="needs transformers, which glmkit does without")
    tokenizer, chat = tokenizer_of(name), chat_format(tokenizer_of(name))
    for file, content in serving_files(tokenizer, max_length=8192).items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.padding_side) == (0, 2, "left")
    for case in golden_of(name)["chat"]:
        messages = chat.messages(case["query"], case["history"])
        messages[-1]["role"] = case.get("role", "user")
        if not any(looks_special(name, message["content"]) for message in messages):
            ids = loaded.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
            assert ids == case["prompt_ids"]
    for case in golden_of(name)["batches"]:
        if case["options"] == {"padding": True}:
            result = loaded(case["texts"], padding=True)
            assert (result["input_ids"], result["attention_mask"]) == (case["input_ids"], case["attention_mask"])
    text = loaded.decode(tokenizer.encode("你好 hello👋"), skip_special_tokens=True)
    assert text == "你好 hello👋"


def test_what_cannot_be_written():
    with pytest.raises(UserError, match=r"tokenizer of chatglm, kept in ice_text\.model, cannot be written"):
        serving_files(tokenizer_of("chatglm"), max_length=2048)
    with pytest.raises(UserError, match=r"tokenizer of a GLM, kept in .* cannot be written"):
        serving_files(tokenizer_named("bpe"), max_length=512)
