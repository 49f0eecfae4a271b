"""ChatGLM2 or ChatGLM3: each kind of evidence alone, evidence that contradicts itself, and words that are none."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text.which import Which, called, first, told_by_files

MAP = {"AutoTokenizer": ["tokenization_chatglm.ChatGLMTokenizer", None]}


def write(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def decided(folder: Path) -> Which:
    return first(told_by_files(folder), folder)


def words(**table: Any) -> dict[str, Any]:
    return {"tokenizer_config.json": table}


def config(**table: Any) -> dict[str, Any]:
    return {"config.json": table}


def tokens(*pairs: tuple[str, int]) -> dict[str, Any]:
    return words(added_tokens_decoder={str(id): {"content": text} for text, id in pairs})


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("chatglm3", tokens(("[gMASK]", 64790), ("<|user|>", 64795), ("<|observation|>", 64797))),
        ("chatglm3", words(chat_template="{{ '<|assistant|>' }}")),
        ("chatglm3", words(chat_template="{% for m in messages %}<|{{ m['role'] }}|>{% endfor %}")),
        ("chatglm3", words(chat_template=[{"name": "default", "template": "{{ '<|' + m.role + '|>' }}"}])),
        ("chatglm3", {"chat_template.jinja": "<|user|>"}),
        ("chatglm2", words(chat_template="{{ '[Round ' ~ n ~ ']' }}")),
        ("chatglm3", words(name_or_path="THUDM/chatglm3-6b-32k")),
        ("chatglm3", words(name_or_path="/models/chatglm3-6b/checkpoint-3000/")),
        ("chatglm3", config(_name_or_path="/home/me/.cache/huggingface/hub/models--THUDM--chatglm3-6b/snapshots/0af")),
        ("chatglm2", words(name_or_path="C:\\models\\ChatGLM2-6B\\")),
        ("chatglm3", config(_name_or_path="zai-org/ChatGLM3-6B")),
        ("chatglm3", config(auto_map={"AutoModel": "THUDM/chatglm3-6b--modeling_chatglm.X"})),
        ("chatglm2", words(auto_map={"AutoTokenizer": ["THUDM/chatglm2-6b--tokenization_chatglm.X", None]})),
        ("codegeex2", config(rotary_percent=0.5)),
        ("codegeex2", config(_name_or_path="THUDM/codegeex2-6b-int4")),
        ("chatglm3", {"tokenization_chatglm.py": 'ROLES = ["<|observation|>"]; 1 / 0'}),
        ("chatglm2", {"tokenization_chatglm.py": "class ChatGLMTokenizer: ..."}),
        ("chatglm2", {"tokenization_chatglm.py": "# 像 '<|user|>'\nclass ChatGLMTokenizer: ...".encode("gbk")}),
        ("chatglm3", {"modeling_chatglm.py": "# 改\nbase = base * self.rope_ratio".encode("gbk")}),
        ("chatglm2", {"modeling_chatglm.py": "prompt = tokenizer.build_prompt(query)"}),
        ("chatglm2", words(name_or_path="THUDM/chatglm-6b", auto_map=MAP)),  # as ChatGLM2's publisher left it
        ("chatglm2", config(transformers_version="4.27.1")),
        ("chatglm3", config(transformers_version="4.27.1") | words(name_or_path="chatglm3-6b")),  # weak, so not asked
    ],
)
def test_each_kind_of_evidence_decides_alone(tmp_path: Path, model: str, files: dict[str, Any]) -> None:
    result = decided(write(tmp_path / "m", files))
    assert result.model == model
    assert all(sign.where for sign in result.signs)


@pytest.mark.parametrize(
    "files",
    [
        {},
        words(auto_map=MAP, tokenizer_class="ChatGLMTokenizer", added_tokens_decoder={}),  # any tuning tool writes it
        words(name_or_path="/data/merged"),
        words(comment="works like chatglm3, has no <|observation|>", additional_special_tokens=["<|observation|>"]),
        words(chat_template="{# unlike chatglm3's <|user|> #}plain", description="chatglm2"),
        tokens(("<|observation|>", 64794)),  # a ChatGLM2's first added token
        tokens(("<|system|>", 64794)),
        tokens(("<|user|>", 64795), ("<|observation|>", 64796)),
        config(_name_or_path="/chatglm3/runs/output"),  # a folder of other things
        config(_name_or_path="/runs/from-chatglm2-to-chatglm3"),
        config(_name_or_path="chatglm30b"),
        config(transformers_version="4.30.2", note="chatglm3", auto_map=None),
        {"notes.py": '"<|observation|>"'},
        {"tokenization_chatglm.py": "# '<|observation|>' and [Round of chatglm3\n"},
    ],
)
def test_what_is_no_evidence_decides_nothing(tmp_path: Path, files: dict[str, Any]) -> None:
    result = decided(write(tmp_path / "m", files))
    assert (result.model, result.signs) == (None, ())
    assert re.search(r'nothing beside it says.*model="chatglm3-6b" or "chatglm2-6b" in Python, --pu', result.question)


@pytest.mark.parametrize(
    "more",
    [
        config(_name_or_path="THUDM/chatglm2-6b"),
        words(name_or_path="THUDM/chatglm3-6b", chat_template="[Round 1]"),
        {"tokenization_chatglm.py": "class ChatGLMTokenizer: ..."},
    ],
)
def test_what_contradicts_itself_asks_and_says_what_was_found(tmp_path: Path, more: dict[str, Any]) -> None:
    result = decided(write(tmp_path / "m", words(name_or_path="THUDM/chatglm3-6b") | more))
    assert result.model is None
    assert re.search(r"name_or_path 'THUDM/chatglm3-6b' speaks for chatglm3|for chatglm2; ", result.question)
    assert "speaks for chatglm2" in result.question
    assert "\n" not in result.question


def test_the_name_of_the_directory_and_of_a_repository_in_a_cache(tmp_path: Path) -> None:
    assert decided(write(tmp_path / "chatglm2-6b-mine", {})).model == "chatglm2"
    (snapshot := tmp_path / "models--THUDM--chatglm3-6b" / "snapshots" / "0af").mkdir(parents=True)
    assert decided(snapshot).model == "chatglm3"
    assert decided(write(tmp_path / "chatglm3-6b", words(name_or_path="THUDM/chatglm2-6b"))).model is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"auto_map": "chatglm3--x"}', "auto_map must be a table"),
        ('{"name_or_path": ["chatglm3"]}', "name_or_path must be text"),
        ('{"added_tokens_decoder": ["<|user|>"]}', "added_tokens_decoder must be a table"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(CorruptFile, match=rf"tokenizer_config\.json.* {said}"):
        decided(write(tmp_path / "m", {"tokenizer_config.json": content}))


def test_a_pipe_in_place_of_code_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "modeling_chatglm.py")
    with pytest.raises(UserError, match="is a pipe, not a file"):
        decided(tmp_path)


def test_names_that_a_user_may_give() -> None:
    names = ("chatglm3-6b", "THUDM/chatglm2-6b-int4", "zai-org/ChatGLM3-6B-32k", "codegeex2", "chatglm-6b")
    assert [called(name) for name in names] == ["chatglm3", "chatglm2", "chatglm3", "codegeex2", "chatglm"]
    for name in ("chatglm3-6", "glm-10b", "", "chatglm4-9b"):
        with pytest.raises(UserError, match="no model of the ChatGLM family is called"):
            called(name)
