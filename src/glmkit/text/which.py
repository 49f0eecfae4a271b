"""Which model of the ChatGLM family a directory holds, from what its files say.

ChatGLM2 and ChatGLM3 share their vocabulary, the names of their weights and config.json, but not the format of their
prompts. The evidence, in the order in which it is believed; the first kind that is there decides:

| kind | where |
|---|---|
| what the user says | `model="chatglm3-6b"`, `--published chatglm3-6b` |
| what glmkit wrote down | `chat` in special_tokens.json |
| the vocabulary | ice_text.model is ChatGLM-6B's; CodeGeeX2's puts no space before a text |
| names | _name_or_path, name_or_path, auto_map, tokenizer_class of both config files; the directory's own |
| roles or rounds | added_tokens_decoder with roles at ChatGLM3's ids; the chat template |
| the code beside | tokenization_chatglm.py, modeling_chatglm.py: read as text, in whatever encoding, and never run |
| weak | what ChatGLM2's publisher left behind: transformers 4.27.1, older than ChatGLM3; the name of ChatGLM-6B |

Names, roles, rounds and code count alike. Where they contradict each other, as where there is nothing, the user is
asked. Of a path only the last name counts, and a name that speaks of two models is evidence of none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glmkit.core.errors import UserError, nearest, short
from glmkit.core.files import check_regular
from glmkit.core.json_types import Table
from glmkit.core.kinds import ANY, TEXT, optional, table_of
from glmkit.core.strict_json import read_json

ROLES = {"<|system|>": 64794, "<|user|>": 64795, "<|assistant|>": 64796, "<|observation|>": 64797}

# What a user may call a model; what stands behind, as in -32k, -base or -int4, does not change which it is.
NAMES = ("chatglm-6b", "chatglm2-6b", "chatglm3-6b", "codegeex2-6b")
_GIVEN = re.compile(r"(chatglm[23]?|codegeex2)(-6b(-[a-z0-9-]+)?)?")
_NAMED = re.compile(r"chatglm[23](?!\d)|codegeex2(?!\d)")
_SNAPSHOT = re.compile(r"(?:^|/)models--([^/]+)/snapshots/[^/]+$")
_MOST_CODE = 4 << 20  # bytes of code that are looked at


@dataclass(frozen=True)
class Sign:
    """A piece of evidence: the model that it speaks for ("chatglm3"), and where it stands."""

    model: str
    where: str


@dataclass(frozen=True)
class Which:
    """The decision: `model` is None where it cannot be known. `signs`: from what, or what contradicts itself."""

    model: str | None
    signs: tuple[Sign, ...]
    place: Path

    @property
    def question(self) -> str:
        """What was found, and how to say which model it is."""
        result = "; ".join(f"{sign.where} speaks for {sign.model}" for sign in self.signs)
        return (
            f"{self.place}: whether it is a ChatGLM2 or a ChatGLM3 cannot be known "
            f"({result or 'they share their vocabulary, and nothing beside it says which'}); say which it is: "
            'model="chatglm3-6b" or "chatglm2-6b" in Python, --published chatglm3-6b at the command line'
        )


def first(kinds: Iterator[Sequence[Sign]], place: Path) -> Which:
    """The decision by the first kind of evidence that is there; what follows it is not looked at."""
    signs = next((tuple(dict.fromkeys(signs)) for signs in kinds if signs), ())
    models = {sign.model for sign in signs}
    return Which(models.pop() if len(models) == 1 else None, signs, place)


def called(name: str) -> str:
    """The model that a user means by a name or a hub's id: "THUDM/chatglm3-6b-32k" is "chatglm3". Raises UserError."""
    match = _GIVEN.fullmatch(name.rsplit("/", 1)[-1].lower())
    if match is None:
        raise UserError(f"no model of the ChatGLM family is called {short(name)}{nearest(name, NAMES)}")
    return match[1]


def told_by_files(directory: Path, table: Table | None = None) -> Iterator[Sequence[Sign]]:
    """The kinds of evidence beside a vocabulary; `table` is config.json, which is read unless it is given."""
    words = _table(directory / "tokenizer_config.json")
    table = _table(directory / "config.json") if table is None else table
    yield [
        *_names("config.json", table),
        *_names("tokenizer_config.json", words),
        *_sign(str(directory.absolute()), "the directory's name"),
        *_roles(words),
        *_templates(directory, words),
        *_code(directory),
    ]
    yield [*_left_behind(words, table)]


def _names(file: str, table: Table) -> Iterator[Sign]:
    for key in ("_name_or_path", "name_or_path", "tokenizer_class"):
        if isinstance(name := table.get(key), str):
            yield from _sign(name, f"{file}: {key} {short(name)}")
    for value in (table.get("auto_map") or {}).values():
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and "--" in name:  # the repository that the code is from
                yield from _sign(name.rsplit("--", 1)[0], f"{file}: auto_map {short(name)}")
    if file == "config.json" and "rotary_percent" in table:  # CodeGeeX2 alone has it
        yield Sign("codegeex2", f"{file}: rotary_percent")


def _sign(path: str, where: str) -> Iterator[Sign]:
    models = set(_NAMED.findall(_last(path).lower()))
    if len(models) == 1:
        yield Sign(models.pop(), where)


def _last(path: str) -> str:
    """The name of a model in a path or a hub's id: of a trainer's checkpoint its run's, of a cache the repository's."""
    path = path.replace("\\", "/").rstrip("/")
    if match := _SNAPSHOT.search(path):
        return match[1].rsplit("--", 1)[-1]
    return re.sub(r"/checkpoint-\d+$", "", path).rsplit("/", 1)[-1]


def _roles(words: Table) -> Iterator[Sign]:
    """A ChatGLM2's own first added token has the id of <|system|>, so that this role alone says nothing."""
    added = {token.get("content"): id for id, token in (words.get("added_tokens_decoder") or {}).items()}
    results = [role for role in ROLES if role in added]
    if set(results) - {"<|system|>"} and all(added[role] == str(ROLES[role]) for role in results):
        where = ", ".join(f"{role} {ROLES[role]}" for role in results)
        yield Sign("chatglm3", f"tokenizer_config.json: added_tokens_decoder {where}")


def _templates(directory: Path, words: Table) -> Iterator[Sign]:
    held = words.get("chat_template")
    several = held if isinstance(held, list) else [held]
    texts = [part.get("template") if isinstance(part, dict) else part for part in several]
    for file, text in (
        *(("tokenizer_config.json: chat_template", text) for text in texts if isinstance(text, str)),
        ("chat_template.jinja:", text_of(directory / "chat_template.jinja")),
    ):
        text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
        if re.search(r"<\|(?:\{\{|user\|>|assistant\|>|observation\|>|['\"] *[+~])", text):
            yield Sign("chatglm3", f"{file} with roles")
        if "[Round " in text:
            yield Sign("chatglm2", f"{file} with rounds")


def _code(directory: Path) -> Iterator[Sign]:
    code = _code_of(directory / "tokenization_chatglm.py")
    if _ROLE.search(code):
        yield Sign("chatglm3", "tokenization_chatglm.py with roles")
    elif "class ChatGLMTokenizer" in code:
        yield Sign("chatglm2", "tokenization_chatglm.py without roles")
    code = _code_of(directory / "modeling_chatglm.py")
    if _ROLE.search(code) or re.search(r"base\s*\*\s*(?:self\.)?rope_ratio", code):
        yield Sign("chatglm3", "modeling_chatglm.py")
    if re.search(r"\[Round |\.build_prompt\(|/\s*(?:self\.)?rope_ratio", code):
        yield Sign("chatglm2", "modeling_chatglm.py")


_ROLE = re.compile(r"[\"']<\|(?:observation|user)\|>[\"']")


def _left_behind(words: Table, table: Table) -> Iterator[Sign]:
    if table.get("transformers_version") == "4.27.1":
        yield Sign("chatglm2", "config.json: transformers_version 4.27.1")
    if isinstance(name := words.get("name_or_path"), str) and _last(name).lower() == "chatglm-6b":
        yield Sign("chatglm2", f"tokenizer_config.json: name_or_path {short(name)}, as ChatGLM2's was published")


def _code_of(path: Path) -> str:
    """Somebody's Python code as text without its comments."""
    return re.sub(r"(^|\s)#[^\n]*", "", text_of(path))


def text_of(path: Path) -> str:
    """A file that is read for a hint, whatever its encoding; "" where there is none. Raises UserError for a pipe."""
    if not path.exists():
        return ""
    check_regular(path)
    with path.open("rb") as file:
        return file.read(_MOST_CODE).decode("utf-8", errors="replace")


# As far as it is looked at here.
_SCHEMA = {
    "_name_or_path": optional(TEXT),
    "name_or_path": optional(TEXT),
    "tokenizer_class": optional(TEXT),
    "auto_map": optional(table_of(ANY)),
    "added_tokens_decoder": optional(table_of(table_of(ANY))),
}


def _table(path: Path) -> Table:
    return read_json(path, "; copy it again", _SCHEMA) if path.exists() else {}
