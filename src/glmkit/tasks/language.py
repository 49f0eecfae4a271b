"""Language modelling: the last word of LAMBADA, and perplexity of a text, each in GLM's two ways.

    both ways        [CLS] text before [gMASK] | sop text after        the text before is read in both directions
    left to right    [CLS] first token [gMASK] | sop the rest          everything is written, nothing but one token read

A long text is cut into windows that overlap; every token but the first of a document is scored exactly once.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from glmkit.core.errors import UserError
from glmkit.objective.choices import ScoringRequest
from glmkit.tasks.score import ScoringModel


@dataclass(frozen=True)
class Perplexity:
    """`nats`: -log p of the whole text. Perplexity of a token, and of a word as the text's blanks part them, so that
    models with other tokenizers can be compared (the original's adjusted perplexity)."""

    nats: float
    tokens: int
    words: int

    @property
    def per_token(self) -> float:
        return math.exp(self.nats / self.tokens)

    @property
    def per_word(self) -> float:
        return math.exp(self.nats / self.words)


def perplexity(
    scorer: ScoringModel,
    documents: Sequence[str],
    *,
    left_to_right: bool,
    length: int | None = None,
    stride: int | None = None,
    words: int | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> Perplexity:
    """The perplexity of `documents` in windows of `length` tokens, each `stride` (half the length) after the last.

    `words`: their number where it was counted before the text was changed. Raises UserError for a text too short.
    """
    size = min(length or scorer.max_length, scorer.max_length) - 2  # beside [CLS] and the blank
    step = min(stride or max(1, size // 2), size - 1)
    requests = [
        window
        for ids in scorer.tokenizer.encode_batch(documents)
        for window in windows(scorer, ids, size, step, left_to_right)
    ]
    if not requests:
        raise UserError("the text has no two tokens in a document: there is nothing to predict")
    nats, tokens = 0.0, 0
    for scores in scorer.answers([[request] for request in requests], on_rows):
        nats -= float(scores.logprobs[0].sum())
        tokens += len(scores.logprobs[0])
    counted = words or sum(len(text.split()) for text in documents)
    return Perplexity(nats, tokens, max(1, counted - sum(bool(text.strip()) for text in documents)))


def windows(
    scorer: ScoringModel, ids: Sequence[int], size: int, step: int, left_to_right: bool, first: int = 1
) -> Iterator[ScoringRequest]:
    """The windows over a document: `size` tokens each, the tokens after the last window's end being asked about.

    Tokens before index `first` are read only.
    """
    done = first
    while done < len(ids):
        start = max(0, done - (size - step)) if done > first else 0
        end = min(len(ids), start + size)
        yield scorer.continuing(ids[start:done], [list(ids[done:end])], both_ways=not left_to_right)
        done = end


def last_words(
    scorer: ScoringModel, texts: Sequence[str], *, left_to_right: bool, length: int | None = None
) -> list[ScoringRequest]:
    """LAMBADA: of each text the last word is asked about; a text too long loses its beginning."""
    tokenizer = scorer.tokenizer
    size = min(length or scorer.max_length, scorer.max_length)
    requests = []
    for number, text in enumerate(texts, start=1):
        word = (text.split() or [""])[-1]
        before = text[: text.rfind(word)].strip()
        answer, ids = tokenizer.encode(f" {word}"), tokenizer.encode(before)
        if not answer or not ids:
            raise UserError(f"text {number} has no two words")
        ids = ids[-max(1, size - 3 - len(answer)) :]
        requests.append(scorer.continuing(ids, [answer], both_ways=not left_to_right, closed=True))
    return requests


@dataclass(frozen=True)
class LastWords:
    """Of LAMBADA's texts: for each whether the model would write the word, and log p of it."""

    right: list[bool]
    logprobs: list[float]


def lambada(
    scorer: ScoringModel,
    texts: Sequence[str],
    *,
    left_to_right: bool,
    length: int | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> LastWords:
    """Whether every token of the last word is the most probable one (its end is not asked for)."""
    requests = last_words(scorer, texts, left_to_right=left_to_right, length=length)
    scored = scorer.answers([[request] for request in requests], on_rows)
    return LastWords([bool(scores.written[0]) for scores in scored], [float(scores.totals()[0]) for scores in scored])


# How WikiText's tokens are put together again: what is written there, and what a person writes.
_JOINED = (
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    *((f" {mark} ", f"{mark} ") for mark in ":;.!?,"),
)
_PAIRED = (("(", ")"), ("[", "]"), ("{", "}"), ('"', '"'), ("'", "'"))  # no white space just inside them
_TIDIED = (
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
)


def wikitext(text: str) -> str:
    """WikiText as text again, by the rules that published perplexities use."""
    for old, new in _JOINED:
        text = text.replace(old, new)
    for opening, closing in _PAIRED:
        inner = rf"{re.escape(opening)}\s*([^{re.escape(closing)}]*?)\s*{re.escape(closing)}"
        text = re.sub(inner, rf"{opening}\1{closing}", text)
    for old, new in _TIDIED:
        text = text.replace(old, new)
    return text
