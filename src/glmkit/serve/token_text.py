"""Tokens as replies spell them: their text, and their own bytes, of which half a character may be."""

from collections.abc import Iterable, Sequence

from glmkit.core.json_types import JsonObject
from glmkit.generate.sequence import Token
from glmkit.text.tokenizer import Tokenizer

LEAST = -9999.0  # what is said of a token that cannot come: JSON has no infinity


def token_bytes(tokenizer: Tokenizer, id: int, started: bool = True) -> bytes:
    """The bytes that a token adds to a text that has started; none of an id that spells nothing."""
    try:
        return tokenizer.write(id, started)[0]
    except ValueError:
        return b""


def token_text(tokenizer: Tokenizer, id: int, started: bool = True) -> str:
    """A token as text; bytes that are no whole character are U+FFFD."""
    return token_bytes(tokenizer, id, started).decode("utf-8", "replace")


def spelled(tokenizer: Tokenizer, id: int) -> str:
    """A token as a key of a table: `bytes:\\xe4` where its bytes are no text, so that two of them differ."""
    written = token_bytes(tokenizer, id)
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError:
        return _as_bytes(written)


def logprob_table(tokenizer: Tokenizer, id: int, logprob: float) -> JsonObject:
    """A token, its log p and its bytes, as chat replies hold them."""
    written = token_bytes(tokenizer, id)
    return {
        "token": written.decode("utf-8", "replace"),
        "logprob": max(logprob, LEAST),
        "bytes": list(written),
    }


def chat_logprobs(tokenizer: Tokenizer, tokens: Iterable[Token]) -> JsonObject:
    """The log-probabilities of a chat reply. They are the model's own: before penalties and temperature."""
    content = [
        logprob_table(tokenizer, token.id, token.logprob)
        | {"top_logprobs": [logprob_table(tokenizer, id, logprob) for id, logprob in token.top]}
        for token in tokens
        if token.is_text
    ]
    return {"content": content, "refusal": None}


def best(tokenizer: Tokenizer, id: int, logprob: float, top: Sequence[tuple[int, float]]) -> dict[str, float]:
    """The most probable tokens and the one that was taken, as completions hold them. Of two that are spelled alike the
    more probable counts; the one that was taken is spelled in bytes then."""
    table: dict[str, float] = {}
    for other, value in top:
        if other == id:
            continue
        table.setdefault(spelled(tokenizer, other), max(value, LEAST))
    name = spelled(tokenizer, id)
    if table.get(name, logprob) != logprob:
        name = _as_bytes(token_bytes(tokenizer, id))
    table[name] = max(logprob, LEAST)
    return table


def _as_bytes(written: bytes) -> str:
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in written)
