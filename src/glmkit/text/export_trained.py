"""A tokenizer that `glmkit tokenizer train` made, as others read it.

tokenizer.json is what we save ourselves, with its special tokens named and the opening of a text added: the same ids
for any text. In a GGUF file a BPE is llama.cpp's `llama`, which joins the neighbours whose piece has the highest score:
the piece that was learnt first. It knows nothing of words, so ids differ where a piece could reach over the end of one:
in numbers of more than three digits, and in runs of white space before a word. Text comes back exactly all the same.
"""

import json
from collections.abc import Sequence

from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject
from glmkit.text.tokenizer import Tokenizer
from glmkit.text.trained import BYTES, TrainedPieces

_TEXT, _CONTROL, _UNUSED, _BYTE = 1, 3, 5, 6  # kinds of a token in a GGUF file
_SPACE = "▁"


def tokenizer_json(
    tokenizer: Tokenizer, added_tokens: list[JsonObject], begin: Sequence[str], end: Sequence[str] = ()
) -> str:
    """The tokenizer as one file of the `tokenizers` library, which puts the special tokens `begin` before a text and
    `end` behind it."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import processors

    pieces = tokenizer.pieces
    assert isinstance(pieces, TrainedPieces)
    backend = Backend.from_str(pieces.serialized())
    ids = {token["content"]: token["id"] for token in added_tokens}
    backend.post_processor = processors.TemplateProcessing(
        single=[*begin, "$A", *end],
        pair=[*begin, "$A", "$B:1", *(f"{mark}:1" for mark in end)],
        special_tokens=[(mark, ids[mark]) for mark in (*begin, *end)],
    )
    state = json.loads(backend.to_str())
    state["added_tokens"] = added_tokens
    return json.dumps(state, ensure_ascii=False) + "\n"


def gguf_pieces(tokenizer: Tokenizer, rows: int) -> JsonObject:
    """Pieces as facts of a GGUF file for a model of `rows` rows, name -> value. Raises UserError for Unigram pieces."""
    pieces = tokenizer.pieces
    assert isinstance(pieces, TrainedPieces)
    model = json.loads(pieces.serialized())["model"]
    if model["type"] != "BPE":
        raise UserError(
            "a tokenizer of Unigram pieces cannot be written as gguf, as llama.cpp cuts text by them in another way; "
            "convert --to glm-hf, or train one without --model-type unigram"
        )
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(model["merges"], start=1):
        ranks.setdefault(left + right, rank)
    special = {id: mark for mark, id in tokenizer.marks.items()}
    tokens, scores, kinds = [], [], []
    for id in range(rows):
        piece = pieces.piece(id) if id < pieces.size else special.get(id, f"[PAD{id}]")
        control = id in special
        tokens.append(piece if control else piece.replace(" ", _SPACE))
        scores.append(-float(ranks.get(piece, 0)))
        kinds.append(_CONTROL if control else _UNUSED if id >= pieces.size else _BYTE if piece in BYTES else _TEXT)
    return gguf_table(tokens, scores, kinds, unknown=tokenizer.special.pad, space_before=False)


def gguf_table(
    tokens: Sequence[str], scores: Sequence[float], kinds: Sequence[int], *, unknown: int, space_before: bool
) -> JsonObject:
    """The keys of a GGUF file that say its vocabulary: the `kinds` are llama.cpp's types of tokens."""
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.unknown_token_id": unknown,
        "tokenizer.ggml.add_space_prefix": space_before,
    }
