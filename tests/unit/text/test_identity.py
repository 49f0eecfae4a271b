"""ChatGLM2 or ChatGLM3: each kind of evidence alone, evidence that contradicts itself, and words that are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from glmkit.core.errors import CorruptFile, UserError
from glmkit.text.identity import identity, kind_of_name

ROLES = {"<|system|>": 64794, "<|observation|>": 64797}
MAP = {"AutoTokenizer": ["tokenization_chatglm.ChatGLMTokenizer", None]}


def written(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content))
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def words(**table: Any) -> dict[str, Any]:
    return {"tokenizer_config.json": table}


def config(**table: Any) -> dict[str, Any]:
    return {"config.json": table}


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("chatglm3", words(added_tokens_decoder={"64797": {"content": "<|observation|>"}})),
        ("chatglm3", words(additional_special_tokens=["<|user|>", "<|observation|>"])),
        ("chatglm3", words(chat_template="{{ '<|assistant|>' }}")),
        ("chatglm3", words(chat_template="{% for m in messages %}<|{{ m['role'] }}|>{% endfor %}")),
        ("chatglm2", words(chat_template="{{ '[Round 1]' }}")),
        ("chatglm3", words(name_or_path="THUDM/chatglm3-6b-32k")),
        ("chatglm2", words(name_or_path="/models/ChatGLM2-6B")),
        ("chatglm2", words(name_or_path="C:\\models\\chatglm2-6b\\")),
        ("chatglm3", config(_name_or_path="zai-org/ChatGLM3-6B")),
        ("chatglm3", config(auto_map={"AutoModel": "THUDM/chatglm3-6b--modeling_chatglm.X"})),
        ("chatglm2", words(auto_map={"AutoTokenizer": ["THUDM/chatglm2-6b--tokenization_chatglm.X", None]})),
        ("chatglm3", {"tokenization_chatglm.py": 'role = ["<|observation|>"]; 1 / 0'}),
        ("chatglm2", {"tokenization_chatglm.py": "class ChatGLMTokenizer: ..."}),
        ("chatglm2", {"tokenization_chatglm.py": "# 修改 as chatglm3's\nclass ChatGLMTokenizer: ...".encode("gbk")}),
        (
            "chatglm3",
            {"modeling_chatglm.py": 'def chat(self, tokenizer, query, history=None, role: str = "user"): ...'},
        ),
        ("chatglm2", {"modeling_chatglm.py": 'prompt += "[Round {}]"'}),
        ("chatglm2", words(name_or_path="THUDM/chatglm-6b", auto_map=MAP)),  # as ChatGLM2's publisher left it
    ],
)
def test_each_piece_of_evidence_decides_alone(tmp_path: Path, kind: str, files: dict[str, Any]) -> None:
    found = identity(written(tmp_path / "m", files))
    assert found.kind == kind
    assert str(found).startswith(f"{kind}: ")


@pytest.mark.parametrize(
    "files",
    [
        {},
        words(auto_map=MAP, tokenizer_class="ChatGLMTokenizer", added_tokens_decoder={}),  # any tuning tool writes it
        words(name_or_path="/data/merged"),
        words(comment="works like chatglm3, has no <|observation|>"),
        words(chat_template="plain", description="chatglm2"),
        config(_name_or_path="/chatglm3/runs/output"),  # a folder of other things
        config(_name_or_path="glm-chatglm30b"),
        config(transformers_version="4.30.2", note="chatglm3"),
        {"notes.py": '"<|observation|>"'},
        {"tokenization_chatglm.py": "# '<|observation|>' and [Round of chatglm3\n"},
        words(name_or_path=["chatglm3"], added_tokens_decoder=["<|observation|>"], auto_map="chatglm3--x"),
    ],
)
def test_what_is_no_evidence_decides_nothing(tmp_path: Path, files: dict[str, Any]) -> None:
    folder = written(tmp_path / "m", files)
    found = identity(folder)
    assert (found.kind, found.signs) == (None, ())
    with pytest.raises(UserError, match=r'nothing beside it says so; say it with model="chatglm2-6b" or model="chat'):
        found.insist(folder)


def test_what_contradicts_itself_asks_and_says_what_was_found(tmp_path: Path) -> None:
    files = words(name_or_path="THUDM/chatglm3-6b") | config(_name_or_path="THUDM/chatglm2-6b")
    folder = written(tmp_path / "m", files)
    found = identity(folder)
    assert found.kind is None
    with pytest.raises(
        UserError, match=r"contradicts itself \(chatglm3: name_or_path of tok.*; chatglm2: _name_or_path"
    ):
        found.insist(folder)


def test_the_name_of_the_directory_and_of_a_repository_in_a_cache(tmp_path: Path) -> None:
    assert identity(written(tmp_path / "chatglm2-6b-mine", {})).kind == "chatglm2"
    (snapshot := tmp_path / "models--THUDM--chatglm3-6b" / "snapshots" / "0af").mkdir(parents=True)
    assert identity(snapshot).kind == "chatglm3"
    folder = written(tmp_path / "chatglm3-6b", words(name_or_path="THUDM/chatglm2-6b"))
    assert identity(folder).kind is None  # whoever renamed it should say which it is


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"a": 1, "a": 2}'):
        with pytest.raises(CorruptFile, match=r"tokenizer_config\.json is damaged"):
            identity(written(tmp_path / "m", {"tokenizer_config.json": text}))


def test_names_that_a_user_may_give() -> None:
    names = ("chatglm3-6b", "THUDM/chatglm2-6b", "zai-org/ChatGLM3-6B-32k", "codegeex2", "chatglm-6b")
    assert [kind_of_name(name) for name in names] == ["chatglm3", "chatglm2", "chatglm3", "codegeex2", "chatglm"]
    with pytest.raises(UserError, match="did you mean 'chatglm3-6b'"):
        kind_of_name("chatglm3-6")
