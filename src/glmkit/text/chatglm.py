"""The tokenizers of ChatGLM-6B, ChatGLM2-6B, ChatGLM3-6B and CodeGeeX2-6B, from their files as they were published.

ChatGLM-6B has its own vocabulary, with pieces for line breaks, tabs and runs of spaces and with the special tokens
inside. The others share one in which every special token has an id behind the pieces, so that no text can give it:

    0 <unk> = padding | 1 <s> | 2 </s> = end | pieces ... 64788 | [MASK] [gMASK] [sMASK] sop eop | roles (ChatGLM3)

CodeGeeX2's model file differs in one byte: no space is put before the text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from glmkit.core.errors import UserError, nearest
from glmkit.text.added import added_tokens
from glmkit.text.identity import identity
from glmkit.text.sentencepiece import SentencePiece
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer, check_present

ROLES = {"<|system|>": 64794, "<|user|>": 64795, "<|assistant|>": 64796, "<|observation|>": 64797}


class ChatGLMPieces(SentencePiece):
    """A SentencePiece vocabulary whose special tokens stand inside the text: no new text begins after them."""

    kind = "chatglm"

    def write_mark(self, mark: str, begun: bool) -> tuple[bytes, bool]:
        return mark.encode(), True

    def merges(self) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """The vocabulary as that of a BPE, piece -> id, and the pairs that merge, first those of the highest score.

        SentencePiece merges the pair whose piece has the highest score, so every way to cut a piece in two is a merge.
        """
        vocab = {self.piece(id): id for id in range(self.size)}
        text = {piece for piece, id in vocab.items() if self._is_text(id)}
        ranked = sorted(text, key=lambda piece: -self._backend.GetScore(vocab[piece]))
        cuts = ((piece[:at], piece[at:]) for piece in ranked for at in range(1, len(piece)))
        return vocab, [(left, right) for left, right in cuts if left in text and right in text]

    def score(self, id: int) -> float:
        """The score of a piece: of two pieces that could be put together, the one of the higher score is."""
        return float(self._backend.GetScore(id))

    def is_byte(self, id: int) -> bool:
        """Whether the piece is a byte of a character that the vocabulary lacks."""
        return bool(self._backend.IsByte(id))

    def _is_text(self, id: int) -> bool:
        return not any(
            is_kind(id) for is_kind in (self._backend.IsControl, self._backend.IsUnknown, self._backend.IsByte)
        )


_SPACES = re.compile(" {2,80}")


class IceText(ChatGLMPieces):
    """ChatGLM-6B's vocabulary. White space that its normaliser would drop has pieces: <n>, <|tab|>, <|blank_2|> ..."""

    kind = "ice_text"
    files = ("ice_text.model",)

    def encode(self, text: str) -> list[int]:
        return super().encode(_named(text))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return super().encode_batch([_named(text) for text in texts])

    def _piece_bytes(self, id: int) -> bytes:
        return _WHITE.get(self.piece(id)) or super()._piece_bytes(id)


_WHITE = {"<n>": b"\n", "<|tab|>": b"\t"} | {f"<|blank_{count}|>": b" " * count for count in range(2, 81)}


def _named(text: str) -> str:
    text = text.replace("\n", "<n>").replace("\t", "<|tab|>")
    return _SPACES.sub(lambda run: f"<|blank_{len(run[0])}|>", text)


@dataclass(frozen=True, kw_only=True)
class Official:
    """One published tokenizer. `written`: ids that decoding writes otherwise than by their mark, or not at all."""

    pieces: type[SentencePiece]
    size: int  # pieces in the vocabulary file
    begins: str  # the first piece of the text "a", which tells vocabularies of one size apart
    special: SpecialIds
    marks: Mapping[str, int]
    written: Mapping[str, Sequence[int]] = field(default_factory=dict)


_MASKS = {"[MASK]": 64789, "[gMASK]": 64790, "[sMASK]": 64791}
_SPECIAL = SpecialIds(pad=0, eod=2, mask=64789, smask=64791, gmask=64790, sop=64792, eop=64793, other=(1,))
_CHATGLM2 = Official(
    pieces=ChatGLMPieces,
    size=64789,
    begins="▁a",
    special=_SPECIAL,
    marks=_MASKS | {"<sop>": 64792, "<eop>": 64793},
    written={"": (0, 1, 2, *range(64789, 64794))},
)

OFFICIAL = {
    "chatglm": Official(
        pieces=IceText,
        size=130344,
        begins="▁a",
        special=SpecialIds(
            pad=3,
            eod=130005,
            cls=130006,
            mask=130000,
            smask=130002,
            gmask=130001,
            sop=130004,
            eop=130005,
            block=130007,
            spare=(130003,),
            other=(0, 1, 2),
        ),
        marks={"[MASK]": 130000, "[gMASK]": 130001, "[sMASK]": 130002, "<sop>": 130004, "<eop>": 130005},
        written={"": (1, 2, 3, *range(130000, 130008))},
    ),
    "chatglm2": _CHATGLM2,
    # The roles are what the original reads in a text with encode_special_tokens. Ids from 64798 on are spare rows.
    "chatglm3": Official(
        pieces=ChatGLMPieces,
        size=64789,
        begins="▁a",
        special=_SPECIAL,
        marks=ROLES,
        written={"": (0, 1, 2, *range(64798, 65024))}
        | {mark: (id,) for mark, id in (_MASKS | {"sop": 64792, "eop": 64793}).items()},
    ),
    "codegeex2": Official(
        pieces=ChatGLMPieces,
        size=64789,
        begins="a",
        special=_SPECIAL,
        marks=_CHATGLM2.marks,
        written=_CHATGLM2.written,
    ),
}


def official(name: str, directory: Path) -> Tokenizer:
    """The tokenizer `name` of OFFICIAL from the vocabulary file in `directory`, with the tokens that were added to it.

    Raises UserError for a file that is missing or another vocabulary's, CorruptFile for a damaged one.
    """
    if name not in OFFICIAL:
        raise UserError(f"no tokenizer of the ChatGLM family is called {name!r}{nearest(name, OFFICIAL)}")
    row = OFFICIAL[name]
    path = directory / row.pieces.files[0]
    if not path.is_file():
        raise UserError(f"{directory} has no {path.name}: copy it there from the published {name} model")
    check_present(path)
    pieces = row.pieces.read(path)
    if pieces.size != row.size or pieces.piece(pieces.encode("a")[0]) != row.begins:
        raise UserError(
            f"{path} is not the vocabulary of {name} ({pieces.size} pieces, {row.size} expected; text begins with "
            f"{pieces.piece(pieces.encode('a')[0])!r}, {row.begins!r} expected): copy the one of {name} there"
        )
    tokenizer = Tokenizer(pieces, row.special, row.marks, row.written, chat=name)
    return tokenizer.with_tokens(added_tokens(directory, len(tokenizer)))


chatglm = partial(official, "chatglm")
chatglm2 = partial(official, "chatglm2")
chatglm3 = partial(official, "chatglm3")
codegeex2 = partial(official, "codegeex2")


def recognise(directory: Path) -> str:
    """Which of OFFICIAL the published files in `directory` are. ChatGLM2 and 3 share their vocabulary file, so what
    lies beside it decides (glmkit.text.identity). Raises UserError when nothing there does, or it contradicts itself.
    """
    if (directory / IceText.files[0]).is_file():
        return "chatglm"
    check_present(directory / ChatGLMPieces.files[0])
    return "codegeex2" if is_codegeex2(directory) else identity(directory).insist(directory)


def is_codegeex2(directory: Path) -> bool:
    """Whether the vocabulary in `directory`, if there is one, is CodeGeeX2's, which begins no text with a space."""
    path = directory / ChatGLMPieces.files[0]
    if not path.is_file():
        return False
    pieces = ChatGLMPieces.read(path)
    return not pieces.piece(pieces.encode("a")[0]).startswith("▁")
