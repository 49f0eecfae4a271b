"""Tokens that a user added to a published tokenizer and trained, as `transformers` writes them down:

added_tokens.json                                                     {"<kb>": 64798}
tokenizer_config.json, added_tokens_decoder                           {"64798": {"content": "<kb>", ...}}
special_tokens_map.json, additional_special_tokens (and in the above) ["<kb>"], without an id

Beside them the published tokenizer's own tokens stand in the same lists. A token that could be read as another one
than it was trained as is an error of one line: its id is another token's, or it has none, or two.
"""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from glmkit.core.errors import CorruptFile, short
from glmkit.core.kinds import ANY, TEXT, check, list_of, optional, table_of, whole
from glmkit.core.strict_json import read_json
from glmkit.text.tokenizer import Tokenizer

_REMEDY = "; copy it again"
_ID = whole(0, 2**31 - 1)
_LISTS = ("additional_special_tokens", "extra_special_tokens")


class _Token(NamedTuple):
    text: str
    id: int | None  # as a list names it, without one
    where: str


def with_added(tokenizer: Tokenizer, directory: Path, own: Mapping[str, int], rows: int | None = None) -> Tokenizer:
    """`tokenizer` with the tokens that the files in `directory` add to it.

    `own`: the published tokens, spelling -> id; those of the vocabulary itself are known without. `rows`: how many ids
    the model has. Raises CorruptFile for a token that cannot be what the files say.
    """
    pieces = tokenizer.pieces
    controls = {tokenizer.special.pad, *tokenizer.special.ends, *tokenizer.special.never_generated}
    own = {pieces.piece(id): id for id in controls if id < pieces.size} | dict(own)
    added: dict[str, int] = {}
    owners = {id: text for text, id in own.items()}
    for text, id, where in _tokens(directory):
        if not text:
            raise CorruptFile(f"{where} names a token of no letters; remove it")
        known = added.get(text, own.get(text))
        if id is None:
            if known is None:
                raise CorruptFile(f"{where} lists {short(text)} without an id; give its id in added_tokens.json")
            continue
        if known is not None:
            if known != id:
                raise CorruptFile(f"{where} gives {short(text)} the id {id}, but it is {known}; keep the right one")
            continue
        if id < pieces.size and pieces.piece(id).replace("▁", " ") == text.replace("▁", " "):
            continue  # a piece of the vocabulary, which texts have anyway
        owner = pieces.piece(id) if id < pieces.size else owners.get(id)
        if owner is not None:
            raise CorruptFile(f"{where} gives {short(text)} the id {id}, which is that of {short(owner)}; correct it")
        if rows is not None and id >= rows:
            raise CorruptFile(f"{where} gives {short(text)} the id {id}, but the model has {rows} rows; correct it")
        added[text] = id
        owners[id] = text
    return tokenizer.with_tokens(added)


def tokens_with_ids(directory: Path, known: Container[str]) -> dict[str, int]:
    """The tokens in those files that have an id, text -> id, without those that are `known`: of a port, whose own
    tokens may stand there at other ids than the model was trained with. Raises CorruptFile as `with_added` does."""
    results: dict[str, int] = {}
    for text, id, where in _tokens(directory):
        if id is None or text in known:
            continue
        if not text:
            raise CorruptFile(f"{where} names a token of no letters; remove it")
        if results.setdefault(text, id) != id:
            raise CorruptFile(f"{where} gives {short(text)} the id {id}, but it is {results[text]}; keep the right one")
    return results


def _tokens(directory: Path) -> Iterator[_Token]:
    """Every token that is named, those with an id first."""
    listed, config, special = (
        directory / name for name in ("added_tokens.json", "tokenizer_config.json", "special_tokens_map.json")
    )
    if listed.exists():
        for text, id in check(read_json(listed, _REMEDY), table_of(_ID), str(listed)).items():
            yield _Token(text, id, str(listed))
    schema = {"added_tokens_decoder": optional(table_of(table_of(ANY)))} | dict.fromkeys(_LISTS, ANY)
    tables = {path: read_json(path, _REMEDY, schema) for path in (config, special) if path.exists()}
    for path, table in tables.items():
        for id, token in (table.get("added_tokens_decoder") or {}).items():
            where = f"{path}: added_tokens_decoder"
            if not (id.isascii() and id.isdecimal() and len(id) < 10):
                raise CorruptFile(f"{where}: {short(id)} must be a whole number of at least 0{_REMEDY}")
            yield _Token(_content(token, f"{where}[{id}]"), int(id), where)
    for path, table in tables.items():
        for key in _LISTS:
            where = f"{path}: {key}"
            held = table.get(key) or []
            for token in check(list(held.values()) if isinstance(held, dict) else held, list_of(ANY), where):
                yield _Token(_content(token, where), None, where)


def _content(token: object, where: str) -> str:
    text: object = token.get("content") if isinstance(token, dict) else token
    return str(check(text, TEXT, f"{where}: content"))
