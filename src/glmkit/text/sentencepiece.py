"""SentencePiece vocabularies, read by the library of that name: GLM-Chinese's `cog-pretrain.model`.

Its normalizer folds full-width signs and drops line breaks and doubled spaces; what it lacks becomes `<unk>` (id 0).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from glmkit.core.errors import CorruptFile
from glmkit.text.tokenizer import Pieces

_SPACE = "▁"
_POINTER = b"version https://git-lfs"


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
        space = self._backend.PieceToId(_SPACE)
        self._strips_one = not self._backend.Decode([space])  # the space before the first word
        self._strips_all = self._strips_one and not self._backend.Decode([space, space])
        self._bytes: dict[int, bytes] = {}

    @classmethod
    def read(cls, *files: Path) -> Self:
        model = files[0].read_bytes()
        if model.startswith(_POINTER):
            raise CorruptFile(f"{files[0]} is a Git LFS pointer, not the file it stands for; run `git lfs pull` there")
        try:
            return cls(model)
        except RuntimeError as error:
            raise CorruptFile(f"{files[0]} is not a SentencePiece model ({error}); copy it again") from None

    def save(self, directory: Path) -> None:
        (directory / self.files[0]).write_bytes(self._model)

    def encode(self, text: str) -> list[int]:
        return list(self._backend.Encode(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(ids) for ids in self._backend.Encode(list(texts))]

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        if self._backend.IsControl(id):
            return b"", started
        written = self._bytes.get(id)
        if written is None:
            written = self._bytes[id] = self._piece_bytes(id)
        if started or not self._strips_one or self._backend.IsByte(id):
            return written, True
        written = written.removeprefix(b" ") if self.piece(id).startswith(_SPACE) else written
        return written, bool(written) or not self._strips_all

    def _piece_bytes(self, id: int) -> bytes:
        if self._backend.IsUnknown(id):
            return str(self._backend.Decode([id])).encode()
        piece = self.piece(id)
        return bytes([int(piece[1:-1], 16)]) if self._backend.IsByte(id) else piece.replace(_SPACE, " ").encode()

    def write_mark(self, mark: str, started: bool) -> tuple[bytes, bool]:
        return mark.encode(), False  # what follows a special token is decoded as a text of its own

    def piece(self, id: int) -> str:
        return str(self._backend.IdToPiece(id))
