"""Text to ids and back: a vocabulary of pieces, and the special tokens that only we may write.

"Ng teaches at [MASK]."  --encode-->         Ng| teaches| at| [|MASK|]|.        (text stays text)
                         --encode_marked-->  Ng| teaches| at|<mask id>|.        (asked for: the blank is a blank)
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from glmkit.core.config import from_mapping
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256
from glmkit.text.special import SpecialIds

_SENTENCE_END = re.compile(r"[.?!;:。？！；：…\n]")


class Pieces(Protocol):
    """A vocabulary of text pieces: knows nothing of special tokens."""

    size: int

    def encode(self, text: str) -> list[int]: ...
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def piece(self, id: int) -> str: ...
    def before_mask(self, text: str) -> str: ...
    def save(self, directory: Path) -> None: ...


class Tokenizer:
    """Pieces and special tokens together. Special tokens are written by id; text that looks like one stays text."""

    def __init__(self, pieces: Pieces, special: SpecialIds, marks: Mapping[str, int]) -> None:
        """`marks`: the spelling of each special token that `encode_marked` reads, e.g. {"[MASK]": 3}."""
        self.pieces = pieces
        self.special = special
        self.marks = dict(marks)
        self._spelling = {id: text for text, id in reversed(self.marks.items())}
        self._pattern = re.compile("(" + "|".join(re.escape(mark) for mark in self.marks) + ")")

    def __len__(self) -> int:
        """The number of ids; a model may have more rows than this, which are never generated."""
        return self.pieces.size

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, every character of it taken as text."""
        return self.pieces.encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return self.pieces.encode_batch(texts)

    def encode_marked(self, text: str) -> list[int]:
        """Ids of `text` in which special tokens written out ("[MASK]") become their ids.

        White space on the left of a mask belongs to what fills it, so it is dropped there; on the right it stays.
        """
        ids: list[int] = []
        parts = self._pattern.split(text)  # text, mark, text, mark, ..., text
        for i in range(0, len(parts), 2):
            mark = self.marks[parts[i + 1]] if i + 1 < len(parts) else None
            piece = self.pieces.before_mask(parts[i]) if mark in self.special.masks else parts[i]
            ids += self.pieces.encode(piece) if piece else []
            ids += [] if mark is None else [mark]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special tokens are written out, ids beyond the vocabulary raise ValueError."""
        text = ""
        run: list[int] = []
        for id in ids:
            if not 0 <= id < len(self):
                raise ValueError(f"token id {id} is outside the vocabulary of {len(self)}")
            if id in self._spelling:
                text += self.pieces.decode(run) + self._spelling[id]
                run = []
            else:
                run.append(id)
        return text + self.pieces.decode(run)

    @cached_property
    def sentence_ends(self) -> np.ndarray:
        """For each id, whether its piece ends a sentence: holds any of . ? ! ; : 。 ？ ！ ； ： … or a line break."""
        return np.array(
            [id not in self._spelling and bool(_SENTENCE_END.search(self.pieces.piece(id))) for id in range(len(self))]
        )

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's files into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.pieces.save(directory)
        table = {"special": asdict(self.special), "marks": self.marks}
        (directory / SPECIAL_FILE).write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides which ids a text gets: equal for equal tokenizers."""
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            self.save(Path(directory))
            return fingerprint(Path(directory))


SPECIAL_FILE = "special_tokens.json"
PIECES_FILE = "tokenizer.json"


def fingerprint(directory: Path) -> str:
    """The fingerprint of the tokenizer saved in `directory`."""
    import hashlib

    joined = "".join(sha256(directory / name) for name in (PIECES_FILE, SPECIAL_FILE))
    return hashlib.sha256(joined.encode()).hexdigest()


def read_special(directory: Path) -> tuple[SpecialIds, dict[str, int]]:
    """The special ids and their spellings saved in `directory`."""
    path = directory / SPECIAL_FILE
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return from_mapping(SpecialIds, table["special"], str(path)), dict(table["marks"])
    except FileNotFoundError:
        raise UserError(
            f"{directory} has no {SPECIAL_FILE}: not a glmkit tokenizer; make one with `glmkit tokenizer train`"
        ) from None
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise CorruptFile(f"{path} is not a table of special tokens ({error}); copy the tokenizer again") from None
