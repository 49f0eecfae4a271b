"""What written texts are worth against the right ones; of several right ones the best counts.

| metric | is |
|---|---|
| rouge | rouge1, rouge2, rougeLsum: F of words, pairs of words, longest common subsequence (rouge-score) |
| bleu | corpus BLEU (sacrebleu), by its Chinese tokenizer for Chinese |
| exact, f1 | SQuAD's: the same words but for case, punctuation and articles; F of words in common |
| cmrc | cmrc_em, cmrc_f1: CMRC 2018's own, see tasks/cmrc.py |

Of Chinese, words are characters.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from glmkit.core.errors import MissingExtra, UserError, nearest
from glmkit.tasks.cmrc import exact_match, f1_score
from glmkit.tasks.metrics import normal

_CHINESE = ("\u3400", "\u9fff")

Texts = Sequence[str]
Rights = Sequence[Sequence[str]]


def is_chinese(rights: Rights) -> bool:
    """Whether more of the letters are Chinese characters than not."""
    letters = [letter for row in rights for text in row for letter in text if letter.isalpha()]
    return 2 * sum(_CHINESE[0] <= letter <= _CHINESE[1] for letter in letters) > len(letters)


def overlap(names: Sequence[str], written: Texts, rights: Rights, chinese: bool | None = None) -> dict[str, float]:
    """The metrics called `names`, in percent. `chinese` None: found out. Raises UserError for an unknown name."""
    by_character = is_chinese(rights) if chinese is None else chinese
    results: dict[str, float] = {}
    for name in names:
        if name not in METRICS:
            raise UserError(f"unknown metric {name!r}{nearest(name, METRICS)}")
        results |= METRICS[name](written, rights, by_character)
    return results


def characters(text: str) -> list[str]:
    """A text's characters without white space and punctuation; letters and digits of a word stay together."""
    parts: list[str] = []
    joined = False
    for letter in text.lower():
        if letter.isspace() or unicodedata.category(letter)[0] == "P":
            joined = False
        elif letter.isascii():
            parts[-1:] = [parts[-1] + letter] if joined else [*parts[-1:], letter]
            joined = True
        else:
            parts.append(letter)
            joined = False
    return parts


class _Characters:
    """A tokenizer as rouge-score wants it."""

    def tokenize(self, text: str) -> list[str]:
        return characters(text)


def rouge(written: Texts, rights: Rights, by_character: bool) -> dict[str, float]:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtra("rouge-score", "eval") from None
    kinds = ["rouge1", "rouge2", "rougeLsum"]
    scorer = RougeScorer(kinds, tokenizer=_Characters()) if by_character else RougeScorer(kinds, use_stemmer=True)
    scores = [scorer.score_multi(list(right), text) for text, right in zip(written, rights, strict=True)]
    return {kind: 100 * sum(score[kind].fmeasure for score in scores) / len(scores) for kind in kinds}


def bleu(written: Texts, rights: Rights, by_character: bool) -> dict[str, float]:
    try:
        import sacrebleu
    except ImportError:
        raise MissingExtra("sacrebleu", "eval") from None
    most = max(map(len, rights))
    references: Any = [[row[i] if i < len(row) else None for row in rights] for i in range(most)]
    tokenize = "zh" if by_character else "13a"
    return {"bleu": float(sacrebleu.corpus_bleu(list(written), references, tokenize=tokenize).score)}


def exact(written: Texts, rights: Rights, by_character: bool) -> dict[str, float]:
    parts = characters if by_character else normal
    hits = [any(parts(text) == parts(right) for right in row) for text, row in zip(written, rights, strict=True)]
    return {"exact": 100 * sum(hits) / len(hits)}


def f1(written: Texts, rights: Rights, by_character: bool) -> dict[str, float]:
    parts = characters if by_character else normal
    best = [max(_f(parts(text), parts(right)) for right in row) for text, row in zip(written, rights, strict=True)]
    return {"f1": 100 * sum(best) / len(best)}


def cmrc(written: Texts, rights: Rights, by_character: bool) -> dict[str, float]:
    rows = list(zip(written, rights, strict=True))
    return {
        "cmrc_em": 100 * sum(exact_match(text, row) for text, row in rows) / len(rows),
        "cmrc_f1": 100 * sum(f1_score(text, row) for text, row in rows) / len(rows),
    }


def _f(said: Sequence[str], true: Sequence[str]) -> float:
    both = sum((Counter(said) & Counter(true)).values())
    return 2 * both / (len(said) + len(true)) if both else float(list(said) == list(true))


METRICS: dict[str, Callable[[Texts, Rights, bool], dict[str, float]]] = {
    "rouge": rouge,
    "bleu": bleu,
    "exact": exact,
    "f1": f1,
    "cmrc": cmrc,
}
