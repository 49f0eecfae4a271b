"""A tokenizer's vocabulary as bytes, which is how grammars read it: what each id adds in the middle of a text.

Special ids have no bytes, so that no text can match them: they are never written inside a document.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glmkit.core.errors import MissingExtra, UserError
from glmkit.text.chat import FORMATS
from glmkit.text.tokenizer import Pieces, Tokenizer
from glmkit.text.wordpiece import WordPiece

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

_SAMPLE = '{"name": "a b", "n": [1, 2]}'
Flags = NDArray[np.bool_]

_LONGEST = 254  # bytes of a token that llguidance's trie of tokens can hold
_JSON = b'{}[]":, -+.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\\_'


class TokenBytes:
    """The bytes of every id of a model of `rows` ids, and the ids that end a reply.

    Raises UserError for a vocabulary that is not made of bytes or lacks a sign of JSON.
    """

    def __init__(self, tokenizer: Tokenizer, rows: int, ends: Iterable[int] = ()) -> None:
        """`ends`: ids that end a reply beside eop, eod and those of the tokenizer's chat format."""
        if isinstance(tokenizer.pieces, WordPiece):
            raise UserError(
                "constrained output needs a vocabulary that spells every text exactly; this model's (WordPiece) has "
                "neither capitals nor white space: leave out response_format, tools and the like"
            )
        chat = FORMATS[tokenizer.chat].stop_ids(tokenizer) if tokenizer.chat else ()
        special = tokenizer.special
        self.rows, self._pieces = rows, tokenizer.pieces
        self.ends = sorted(id for id in {*special.ends, *chat, *ends} if id < rows)
        silent = {*special.never_generated, *tokenizer.marks.values(), *self.ends}
        silent |= {id for ids in tokenizer.written.values() for id in ids}
        spoken = [id for id in range(min(rows, tokenizer.pieces.size)) if id not in silent]
        self.table = [b""] * rows
        for id in spoken:
            written, _ = tokenizer.pieces.write(id, True)
            self.table[id] = written if len(written) <= _LONGEST else b""
        self.spellings: dict[bytes, list[int]] = {}  # every id of some bytes
        self.ids: dict[bytes, int] = {}  # the last of them: a piece, where another stands in for a byte
        for id, written in enumerate(self.table):
            if written:
                self.ids[written] = id
                self.spellings.setdefault(written, []).append(id)
        self._longest = max(map(len, self.ids), default=0)
        if missing := [chr(byte) for byte in _JSON if bytes([byte]) not in self.ids]:
            raise UserError(
                f"constrained output needs a piece for every sign of JSON; this vocabulary has none for "
                f"{' '.join(missing)}: leave out response_format, tools and the like"
            )

    @cached_property
    def with_quote(self) -> NDArray[np.int64]:
        """The ids whose bytes hold a quotation mark."""
        return np.array([id for id, written in enumerate(self.table) if b'"' in written], dtype=np.int64)

    @cached_property
    def most_opening(self) -> int:
        """The most objects, arrays and strings that one id opens, each to be closed: 4 of `[[[[`, and the values in
        them."""
        return 4 + max((sum(written.count(sign) for sign in (b"{", b"[", b'"')) for written in self.ids), default=0)

    @cached_property
    def letters(self) -> dict[int, int]:
        """The shortest id that begins with each byte, byte -> id, for bytes that some id begins with."""
        shortest: dict[int, int] = {}
        for written, id in sorted(self.ids.items(), key=lambda pair: len(pair[0])):
            shortest.setdefault(written[0], id)
        return shortest

    def tokenize(self, text: bytes) -> list[int]:
        """Ids that spell `text`, the longest first; what no id spells is left out."""
        ids, begin = [], 0
        while begin < len(text):
            for length in range(min(self._longest, len(text) - begin), 0, -1):
                if (id := self.ids.get(text[begin : begin + length])) is not None:
                    ids.append(id)
                    begin += length
                    break
            else:
                begin += 1
        return ids

    @cached_property
    def backend(self) -> "LLTokenizer":
        """The vocabulary as llguidance reads it; threads may share it. Raises MissingExtra without llguidance."""
        try:
            from llguidance import LLTokenizer, TokenizerWrapper
        except ImportError:
            raise MissingExtra("llguidance", "serve") from None
        return LLTokenizer(TokenizerWrapper(_Vocabulary(self, self._pieces)), n_vocab=self.rows, eos_token=self.ends)

    def allowed(self, matcher: "LLMatcher") -> Flags:
        """Which ids [rows] may come next."""
        return unpacked(matcher.compute_bitmask(), self.rows)


class _Vocabulary:
    """The attributes that llguidance asks a tokenizer for, and how it encodes what a grammar leaves no choice about."""

    bos_token_id = None
    special_token_ids: tuple[int, ...] = ()  # those without bytes are special anyway

    def __init__(self, vocabulary: TokenBytes, pieces: Pieces) -> None:
        self.eos_token_id, self.tokens = vocabulary.ends[0], vocabulary.table
        self._vocabulary, self._pieces = vocabulary, pieces
        # What stands before a text, so that it is encoded as in the middle of one: SentencePiece begins with a space.
        self._guard = next((guard for guard in ("", "\n", "。") if self._encoded(guard, _SAMPLE)), "")

    def __call__(self, text: bytes | str) -> list[int]:
        """Ids that spell `text`: the model's own, where these are exactly its bytes. Never raises."""
        written = text.encode(errors="replace") if isinstance(text, str) else bytes(text)
        try:
            ids = self._encoded(self._guard, written.decode())
        except UnicodeDecodeError:
            ids = []
        return ids or self._vocabulary.tokenize(written)

    def _encoded(self, guard: str, text: str) -> list[int]:
        first, ids = self._pieces.encode(guard), self._pieces.encode(guard + text)
        rest = ids[len(first) :]
        spelled = b"".join(self._vocabulary.table[id] for id in rest if id < self._vocabulary.rows)
        return rest if ids[: len(first)] == first and spelled == text.encode() else []


def unpacked(bits: bytes, rows: int) -> Flags:
    """Bits, the lowest of each byte first, as flags [rows]."""
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=rows, bitorder="little").view(np.bool_)
