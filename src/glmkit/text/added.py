"""Tokens that a user added to a published tokenizer, as transformers writes them down.

added_tokens.json                              {"<kb>": 64798}
tokenizer_config.json, added_tokens_decoder    {"64798": {"content": "<kb>", ...}}
"""

from collections.abc import Container
from pathlib import Path
from typing import Any

from glmkit.core.errors import CorruptFile
from glmkit.core.kinds import ANY, TEXT, check, table_of, whole
from glmkit.core.strict_json import read_json

_ID = whole(0, 2**31 - 1)


def added_tokens(directory: Path, first: int, known: Container[str] = ()) -> dict[str, int]:
    """The tokens of ids from `first` on, text -> id; those in `known` are the published tokenizer's own.

    Raises CorruptFile where the two files contradict each other or hold something else.
    """
    found: dict[str, int] = {}
    for text, id in [*_listed(directory / "added_tokens.json"), *_decoder(directory / "tokenizer_config.json")]:
        if id < first or text in known:
            continue
        if found.setdefault(text, id) != id:
            raise CorruptFile(f"{directory}: the added token {text!r} has the ids {found[text]} and {id}; keep one")
    ids = list(found.values())
    if twice := [text for text, id in found.items() if ids.count(id) > 1]:
        raise CorruptFile(f"{directory}: the added tokens {', '.join(twice)} have one id; give each its own")
    return found


def _listed(path: Path) -> list[tuple[str, int]]:
    if not path.exists():
        return []
    return list(check(read_json(path, "; copy it again"), table_of(_ID), str(path)).items())


def _decoder(path: Path) -> list[tuple[str, int]]:
    if not path.exists():
        return []
    where = f"{path}: added_tokens_decoder"
    table = read_json(path, "; copy it again", {"added_tokens_decoder": table_of(table_of(ANY))})
    found = []
    for id, token in table.get("added_tokens_decoder", {}).items():
        if not (id.isascii() and id.isdecimal() and len(id) < 10):
            raise CorruptFile(f"{where}[{id!r}] must be an id; copy it again")
        content: Any = token.get("content")
        found.append((check(content, TEXT, f"{where}[{id!r}].content"), int(id)))
    return found
