"""Pieces of text, objectives and random numbers for properties that must hold for all of them."""

import numpy as np
from hypothesis import strategies as st

from glmkit.infill.corruption import (
    Chunk,
    DocumentBlank,
    LeftToRight,
    MaskedLM,
    Mixture,
    Objective,
    SentenceBlanks,
    SentinelBlanks,
    SingleBlank,
    TokenBlanks,
    Vocabulary,
)
from glmkit.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, eod=1, cls=2, mask=3, smask=4, gmask=5, sop=6, eop=7, spare=tuple(range(8, 208)))
FIRST_TEXT, SIZE = 208, 256
VOCABULARY = Vocabulary(
    special=SPECIAL, size=SIZE, sentence_ends=(np.arange(SIZE) >= FIRST_TEXT) & (np.arange(SIZE) % 5 == 0)
)

BLANKS: dict[str, Objective] = {
    "token": TokenBlanks(),
    "token, much": TokenBlanks(ratio=0.9),
    "token, long spans": TokenBlanks(mean_length=20.0),
    "token, left to right": TokenBlanks(shuffle=False),
    "sentinel": SentinelBlanks(ratio=0.3),
    "single": SingleBlank(),
    "sentence": SentenceBlanks(),
    "sentence, all": SentenceBlanks(ratio=1.0),
    "document": DocumentBlank(),
    "document, inner": DocumentBlank(inner=1.0),
    "document, suffix": DocumentBlank(shortest=0.0, inner=0.0),
}
OBJECTIVES: dict[str, Objective] = BLANKS | {
    "masked_lm": MaskedLM(),
    "left_to_right": LeftToRight(),
    "mixture": Mixture(((0.5, TokenBlanks()), (0.2, SentenceBlanks()), (0.3, DocumentBlank()), (0.1, LeftToRight()))),
}


@st.composite
def pieces(draw: st.DrawFn, longest: int = 60) -> Chunk:
    """A piece with at least one token that may be blanked: neither the first, nor the last, nor of the prompt."""
    blankable = draw(st.integers(1, longest))
    prompt = draw(st.integers(0, longest))
    complete = draw(st.booleans())
    text = draw(st.lists(st.integers(FIRST_TEXT, SIZE - 1), min_size=prompt + blankable, max_size=prompt + blankable))
    last = SPECIAL.eod if complete else draw(st.integers(FIRST_TEXT, SIZE - 1))
    tokens = np.array([SPECIAL.cls, *text, last], dtype=np.int64)
    return Chunk(tokens=tokens, first=1 + prompt, complete=complete)


def generators() -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)
