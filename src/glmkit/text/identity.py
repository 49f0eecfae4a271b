"""Which of the ChatGLM family a directory holds: ChatGLM-6B, CodeGeeX2, or ChatGLM2 or 3, which share a vocabulary.

The vocabulary file tells the first two. For the others these places are looked at, each for what a publisher or a
program writes there, never for a word that stands anywhere:

| where | ChatGLM3 | ChatGLM2 |
|---|---|---|
| tokenizer_config.json, tokens in added_tokens_decoder and additional_special_tokens | <|observation|> | |
| tokenizer_config.json, chat_template | <|assistant|>, <|user|> or <|{{ role }}|> | [Round |
| tokenization_chatglm.py, outside comments | "<|observation|>" | class ChatGLMTokenizer without it |
| modeling_chatglm.py, outside comments | role="user" in chat | [Round |
| names in tokenizer_config.json and config.json (name_or_path, _name_or_path, auto_map) | chatglm3 | chatglm2 |
| the name of the directory, or of its repository in a hub's cache | chatglm3 | chatglm2 |

What is found must agree. Where nothing is found, ChatGLM2's own tokenizer_config.json is known by the name that its
publisher left in it, THUDM/chatglm-6b. Code is read as text, in whatever encoding, and never run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glmkit.core.errors import UserError, nearest
from glmkit.core.strict_json import read_json

_NAMED = re.compile(r"(?<![a-z])chatglm([23])(?!\d)", re.IGNORECASE)
_ROLE = "<|observation|>"
_TEMPLATE3 = re.compile(r"<\|(assistant|user|observation|system)\|>|<\|\s*['\"]?\s*(\{\{|\+)")
# Of models that people ask for by name: which tokenizer each has.
NAMES = (
    *("chatglm-6b", "chatglm2-6b", "chatglm2-6b-32k", "codegeex2-6b"),
    *("chatglm3-6b", "chatglm3-6b-base", "chatglm3-6b-32k", "chatglm3-6b-128k"),
)


@dataclass(frozen=True)
class Sign:
    """One piece of evidence: what it says, and where it was found."""

    kind: str  # "chatglm2" or "chatglm3"
    where: str


@dataclass(frozen=True)
class Identity:
    """`kind`: which of the family it is, None where that cannot be known; `signs` say why, or what contradicts."""

    kind: str | None
    signs: tuple[Sign, ...]

    def __str__(self) -> str:
        return "; ".join(f"{sign.kind}: {sign.where}" for sign in self.signs)

    def insist(self, directory: Path) -> str:
        """The kind. Raises UserError saying what was found, and how to say which it is."""
        if self.kind is not None:
            return self.kind
        found = f"what lies beside it contradicts itself ({self})" if self.signs else "nothing beside it says so"
        raise UserError(
            f"{directory}: whether its tokenizer.model is ChatGLM2's or ChatGLM3's cannot be known, {found}; say it "
            'with model="chatglm2-6b" or model="chatglm3-6b" (--model at the command line), or copy '
            "tokenizer_config.json and tokenization_chatglm.py there from the published model"
        )


def kind_of_name(model: str) -> str:
    """The tokenizer of the published model that a user named. Raises UserError naming the nearest."""
    name = model.split("/")[-1].lower()
    if name not in NAMES and name not in {known.split("-")[0] for known in NAMES}:
        raise UserError(f"no published model of the ChatGLM family is called {model!r}{nearest(name, NAMES)}")
    return name.split("-")[0]


def identity(directory: Path, table: Mapping[str, Any] | None = None) -> Identity:
    """Whether `directory` holds a ChatGLM2 or a ChatGLM3; `table` is its config.json, which is read unless given.

    Raises CorruptFile for a damaged tokenizer_config.json or config.json.
    """
    words = _table(directory / "tokenizer_config.json")
    table = _table(directory / "config.json") if table is None else table
    signs = tuple(dict.fromkeys([*_tokenizer(words), *_code(directory), *_names(words, table), *_place(directory)]))
    kinds = {sign.kind for sign in signs}
    if not kinds and _last(words.get("name_or_path")) == "chatglm-6b":
        return Identity("chatglm2", (Sign("chatglm2", "tokenizer_config.json as published (THUDM/chatglm-6b)"),))
    return Identity(kinds.pop() if len(kinds) == 1 else None, signs)


def _tokenizer(words: Mapping[str, Any]) -> Iterator[Sign]:
    decoder, extra = words.get("added_tokens_decoder"), words.get("additional_special_tokens")
    tokens = [*(decoder.values() if isinstance(decoder, dict) else ()), *(extra if isinstance(extra, list) else ())]
    if any((token.get("content") if isinstance(token, dict) else token) == _ROLE for token in tokens):
        yield Sign("chatglm3", f"tokenizer_config.json has the token {_ROLE}")
    template = words.get("chat_template")
    if isinstance(template, str) and _TEMPLATE3.search(template):
        yield Sign("chatglm3", "chat_template of tokenizer_config.json writes roles")
    if isinstance(template, str) and "[Round" in template:
        yield Sign("chatglm2", "chat_template of tokenizer_config.json writes rounds")


def _code(directory: Path) -> Iterator[Sign]:
    tokenization = code_of(directory / "tokenization_chatglm.py")
    if re.search(rf"[\"']{re.escape(_ROLE)}[\"']", tokenization):
        yield Sign("chatglm3", f"tokenization_chatglm.py has the token {_ROLE}")
    elif "class ChatGLMTokenizer" in tokenization:
        yield Sign("chatglm2", "tokenization_chatglm.py knows no roles")
    modeling = code_of(directory / "modeling_chatglm.py")
    if re.search(r"def (?:stream_)?chat\([^)]*\brole\b", modeling):
        yield Sign("chatglm3", "chat in modeling_chatglm.py takes a role")
    elif "[Round" in modeling:
        yield Sign("chatglm2", "modeling_chatglm.py writes rounds")


def _names(words: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Sign]:
    for file, held in (("tokenizer_config.json", words), ("config.json", table)):
        for key in ("name_or_path", "_name_or_path"):
            if found := _NAMED.search(_last(held.get(key))):
                yield Sign(f"chatglm{found[1]}", f"{key} of {file} is {held[key]}")
        maps = held.get("auto_map")
        for value in maps.values() if isinstance(maps, dict) else ():
            for name in value if isinstance(value, list) else (value,):
                if isinstance(name, str) and "--" in name and (found := _NAMED.search(name.split("--")[0])):
                    yield Sign(f"chatglm{found[1]}", f"auto_map of {file} names {name.split('--')[0]}")


def _place(directory: Path) -> Iterator[Sign]:
    here = directory.absolute()
    name = here.parents[1].name.split("--")[-1] if here.parent.name == "snapshots" else here.name
    if found := _NAMED.search(name):
        yield Sign(f"chatglm{found[1]}", f"the directory is called {name}")


def code_of(path: Path) -> str:
    """Somebody's Python code as text, without comments, in whatever encoding; "" where there is none."""
    if not path.is_file():
        return ""
    return re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8", errors="replace"))


def _last(name: Any) -> str:
    """The name of a repository or a directory, without what stands before it."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if isinstance(name, str) else ""


def _table(path: Path) -> Mapping[str, Any]:
    return read_json(path, "; copy it again") if path.exists() else {}
