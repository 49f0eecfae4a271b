"""Text to ids and back: a vocabulary of pieces, and the special tokens that only we may write.

"Ng teaches at [MASK]."  --encode-->         Ng| teaches| at| [|MASK|]|.        (text stays text)
                         --encode_marked-->  Ng| teaches| at|<mask id>|.        (asked for: the blank is a blank)

On disk a tokenizer is its vocabulary's files and special_tokens.json, which names their kind and checksums.
Back to text every id adds its own bytes, so that a text can be written as its ids come (`glmkit.text.stream`).
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NoReturn, Protocol, Self

import numpy as np

from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.files import sha256, write_text
from glmkit.core.json_types import JsonObject
from glmkit.core.kinds import ANY, CHECKSUM, TEXT, TEXTS, check, list_of, optional, table_of
from glmkit.core.strict_json import read_json
from glmkit.text.special import ID, SpecialIds
from glmkit.text.unicode import readable

SPECIAL_FILE = "special_tokens.json"

_SENTENCE_END = re.compile(r"[.?!;:。？！；：…\n]")


class Pieces(Protocol):
    """A vocabulary of text pieces: knows nothing of special tokens. Ids 0 .. size-1."""

    kind: ClassVar[str]
    files: ClassVar[tuple[str, ...]]  # the names under which `save` writes it
    errors: ClassVar[str] = "surrogateescape"  # of bytes that are no character each becomes one U+FFFD
    size: int

    @classmethod
    def read(cls, *files: Path) -> Self:
        """The vocabulary held by `files`, given in the order of `cls.files`. Raises CorruptFile."""
        ...

    def save(self, directory: Path) -> None: ...
    def encode(self, text: str) -> list[int]: ...
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]: ...
    def piece(self, id: int) -> str: ...

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        """The bytes that `id` adds to a text that has `begun` or not, and whether it has begun with them.

        What differs at the beginning is white space that belongs to a piece.
        """
        ...

    def write_mark(self, mark: str, started: bool) -> tuple[bytes, bool]:
        """The same for a special token written out."""
        return mark.encode(), True

    def decode(self, ids: Sequence[int]) -> str:
        """The text of pieces alone."""
        written, started = b"", False
        for id in ids:
            more, started = self.write(id, started)
            written += more
        return readable(written, self.errors)

    def whole(self, text: str) -> str:
        """What is encoded of a text that stands alone."""
        return text

    def before_mask(self, text: str) -> str:
        """What is encoded of the text on the left of a mask."""
        return text.rstrip()


class Tokenizer:
    """Pieces and special tokens together. Special tokens are written by id; text that looks like one stays text."""

    def __init__(
        self,
        pieces: Pieces,
        special: SpecialIds,
        marks: Mapping[str, int],
        written: Mapping[str, Sequence[int]] | None = None,
        chat: str | None = None,
    ) -> None:
        """`marks`: the spelling of each special token that `encode_marked` reads, e.g. {"[MASK]": 3}.

        Of several spellings of one id the last is the one that is written. `written`: ids that `decode` writes in
        another way, as {"": [0, 1]} for those that it leaves out. `chat`: the name of the format of its conversations.
        """
        self.pieces = pieces
        self.special = special
        self.marks = dict(marks)
        self.written = {text: list(ids) for text, ids in (written or {}).items()}
        self.chat = chat
        self._size = max(pieces.size, 1 + max(*self.marks.values(), *special.ends, *special.never_generated))
        self._spelling = {id: mark for mark, id in self.marks.items()}
        self._decoded = self._spelling | {id: text for text, ids in self.written.items() for id in ids}
        self.blanks = [self._spelling[id] for id in special.masks if id in self._spelling]  # the marks that are masks
        self._pattern = re.compile("(" + ("|".join(map(re.escape, self.marks)) or "(?!)") + ")")

    def __len__(self) -> int:
        """The number of ids; a model may have more rows than this, which are never generated."""
        return self._size

    def __call__(self, *texts: object, **options: object) -> NoReturn:
        """Raises UserError: scripts written for tokenizers of transformers call them."""
        raise UserError(
            "a tokenizer of glmkit is not called: tokenizer.encode(text) gives ids, m.logits([ids]) reads them; "
            "m.generate(text) and m.chat(messages) take the text itself"
        )

    def with_tokens(self, marks: Mapping[str, int]) -> "Tokenizer":
        """This tokenizer with more special tokens, spelling -> id: `encode_marked` reads them, `decode` writes them.

        Ids between them that have no spelling are never generated.
        """
        ids = set(marks.values())
        between = set(range(len(self), max(ids, default=0))) - ids
        special = replace(self.special, other=(*self.special.other, *sorted(between)))
        written = {text: [id for id in known if id not in ids] for text, known in self.written.items()}
        return Tokenizer(self.pieces, special, self.marks | dict(marks), written, self.chat)

    def with_chat(self, name: str | None) -> "Tokenizer":
        """This tokenizer with another chat format; ids are the same."""
        return Tokenizer(self.pieces, self.special, self.marks, self.written, name)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, every character of it taken as text. Raises UserError for half a character."""
        check(text, TEXT, "the text")
        return self.pieces.encode(self.pieces.whole(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for each of `texts`."""
        check(texts, TEXTS, "the texts")
        return self.pieces.encode_batch([self.pieces.whole(text) for text in texts])

    def encode_marked(self, text: str) -> list[int]:
        """Ids of `text` in which special tokens written out ("[MASK]") become their ids.

        White space on the left of a mask belongs to what fills it, so it is dropped there; on the right it stays.
        """
        check(text, TEXT, "the text")
        ids: list[int] = []
        parts = self._pattern.split(self.pieces.whole(text))  # text, mark, text, mark, ..., text
        for i in range(0, len(parts), 2):
            mark = parts[i + 1] if i + 1 < len(parts) else None
            piece = self.pieces.before_mask(parts[i]) if mark in self.blanks else parts[i]
            ids += self.pieces.encode(piece) if piece else []
            ids += [] if mark is None else [self.marks[mark]]
        return ids

    def space_before_blank(self, text: str) -> str:
        """The white space at the end of `text` that belongs to what fills a blank behind it."""
        return text[len(self.pieces.before_mask(text)) :]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special tokens are written out, ids that are neither piece nor special raise ValueError."""
        written: list[bytes] = []
        started = False
        for id in map(int, ids):
            more, started = self.write(id, started)
            written.append(more)
        return readable(b"".join(written), self.pieces.errors)

    def write(self, id: int, started: bool) -> tuple[bytes, bool]:
        """`Pieces.write` for any id, a special token included. Raises ValueError as `decode` does."""
        if id not in self._decoded:
            return self.pieces.write(self._checked(id), started)
        text = self._decoded[id]
        return self.pieces.write_mark(text, started) if text else (b"", started)

    def piece(self, id: int) -> str:
        """How the vocabulary spells `id`; ids that are neither piece nor special raise ValueError."""
        return self._spelling[id] if id in self._spelling else self.pieces.piece(self._checked(id))

    def _checked(self, id: int) -> int:
        if not 0 <= id < self.pieces.size:
            raise ValueError(f"token id {id} is outside the vocabulary of {len(self)}")
        return id

    @cached_property
    def sentence_ends(self) -> np.ndarray:
        """For each id, whether its text ends a sentence: holds any of . ? ! ; : 。 ？ ！ ； ： … or a line break."""
        ends = np.zeros(len(self), dtype=bool)
        for id in range(self.pieces.size):
            ends[id] = id not in self._spelling and bool(_SENTENCE_END.search(self.pieces.decode([id])))
        return ends

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's files into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.pieces.save(directory)
        table = {
            "kind": self.pieces.kind,
            "files": {name: sha256(directory / name) for name in self.pieces.files},
            "special": asdict(self.special),
            "marks": self.marks,
        }
        table |= {"written": self.written} if self.written else {}
        table |= {"chat": self.chat} if self.chat else {}
        write_text(directory / SPECIAL_FILE, json.dumps(table, ensure_ascii=False, indent=1) + "\n")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides which ids a text gets: equal for equal tokenizers."""
        with tempfile.TemporaryDirectory() as directory:
            self.save(Path(directory))
            return fingerprint(Path(directory))


def fingerprint(directory: Path) -> str:
    """The fingerprint of the tokenizer saved in `directory`: of every file it is made of. Raises UserError."""
    names = (*read_table(directory)["files"], SPECIAL_FILE)
    for name in names:
        check_present(directory / name)
    return hashlib.sha256("".join(sha256(directory / name) for name in names).encode()).hexdigest()


LARGEST = 64 << 20  # bytes of a vocabulary: ten times the largest published
MOST_PIECES = 1 << 20


def check_present(path: Path) -> None:
    """Raises UserError when a file of a tokenizer is not there, CorruptFile when it is too large to be one."""
    if not path.is_file():
        raise UserError(
            f"{path.parent} has no {path.name}: the tokenizer is incomplete; put the file that was saved with it there"
        )
    if (size := path.stat().st_size) > LARGEST:
        raise CorruptFile(f"{path} has {size:,} bytes, more than any vocabulary; copy it again")


def read_table(directory: Path) -> JsonObject:
    """What special_tokens.json in `directory` says: kind, files (name -> SHA-256), special, marks, written, chat.

    Raises UserError when there is none, CorruptFile when it is damaged.
    """
    path = directory / SPECIAL_FILE
    if not path.is_file():
        raise UserError(
            f"{directory} has no {SPECIAL_FILE}: not a glmkit tokenizer; make one with `glmkit tokenizer train`"
        )
    table = read_json(path, "; copy the tokenizer again", _SCHEMA, required=_REQUIRED)
    if not table["marks"] or "" in table["marks"]:
        raise CorruptFile(f"{path}: marks names no special token, or one of no letters; copy the tokenizer again")
    return {"written": {}, "chat": None} | {name: table[name] for name in _SCHEMA if name in table}


_REQUIRED = ("kind", "files", "special", "marks")
_SCHEMA = {
    "kind": TEXT,
    "files": table_of(CHECKSUM),
    "special": table_of(ANY),
    "marks": table_of(ID),
    "written": table_of(list_of(ID)),
    "chat": optional(TEXT),
}
