"""Vocabularies that the `tokenizers` library holds: what is the same for all of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glmkit.text.tokenizer import Pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend


class BackendPieces(Pieces):
    """Pieces of a `tokenizers.Tokenizer`; subclasses say how it is read and saved."""

    def __init__(self, backend: "Backend") -> None:
        self._backend = backend
        self.size: int = backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(e.ids) for e in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        return self.piece(id).encode(), True

    def piece(self, id: int) -> str:
        return str(self._backend.id_to_token(id))
