"""A tokenizer whose ids are words, for models of random weights: a prompt of so many words is as many tokens."""

import itertools
import random
import string
from typing import TYPE_CHECKING

from glmkit.core.json_types import JsonObject
from glmkit.text.bytelevel import ByteLevel
from glmkit.text.special import SpecialIds
from glmkit.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

WORDS = ("time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state")
MARKS = {"pad": "<pad>", "eod": "<eod>", "cls": "[CLS]", "mask": "[MASK]", "smask": "[sMASK]", "gmask": "[gMASK]"}
MARKS |= {"sop": "<sop>", "eop": "<eop>"}


def words(count: int, seed: int) -> str:
    """A text of `count` words, each behind a space: the first one too, so that every reader takes it for one token."""
    rng = random.Random(seed)
    return "".join(f" {rng.choice(WORDS)}" for _ in range(count))


def pieces(size: int) -> list[str]:
    """`size` pieces by id: the special tokens, then words of letters, each with a space (Ġ) before it."""
    letters = ("".join(word) for word in itertools.product(string.ascii_lowercase, repeat=5))
    spaced = ("\u0120" + word for word in itertools.chain(WORDS, letters))
    return [*MARKS.values(), *itertools.islice(spaced, size - len(MARKS))]


def backend(size: int) -> "Backend":
    """The same as the `tokenizers` library holds it."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, pre_tokenizers

    table = {piece: id for id, piece in enumerate(pieces(size))}
    built = Backend(models.WordLevel(table, unk_token=MARKS["mask"]))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return built


def word_tokenizer(size: int) -> Tokenizer:
    """The same as our models hold it."""
    ids: JsonObject = {name: id for id, name in enumerate(MARKS)}
    return Tokenizer(ByteLevel(backend(size)), SpecialIds(**ids), {mark: id for id, mark in enumerate(MARKS.values())})
