"""The tokenizers of the published GLM models: a vocabulary of its own each, and special tokens at the original's ids.

`[gMASK]` and `[sMASK]` exist in models trained with task masks, `[dBLOCK]` in those trained with block masks; the
variant says which of them a tokenizer knows. What the original calls ENC is cls here, eos is eod, dBLOCK is block.
Rules and ids: THUDM/GLM (commit 4f61ed7), data_utils/tokenization.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glmkit.core.errors import UserError, nearest
from glmkit.text.bytelevel import ByteLevel
from glmkit.text.sentencepiece import SentencePiece
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Pieces, Tokenizer, check_present
from glmkit.text.wordpiece import WordPiece

Variant = Literal["plain", "task_mask", "task_mask+dblock"]

# The special tokens that a variant has beside those of every model.
VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "task_mask": ("gmask", "smask"),
    "task_mask+dblock": ("gmask", "smask", "block"),
}

_SPELLINGS = {
    "pad": "<|endoftext|>",
    "eod": "<|endoftext|>",
    "sop": "<|startofpiece|>",
    "eop": "<|endofpiece|>",
    "cls": "[CLS]",
    "mask": "[MASK]",
    "sep": "[SEP]",
    "unk": "[UNK]",
    "gmask": "[gMASK]",
    "smask": "[sMASK]",
    "block": "[dBLOCK]",
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published vocabulary: its pieces, and which id each special token has."""

    pieces: type[Pieces]
    size: int  # pieces in the vocabulary files
    names: tuple[tuple[str, ...], ...]  # what the vocabulary files are called, in several places
    ids: dict[str, int]  # special token -> id, in the order the original splits text on them
    spellings: dict[str, str]
    spare: tuple[int, ...] = ()
    other: tuple[int, ...] = ()  # beside [UNK]


_CHINESE = {"pad": 50000, "eod": 50000, "sep": 50001, "cls": 50002, "mask": 50003, "unk": 50004}
_CHINESE_NAMES = (("cog-pretrain.model",), ("tokenizer.model",))

PUBLISHED = {
    # GLM-Base, -Large, -Doc, -410M, -515M. The spare ids are the vocabulary's [unused0] .. [unused993].
    "bert": Published(
        pieces=WordPiece,
        size=30522,
        names=(("vocab.txt",), ("bert-large-uncased-vocab.txt",), ("bert-base-uncased-vocab.txt",)),
        ids={"pad": 0, "cls": 101, "mask": 103, "unk": 100, "sep": 102, "eod": 0, "sop": 30522, "eop": 30523}
        | {"gmask": 30524, "smask": 30525, "block": 30526},
        spellings=_SPELLINGS | {"pad": "[PAD]", "eod": "[PAD]"},
        spare=(*range(1, 100), *range(104, 999)),
    ),
    # GLM-RoBERTa. Spare: <pad>, <|endoftext|> and madeupword0000 .. 0002 of the vocabulary, which text never gives.
    "roberta": Published(
        pieces=ByteLevel,
        size=50265,
        names=(
            ("vocab.json", "merges.txt"),
            ("roberta-vocab.json", "roberta-merges.txt"),
            ("roberta-vocab.json", "gpt2-merges.txt"),
        ),
        ids={"pad": 2, "eod": 2, "sep": 2, "cls": 0, "mask": 50264, "unk": 3, "sop": 50265, "eop": 50266}
        | {"gmask": 50267, "smask": 50268, "block": 50269},
        spellings=_SPELLINGS,
        spare=(1, 50260, 50261, 50262, 50263),
    ),
    # GLM-2B, GLM-10B.
    "gpt2": Published(
        pieces=ByteLevel,
        size=50257,
        names=(("vocab.json", "merges.txt"), ("gpt2-vocab.json", "gpt2-merges.txt")),
        ids={"pad": 50256, "eod": 50256, "sop": 50257, "eop": 50258, "cls": 50259, "mask": 50260, "sep": 50261}
        | {"unk": 50262, "gmask": 50263, "smask": 50264, "block": 50265},
        spellings=_SPELLINGS,
    ),
    # GLM-Large-Chinese (--fix-command-token). Other: <unk>, <s> and </s> of the model file.
    "chinese": Published(
        pieces=SentencePiece,
        size=50000,
        names=_CHINESE_NAMES,
        ids=_CHINESE | {"sop": 50006, "eop": 50007, "smask": 50008, "gmask": 50009, "block": 50010},
        spellings=_SPELLINGS,
        spare=(50005,),
        other=(0, 1, 2),
    ),
    # GLM-10B-Chinese: [gMASK] has the id of <|endofpiece|>, so the model was trained.
    "chinese-unfixed": Published(
        pieces=SentencePiece,
        size=50000,
        names=_CHINESE_NAMES,
        ids=_CHINESE | {"sop": 50006, "eop": 50007, "gmask": 50007, "smask": 50008, "block": 50009},
        spellings=_SPELLINGS,
        spare=(50005,),
        other=(0, 1, 2),
    ),
}


def published(name: str, directory: Path, variant: Variant = "task_mask") -> Tokenizer:
    """The tokenizer `name` of PUBLISHED, from the vocabulary files in `directory` as they were published.

    Raises UserError for files that are missing or of another vocabulary, CorruptFile for damaged ones.
    """
    if name not in PUBLISHED:
        raise UserError(f"no published tokenizer is called {name!r}{nearest(name, PUBLISHED)}")
    if variant not in VARIANTS:
        raise UserError(f"no variant of {name} is called {variant!r}{nearest(variant, VARIANTS)}")
    row = PUBLISHED[name]
    paths = [directory / file for file in _found(name, row, directory)]
    for path in paths:
        check_present(path)
    pieces = row.pieces.read(*paths)
    if pieces.size != row.size:
        raise UserError(
            f"{paths[0]} has {pieces.size} pieces, the vocabulary of {name} has {row.size}: "
            "it is cut short or another one; put the right one there"
        )
    absent = set(VARIANTS["task_mask+dblock"]) - set(VARIANTS[variant])
    ids = {token: id for token, id in row.ids.items() if token not in absent}
    special = SpecialIds(
        **{"gmask": ids["mask"], "smask": ids["mask"]} | {token: id for token, id in ids.items() if token != "unk"},
        spare=row.spare,
        other=(ids["unk"], *row.other),
    )
    return Tokenizer(pieces, special, {row.spellings[token]: id for token, id in ids.items()})


def _found(name: str, row: Published, directory: Path) -> tuple[str, ...]:
    """The first set of file names that is complete in `directory`."""
    missing = {files: [file for file in files if not (directory / file).is_file()] for files in row.names}
    best = min(row.names, key=lambda files: len(missing[files]))
    if missing[best]:
        known = "; ".join(" and ".join(files) for files in row.names)
        raise UserError(
            f"{directory} has no {' and no '.join(missing[best])}: put the vocabulary of {name} there, as {known}"
        )
    return best
