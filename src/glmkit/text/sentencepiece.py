"""SentencePiece vocabularies, read by the library of that name: GLM-Chinese's `cog-pretrain.model`.

Its normaliser folds full-width signs and drops line breaks and doubled spaces; what it lacks becomes `<unk>` (id 0).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from glmkit.core.errors import CorruptFile
from glmkit.text.tokenizer import Pieces


class SentencePiece(Pieces):
    """Pieces of a SentencePiece model file."""

    kind = "sentencepiece"
    files = ("tokenizer.model",)

    def __init__(self, model: bytes) -> None:
        """`model`: the bytes of the file. Raises RuntimeError when they are no model."""
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._backend = SentencePieceProcessor()
        self._backend.LoadFromSerializedProto(model)
        self.size: int = self._backend.GetPieceSize()

    @classmethod
    def read(cls, *files: Path) -> Self:
        try:
            return cls(files[0].read_bytes())
        except RuntimeError as error:
            raise CorruptFile(f"{files[0]} is not a SentencePiece model ({error}); copy it again") from None

    def save(self, directory: Path) -> None:
        (directory / self.files[0]).write_bytes(self._model)

    def encode(self, text: str) -> list[int]:
        return list(self._backend.Encode(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(ids) for ids in self._backend.Encode(list(texts))]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._backend.Decode(list(ids))) if ids else ""

    def piece(self, id: int) -> str:
        return str(self._backend.IdToPiece(id))
