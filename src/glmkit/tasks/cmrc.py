"""CMRC 2018's exact match and F1, as its script `cmrc2018_evaluate.py` (version 5) counts them.

| metric | is |
|---|---|
| cmrc_em | the same but for case and the punctuation listed here |
| cmrc_f1 | F of the longest run of pieces in common: one character of Chinese is a piece, one word of other scripts |

The longest *run*: pieces in common that lie apart do not count, unlike in SQuAD's F1. Words of other scripts are found
by NLTK there, which needs a download; here a word is letters, digits and what stands inside them ("3.5", "don't").
"""

import re
from collections.abc import Sequence

_PUNCTUATION = frozenset(
    "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
)  # its "……" is two characters and never met
_PIECES = re.compile(r"[\u4e00-\u9fa5]|(?:(?![\u4e00-\u9fa5])\w)+(?:[.,'](?:(?![\u4e00-\u9fa5])\w)+)*|[^\w\s]")


def pieces(text: str) -> list[str]:
    """Chinese characters one by one, other words whole, without the punctuation above."""
    return _PIECES.findall(_bare(text))


def exact_match(written: str, rights: Sequence[str]) -> float:
    return float(any(_bare(written) == _bare(right) for right in rights))


def f1_score(written: str, rights: Sequence[str]) -> float:
    return max(_f1(pieces(written), pieces(right)) for right in rights)


def longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    """How many pieces the longest run that is in both has."""
    longest = 0
    ending = [0] * (len(other) + 1)  # of a run that ends with this piece of `one` and the one before the place here
    for piece in one:
        ending = [0] + [ending[place] + 1 if piece == met else 0 for place, met in enumerate(other)]
        longest = max(longest, *ending)
    return longest


def _f1(said: Sequence[str], true: Sequence[str]) -> float:
    return 2 * longest_run(said, true) / max(len(said) + len(true), 1)


def _bare(text: str) -> str:
    return "".join(letter for letter in text.lower().strip() if letter not in _PUNCTUATION)
