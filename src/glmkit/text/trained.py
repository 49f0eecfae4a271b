"""Tokenizers made from the user's own text: BPE or Unigram with byte fallback, lossless for any text.

Pieces are the text itself, a word carrying the one space before it; a character the vocabulary lacks becomes its
UTF-8 bytes. Ids:  0..7 special | spare | 256 bytes | pieces learnt from the text.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import write_text
from glmkit.core.json_types import JsonObject
from glmkit.text.backend import BackendPieces
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

MARKS = {"<pad>": 0, "<eod>": 1, "[CLS]": 2, "[MASK]": 3, "[sMASK]": 4, "[gMASK]": 5, "<sop>": 6, "<eop>": 7}
SPARE = 120  # enough for sentinel marks of 61 blanks
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_BYTES = {name: bytes([byte]) for byte, name in enumerate(BYTES)}

# A word, up to three digits, or a run of signs, each with the one space before it; the rest of white space alone.
_SPLIT = r" ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"
_LONGEST_PIECE = 16  # characters
# Characters of a word that pieces are learnt from at a time. Each merge of BPE goes through all of a word that it
# happens in, so that one word of a megabyte would take minutes; Unigram would need more stack than there is.
_LONGEST_WORD = 256


class TrainedPieces(BackendPieces):
    """Pieces learnt by `train`, in one file of the `tokenizers` library."""

    kind = "trained"
    files = ("tokenizer.json",)

    @classmethod
    def read(cls, *files: Path) -> Self:
        from tokenizers import Tokenizer as Backend

        try:
            return cls(Backend.from_file(str(files[0])))
        except Exception as error:  # noqa: BLE001 (what the library raises for any malformed file)
            raise CorruptFile(f"{files[0]} is not a tokenizer file ({error}); copy it again") from None

    def save(self, directory: Path) -> None:
        write_text(directory / self.files[0], self._backend.to_str(pretty=True))

    def serialized(self) -> str:
        """The pieces as the `tokenizers` library writes them, in JSON."""
        return str(self._backend.to_str())

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        piece = self.piece(id)
        return _BYTES.get(piece) or piece.encode(), True

    def before_mask(self, text: str) -> str:
        return text.removesuffix(" ")  # the space that a piece carries


def train(
    texts: Iterable[str],
    *,
    vocab_size: int,
    model: Literal["bpe", "unigram"] = "bpe",
    spare: int = SPARE,
    progress: bool = False,
) -> Tokenizer:
    """A tokenizer of at most `vocab_size` ids learnt from `texts` (any iterable; it is read once).

    Half of the learnt ids at most go to single characters, the rarest of which fall back to bytes.
    Raises UserError for a vocabulary too small to hold the special tokens and bytes, or for empty text.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Backend

    reserved = [*MARKS, *(f"<spare_{i}>" for i in range(spare)), *BYTES]
    if vocab_size < len(reserved) + 64:
        raise UserError(
            f"vocab_size {vocab_size} is too small: {len(reserved)} ids are special tokens and bytes; "
            f"use {len(reserved) + 64} or more"
        )
    common: JsonObject = {"vocab_size": vocab_size, "special_tokens": reserved, "show_progress": progress}
    alphabet = (vocab_size - len(reserved)) // 2
    texts = _some_text(texts)
    trainer: trainers.Trainer
    if model == "bpe":
        backend = Backend(models.BPE(byte_fallback=True))
        trainer = trainers.BpeTrainer(**common, limit_alphabet=alphabet, max_token_length=_LONGEST_PIECE)
    else:
        backend = Backend(models.Unigram())
        trainer = trainers.UnigramTrainer(**common, unk_token=BYTES[0], max_piece_length=_LONGEST_PIECE)
        texts = _without_rare_characters(texts, alphabet)
    words = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    parts = pre_tokenizers.Split(Regex(rf"[\s\S]{{{_LONGEST_WORD}}}"), behavior="isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([words, parts])
    backend.train_from_iterator(texts, trainer)
    backend.pre_tokenizer = words
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _tokenizer(_as_text_only(backend), spare)


def _tokenizer(backend: "Backend", spare: int) -> Tokenizer:
    first = len(MARKS)
    names = ("pad", "eod", "cls", "mask", "smask", "gmask", "sop", "eop")
    ids: JsonObject = dict(zip(names, MARKS.values(), strict=True))
    special = SpecialIds(**ids, spare=tuple(range(first, first + spare)))
    marks = MARKS | {f"<spare_{i}>": first + i for i in range(spare)}
    return Tokenizer(TrainedPieces(backend), special, marks)


def _as_text_only(backend: "Backend") -> "Backend":
    """The trained backend as plain vocabulary: no added tokens that could be matched in text, byte fallback on."""
    state = json.loads(backend.to_str())
    state["added_tokens"] = []
    state["model"]["byte_fallback"] = True
    if state["model"]["type"] == "Unigram":
        state["model"]["unk_id"] = len(MARKS)  # never emitted while every byte has a piece
    return type(backend).from_str(json.dumps(state))


def _without_rare_characters(texts: Iterable[str], keep: int) -> list[str]:
    """The texts cut at all but the `keep` most frequent characters, which the Unigram trainer could not leave out."""
    held = list(texts)
    counts = Counter(itertools.chain.from_iterable(held))
    rare = dict.fromkeys((ord(character) for character, _ in counts.most_common()[keep:]), "\n")
    return [text.translate(rare) for text in held] if rare else held


def _some_text(texts: Iterable[str]) -> Iterator[str]:
    empty = True
    for text in texts:
        empty = empty and not text.strip()
        yield text
    if empty:
        raise UserError("no text to train a tokenizer on: the input is empty")
