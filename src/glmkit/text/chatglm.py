"""The tokenizers of ChatGLM-6B, ChatGLM2-6B, ChatGLM3-6B and CodeGeeX2-6B, from their files as they were published.

ChatGLM-6B has its own vocabulary, with pieces for line breaks, tabs and runs of spaces and with the special tokens
inside. The others share one in which every special token has an id behind the pieces, so that no text can give it:

    0 <unk> = padding | 1 <s> | 2 </s> = end | pieces ... 64788 | [MASK] [gMASK] [sMASK] sop eop | roles (ChatGLM3)

CodeGeeX2's model file differs in one byte: no space is put before the text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from glmkit.core.errors import CorruptFile, UserError, nearest
from glmkit.core.json_types import Table
from glmkit.text.added import with_added
from glmkit.text.sentencepiece import SentencePiece
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import SPECIAL_FILE, Pieces, Tokenizer, check_present, read_table
from glmkit.text.which import ROLES, Sign, Which, called, first, told_by_files


class ChatGLMPieces(SentencePiece):
    """A SentencePiece vocabulary whose special tokens stand inside the text: no new text begins after them."""

    kind = "chatglm"

    def write_mark(self, mark: str, started: bool) -> tuple[bytes, bool]:
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
    """ChatGLM-6B's vocabulary. White space that its normalizer would drop has pieces: <n>, <|tab|>, <|blank_2|> ..."""

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


def official(name: str, directory: Path, rows: int | None = None) -> Tokenizer:
    """The tokenizer `name` of OFFICIAL from the vocabulary file in `directory`, with the tokens that were added to it.

    `rows`: how many ids the model has. Raises UserError for a file that is missing or another vocabulary's,
    CorruptFile for a damaged one and for added tokens that contradict the vocabulary or each other.
    """
    if name not in OFFICIAL:
        raise UserError(f"no tokenizer of the ChatGLM family is called {name!r}{nearest(name, OFFICIAL)}")
    path = directory / OFFICIAL[name].pieces.files[0]
    if not path.is_file():
        raise UserError(f"{directory} has no {path.name}: copy it there from the published {name} model")
    check_present(path)
    return with_added(_over(OFFICIAL[name].pieces.read(path), name, path), directory, _spellings(name), rows)


def renamed(tokenizer: Tokenizer, model: str, path: Path) -> Tokenizer:
    """A tokenizer that was saved at `path` as that of the published `model`, which the user says it is.

    Raises UserError for another vocabulary, and for a GLM's tokenizer, which is of no published model of this family.
    """
    if tokenizer.chat is None:
        raise UserError(f"{path} says itself which tokenizer it is; leave out the name {model!r}")
    if (name := called(model)) == tokenizer.chat:
        return tokenizer
    own = _spellings(name)
    kept = {mark: id for mark, id in added_marks(tokenizer).items() if own.get(mark) != id}
    return _over(tokenizer.pieces, name, path).with_tokens(kept)


def added_marks(tokenizer: Tokenizer) -> dict[str, int]:
    """The tokens of a ChatGLM's tokenizer that a user added, spelling -> id."""
    special = tokenizer.special
    own = {special.pad, *special.ends, *special.never_generated}
    published = OFFICIAL[tokenizer.chat].marks if tokenizer.chat in OFFICIAL else tokenizer.marks
    return {mark: id for mark, id in tokenizer.marks.items() if mark not in published and id not in own}


def _over(pieces: Pieces, name: str, path: Path) -> Tokenizer:
    row = OFFICIAL[name]
    begins = pieces.piece(pieces.encode("a")[0])
    if pieces.size != row.size or begins != row.begins:
        raise UserError(
            f"{path} is not the vocabulary of {name} ({pieces.size} pieces, {row.size} expected; text begins with "
            f"{begins!r}, {row.begins!r} expected): copy the one of {name} there"
        )
    return Tokenizer(pieces, row.special, row.marks, row.written, chat=name)


def _spellings(name: str) -> dict[str, int]:
    """How the published code spells the tokens that are not in the vocabulary file."""
    if name == "chatglm":
        return dict(OFFICIAL[name].marks)
    return _MASKS | {"sop": 64792, "eop": 64793} | (ROLES if name == "chatglm3" else {})


def which(directory: Path, table: Table | None = None, model: str | None = None) -> Which:
    """Which of OFFICIAL the files in `directory` are, from the evidence that `glmkit.text.which` lists.

    `table`: config.json, which is read unless it is given. `model`: the name that the user gave. Raises UserError for a
    name that no model has, CorruptFile for a damaged table.
    """
    return first(_evidence(directory, table, model), directory)


def recognise(directory: Path, model: str | None = None) -> str:
    """The name of the published model that `which` decides on, as version 0.1 gave it. Raises UserError when there is
    no vocabulary, or when it cannot be known whose it is."""
    if not (directory / IceText.files[0]).is_file():
        check_present(directory / ChatGLMPieces.files[0])
    decision = which(directory, model=model)
    if decision.model is None:
        raise UserError(decision.question)
    return decision.model


def _evidence(directory: Path, table: Table | None, model: str | None) -> Iterator[Sequence[Sign]]:
    yield [Sign(called(model), f"the name {model!r} that was given")] if model is not None else []
    if (directory / SPECIAL_FILE).is_file() and (chat := read_table(directory)["chat"]) in OFFICIAL:
        yield [Sign(chat, f"{SPECIAL_FILE}: chat")]
    yield list(_of_vocabulary(directory))
    yield from told_by_files(directory, table)


def _of_vocabulary(directory: Path) -> Iterator[Sign]:
    path = directory / ChatGLMPieces.files[0]
    if not path.is_file():
        if (directory / IceText.files[0]).is_file():
            yield Sign("chatglm", IceText.files[0])
        return
    with suppress(CorruptFile):  # whoever reads the tokenizer says so
        pieces = ChatGLMPieces.read(path)
        if not pieces.piece(pieces.encode("a")[0]).startswith("▁"):
            yield Sign("codegeex2", f"{path.name}, which puts no space before a text")
