"""BERT's uncased vocabulary: lower-cased words cut into the longest pieces known, left to right.

A word's later pieces begin with `##`; a word that cannot be cut, or longer than 100 characters, is [UNK].
Decoding cannot restore case, accents or white space: pieces are joined by single spaces.
"""

import string
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from glmkit.core.errors import CorruptFile
from glmkit.core.files import write_text
from glmkit.text.backend import BackendPieces
from glmkit.text.tokenizer import MOST_PIECES

_UNKNOWN = "[UNK]"
_CONTINUES = "##"
_LONGEST_WORD = 100  # characters


class WordPiece(BackendPieces):
    """WordPiece over the vocabulary of a `vocab.txt`, one piece a line."""

    kind = "wordpiece"
    files = ("vocab.txt",)

    @classmethod
    def read(cls, *files: Path) -> Self:
        from tokenizers import Tokenizer as Backend
        from tokenizers import models, pre_tokenizers

        vocab = _read_vocab(files[0])
        backend = Backend(models.WordPiece(vocab, unk_token=_UNKNOWN, max_input_chars_per_word=_LONGEST_WORD))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return cls(backend)

    def save(self, directory: Path) -> None:
        write_text(directory / self.files[0], "".join(f"{self.piece(id)}\n" for id in range(self.size)))

    def encode(self, text: str) -> list[int]:
        return super().encode(words(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return super().encode_batch([words(text) for text in texts])

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        return self.write_mark(self.piece(id), started)

    def write_mark(self, mark: str, started: bool) -> tuple[bytes, bool]:
        if not started:
            return mark.encode(), True
        return (mark.removeprefix(_CONTINUES) if mark.startswith(_CONTINUES) else f" {mark}").encode(), True


def words(text: str) -> str:
    """`text` as BERT's uncased vocabulary reads it: lower case, no accents, words and signs apart by white space.

    The rule, by Unicode category, is that of BERT's "basic tokenization" (Devlin et al. 2019).
    """
    return unicodedata.normalize("NFD", text.lower()).translate(_CHARACTERS)


class _Characters(dict[int, str]):
    """What becomes of each character after case is folded and accents are split off; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        self[code] = result = _reading(chr(code))
        return result


_CHARACTERS = _Characters()

# Ideographs stand apart as signs do: CJK Unified with extensions A to E, and the compatibility blocks.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def _reading(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category[0] == "Z":
        return " "
    if character == "\ufffd" or category[0] == "C" or category == "Mn":  # unreadable, control and format, accents
        return ""
    if character in string.punctuation or category[0] == "P":
        return f" {character} "
    return f" {character} " if any(first <= ord(character) <= last for first, last in _IDEOGRAPHS) else character


def _read_vocab(path: Path) -> dict[str, int]:
    vocab: dict[str, int] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for id, line in enumerate(file):
                if vocab.setdefault(line.strip(), id) != id or id == MOST_PIECES:
                    raise CorruptFile(f"{path}:{id + 1} repeats a piece, or is one too many; copy it again")
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path} is not UTF-8 text ({error}); copy it again") from None
    if _UNKNOWN not in vocab:
        raise CorruptFile(f"{path} is not a WordPiece vocabulary: it lacks {_UNKNOWN}; copy it again")
    return vocab
