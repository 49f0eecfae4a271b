"""GPT-2's byte-level BPE, and RoBERTa's, which numbers the same pieces otherwise: lossless for any text.

Text is cut into words, each with the one space before it; every byte has a printable character that stands for it
(a space is written Ġ), and pairs are merged in the order of merges.txt (Radford et al. 2019).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from glmkit.core.errors import CorruptFile, short
from glmkit.core.files import write_text
from glmkit.core.kinds import NOT_UNICODE, has_surrogates
from glmkit.core.strict_json import read_json
from glmkit.text.backend import BackendPieces

# The character that stands for each byte: itself where it shows, the next free one from 256 on where it does not.
_SHOWN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_HIDDEN = [byte for byte in range(256) if byte not in _SHOWN]
_BYTES = {byte: byte for byte in _SHOWN} | {256 + i: byte for i, byte in enumerate(_HIDDEN)}

_VERSION = "#version: 0.2"  # how a merges.txt begins
_NAMED_PIECES = 64  # more than any vocabulary has beside bytes and merges (GPT-2: 1, RoBERTa: 9)


class ByteLevel(BackendPieces):
    """Byte-level BPE over a `vocab.json` (piece -> id) and a `merges.txt`."""

    kind = "gpt2"
    files = ("vocab.json", "merges.txt")
    errors = "replace"

    @classmethod
    def read(cls, *files: Path) -> Self:
        from tokenizers import Tokenizer as Backend
        from tokenizers import models, pre_tokenizers

        vocab_file, merges_file = files
        vocab = read_json(vocab_file, "; copy it again")
        ids = list(vocab.values())
        if not all(type(id) is int for id in ids) or sorted(ids) != list(range(len(ids))):
            raise CorruptFile(f"{vocab_file} does not number its pieces 0, 1, 2, ...; copy it again")
        if has_surrogates("".join(vocab)):
            raise CorruptFile(f"{vocab_file} has a piece that is {NOT_UNICODE}")
        merges = _read_merges(merges_file, vocab)
        if len(vocab) > 256 + len(merges) + _NAMED_PIECES:
            raise CorruptFile(
                f"{merges_file} is cut short: {len(merges)} merges for the {len(vocab)} pieces of {vocab_file.name}; "
                "copy it again"
            )
        backend = Backend(models.BPE(vocab, merges))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return cls(backend)

    def save(self, directory: Path) -> None:
        vocab = {self.piece(id): id for id in range(self.size)}
        merges = json.loads(self._backend.to_str())["model"]["merges"]
        write_text(directory / self.files[0], json.dumps(vocab, ensure_ascii=False, separators=(",", ":")))
        write_text(directory / self.files[1], "".join(f"{line}\n" for line in (_VERSION, *map(" ".join, merges))))

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        return bytes(_BYTES[ord(character)] for character in self.piece(id)), True

    def whole(self, text: str) -> str:
        return "" if text.isspace() else text  # as the original: white space alone is no text


def _read_merges(path: Path, vocab: Mapping[str, int]) -> list[tuple[str, str]]:
    """The pairs of a merges.txt, all of pieces that the vocabulary has. Raises CorruptFile naming the line."""
    merges = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                pair = line.rstrip("\r\n")
                if pair.startswith("#version"):
                    continue
                left, space, right = pair.partition(" ")
                if not space or not {left, right, left + right} <= vocab.keys():
                    raise CorruptFile(
                        f"{path}:{number} is not a pair of pieces of the vocabulary beside it ({short(pair)}); "
                        "copy both again"
                    )
                merges.append((left, right))
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path} is not UTF-8 text ({error}); copy it again") from None
    return merges
