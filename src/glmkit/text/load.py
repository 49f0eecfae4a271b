"""Reads a saved tokenizer of whatever kind."""

from pathlib import Path

from glmkit.core.config import from_mapping
from glmkit.core.errors import CorruptFile, nearest, short
from glmkit.core.files import sha256
from glmkit.text.bytelevel import ByteLevel
from glmkit.text.chat import FORMATS
from glmkit.text.chatglm import ChatGLMPieces, IceText
from glmkit.text.sentencepiece import SentencePiece
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import SPECIAL_FILE, Pieces, Tokenizer, check_present, read_table
from glmkit.text.trained import TrainedPieces
from glmkit.text.wordpiece import WordPiece

KINDS: dict[str, type[Pieces]] = {
    kind.kind: kind for kind in (TrainedPieces, WordPiece, ByteLevel, SentencePiece, ChatGLMPieces, IceText)
}


def load(directory: Path) -> Tokenizer:
    """The tokenizer that `Tokenizer.save` wrote into `directory`. Raises UserError or CorruptFile naming the file."""
    table = read_table(directory)
    where = str(directory / SPECIAL_FILE)
    if table["kind"] not in KINDS:
        raise CorruptFile(f"{where}: unknown kind of vocabulary {short(table['kind'])}{nearest(table['kind'], KINDS)}")
    kind = KINDS[table["kind"]]
    paths = [directory / name for name in kind.files]
    for path in paths:
        check_present(path)
        if sha256(path) != table["files"].get(path.name):
            raise CorruptFile(f"{path} is not the file {SPECIAL_FILE} was saved with; copy the tokenizer again")
    special = from_mapping(SpecialIds, table["special"], f"{where}: special")
    if table["chat"] is not None and table["chat"] not in FORMATS:
        raise CorruptFile(f"{where}: unknown chat format {short(table['chat'])}{nearest(table['chat'], FORMATS)}")
    return Tokenizer(kind.read(*paths), special, table["marks"], table["written"], table["chat"])
