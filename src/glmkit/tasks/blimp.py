"""BLiMP: of two sentences that differ in one point of grammar, is the good one more probable?

| pattern | a sentence is read as | its score |
|---|---|---|
| 0, after [gMASK] | [CLS] [gMASK], sop The cat sleeps . | log p of its tokens, written into the blank |
| 1, left to right | [CLS] The cat sleeps . | log p of its tokens, each from those before it |
| 2, through blanks | [CLS] The [MASK] sleeps . <eod>, sop cat | log p of each word and its end, the rest being read |

The first two are log p of the sentence as the objectives `document` and `left_to_right` teach it; a model that reads
from left to right alone has only the first, which is both. The third is a pseudo-likelihood, the sum over the words.
Words are hidden, not tokens: a piece of a rare word is easy to tell from its other pieces. Punctuation is not asked
about. A pair is right where the good sentence has the higher score; a tie is wrong.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from glmkit.core.errors import UserError
from glmkit.infill.layout import causal_layout
from glmkit.infill.position_schemes import example
from glmkit.objective.choices import ScoringRequest
from glmkit.objective.read_request import ReadRequest, of_example
from glmkit.tasks.cells import text, where_of
from glmkit.tasks.confidence import share_interval
from glmkit.tasks.evaluate import Result, Value
from glmkit.tasks.score import ScoringModel
from glmkit.tasks.tables import read_rows
from glmkit.text.prompts import PromptFormat

NAME = "blimp"
_AT_ONCE = 512  # pairs whose requests are in memory
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

Read = Callable[[ScoringModel, str], list[ReadRequest]]


@dataclass(frozen=True, kw_only=True)
class MinimalPair:
    """A good sentence and a bad one, the `paradigm` they are an example of, and its phenomenon (`term`)."""

    uid: str
    good: str
    bad: str
    field: str
    term: str
    where: str


def read_pairs(data: Path, limit: int | None = None) -> list[MinimalPair]:
    """The pairs of all paradigms, a file each, below `data`: of the first `limit` each paradigm has an equal share.

    Raises UserError where there are none, and for a row without a sentence or a phenomenon.
    """
    folders = [data / NAME, data / NAME / "data", *([data] if data.name == NAME else [])]
    files = next((paths for folder in folders if (paths := sorted(folder.glob("*.jsonl")))), [])
    if not files:
        raise UserError(f"task {NAME}: no .jsonl in {data / NAME}; put the benchmark's own files there")
    dealt = zip_longest(*map(_pairs, files))
    return [pair for pairs in dealt for pair in pairs if pair is not None][:limit]


def _pairs(path: Path) -> list[MinimalPair]:
    pairs = []
    for number, row in enumerate(read_rows(path, published=True)):
        columns = {name: text(row, name) for name in ("sentence_good", "sentence_bad", "field", "linguistics_term")}
        if empty := [name for name, value in columns.items() if not value.strip()]:
            raise UserError(f"{where_of(row)}: column {empty[0]!r} is empty")
        good, bad, field, term = columns.values()
        pairs.append(
            MinimalPair(uid=f"{path.stem}-{number}", good=good, bad=bad, field=field, term=term, where=where_of(row))
        )
    return pairs


def after_gmask(scorer: ScoringModel, sentence: str) -> list[ReadRequest]:
    """Pattern 0 above."""
    return [scorer.read_request(scorer.continuing([], [scorer.tokenizer.encode(sentence)], both_ways=True))]


def left_to_right(scorer: ScoringModel, sentence: str) -> list[ReadRequest]:
    """Pattern 1 above: the layout of the objective of that name."""
    opening = scorer.prompt.opening
    tokens = np.array([*opening, *scorer.tokenizer.encode(sentence)], dtype=np.int64)
    return [of_example(example(causal_layout(tokens, len(opening)), scorer.position_scheme))]


def through_blanks(scorer: ScoringModel, sentence: str) -> list[ReadRequest]:
    """Pattern 2 above: a request for each word."""
    tokenizer, special, requests = scorer.tokenizer, scorer.special, []
    mask = tokenizer.piece(special.mask)
    for word in _WORD.finditer(sentence):
        before, after = sentence[: word.start()], sentence[word.end() :]
        context = scorer.prompt.fill(tokenizer.encode_marked(f"{before}{mask}{after}"))
        space = tokenizer.space_before_blank(before)
        answer = [*tokenizer.encode(space + word.group()), special.eop]
        blank = list(context).index(special.mask)
        requests.append(scorer.read_request(ScoringRequest(context=context, blank=blank, answers=[answer])))
    return requests


WAYS: Mapping[str, Read] = {
    "after [gMASK]": after_gmask,
    "left to right": left_to_right,
    "through blanks": through_blanks,
}


def ways(prompt: PromptFormat, pattern: str) -> list[str]:
    """The ways that a pattern names: of the whole sentence where it is "", all where it is "all".

    Raises UserError for one that there is not, or that the model's family has not.
    """
    able = (True, prompt.bidirectional and bool(prompt.opening), prompt.fills_blanks)
    numbers = [number for number, can in enumerate(able) if can]
    if pattern not in ("", "all"):
        if int(pattern) not in numbers:
            raise UserError(
                f"task {NAME} has no pattern {pattern} for this model; it has {', '.join(map(str, numbers))}"
            )
        numbers = [int(pattern)]
    elif not pattern:
        numbers = [number for number in numbers if number < 2]
    return [list(WAYS)[number] for number in numbers]


def scores(
    scorer: ScoringModel,
    pairs: Sequence[MinimalPair],
    read: Read,
    *,
    length: int | None = None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[float, float]]:
    """The scores of the good and the bad sentence of every pair. Raises UserError for one longer than `length`."""
    limit = min(length or scorer.max_length, scorer.max_length)
    for start in range(0, len(pairs), _AT_ONCE):
        part = pairs[start : start + _AT_ONCE]
        good = [read(scorer, pair.good) for pair in part]
        bad = [read(scorer, pair.bad) for pair in part]
        examples = [[*first, *second] for first, second in zip(good, bad, strict=True)]
        for pair, example_ in zip(part, examples, strict=True):
            if (size := max((len(request.tokens) for request in example_), default=0)) > limit:
                raise UserError(f"{pair.where}: a sentence has {size} tokens, and at most {limit} are read")
        for first, results in zip(good, scorer.read_all(examples, on_rows), strict=True):
            totals = [float(result[:, 0].double().sum()) for result in results]
            yield sum(totals[: len(first)]), sum(totals[len(first) :])


def is_right(scorer: ScoringModel, pair: MinimalPair, good: float, bad: float) -> bool:
    """Whether the good sentence is the more probable one. Two that are the same to the tokenizer tie, whatever their
    scores have been rounded to."""
    encode = scorer.tokenizer.encode
    return good > bad and encode(pair.good) != encode(pair.bad)


def blimp(
    scorer: ScoringModel,
    data: Path,
    *,
    pattern: str = "",
    limit: int | None = None,
    length: int | None = None,
    counter: Callable[[str, int], Callable[[int], None]],
) -> list[Result]:
    """The accuracy in each way that `pattern` names, over all pairs and by phenomenon."""
    chosen, pairs = ways(scorer.prompt, pattern), read_pairs(data, limit)
    results = []
    for way in chosen:
        on_rows = counter(f"{NAME}, {way}", len(pairs))
        scored = list(scores(scorer, pairs, WAYS[way], length=length, on_rows=on_rows))
        right = [is_right(scorer, pair, *both) for pair, both in zip(pairs, scored, strict=True)]
        hits = {"accuracy": right}
        for term in sorted({pair.term for pair in pairs}):
            hits[term] = [hit for pair, hit in zip(pairs, right, strict=True) if pair.term == term]
        metrics = {name: Value(sum(part) / len(part), *share_interval(part)) for name, part in hits.items()}
        log = tuple(
            {"task": f"{NAME}, {way}", "row": pair.uid, "field": pair.field, "term": pair.term, "right": hit}
            | {"good": round(good, 4), "bad": round(bad, 4)}
            for pair, hit, (good, bad) in zip(pairs, right, scored, strict=True)
        )
        results.append(Result(task=NAME, pattern=way, rows=len(pairs), cut=0, metrics=metrics, notes=(), log=log))
    return results
