"""Beam search over the blanks of a prompt: the most probable fillings, several at once, always the same.

A hypothesis is a whole filling: it runs through all blanks of its prompt, so that what is written into the first is
judged by what it makes of the others. Its score is the sum of log p over its tokens and ends, divided by
length ** length_penalty (length: tokens without ends, 1 at least), as in the original's seq2seq evaluator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glmkit.core import kinds
from glmkit.core.errors import argument
from glmkit.core.kinds import check, whole
from glmkit.generate.engine import Filled, Row, Token, Writer, collect
from glmkit.nn.finite import check_finite

MOST_BEAMS = 1000  # each has a cache of its own
LENGTH_PENALTY = kinds.number(-50, 50)  # the length of any text to that power is a number


@dataclass(frozen=True, kw_only=True)
class Beam:
    """`beams` hypotheses are kept at each step. Within a blank no n-gram of `no_repeat_ngram` tokens comes twice
    (0: any may). Raises UserError for numbers out of range."""

    beams: int = 4
    length_penalty: float = 1.0
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        check(self.beams, whole(1, MOST_BEAMS), argument("beams"))
        check(self.length_penalty, LENGTH_PENALTY, argument("length_penalty"))
        check(self.no_repeat_ngram, whole(low=0), argument("no_repeat_ngram"))


@dataclass(frozen=True)
class Hypothesis:
    """A filling of all blanks of a prompt, and its score."""

    blanks: list[Filled]
    score: float


@dataclass(frozen=True)
class _Branch:
    """A hypothesis as it is written: where its row stands, its sum of log p, and its tokens."""

    row: Row
    total: float
    tokens: tuple[Token, ...]

    @property
    def length(self) -> int:
        """Tokens written, ends not counted, 1 at least."""
        return max(1, sum(token.ended in (None, "length") for token in self.tokens))

    def score(self, length_penalty: float) -> float:
        return self.total / self.length**length_penalty

    def here(self) -> list[int]:
        """Ids written into the blank at hand."""
        return [token.id for token in self.tokens if token.blank == self.row.blank]


@torch.inference_mode()
def search(writer: Writer, prompts: Sequence[Sequence[int]], beam: Beam) -> list[list[Hypothesis]]:
    """For each prompt its finished hypotheses, at most `beam.beams`, best first."""
    session = writer.read(prompts)
    branches = [[_Branch(row, 0.0, ())] for row in session.rows]
    found: list[list[_Branch]] = [[] for _ in prompts]
    while session.rows:
        listening, logits = session.step()
        scores = _scores(writer, session.rows, listening, logits, [b for group in branches for b in group], beam)
        origins: list[int] = []
        first = 0
        for number, group in enumerate(branches):
            parents, branches[number] = range(first, first + len(group)), []
            first += len(group)
            candidates = _best(scores[parents.start : parents.stop], group, 2 * beam.beams) if group else []
            for rank, (parent, id, logprob) in enumerate(candidates):
                branch = _extend(writer, group[parent], id, logprob)
                if branch.row.feeds:
                    branches[number].append(branch)
                    origins.append(parents[parent])
                elif rank < beam.beams:  # an ending that is not among the best would not have been kept open either
                    found[number].append(branch)
                if len(branches[number]) == beam.beams:
                    break
            found[number] = sorted(found[number], key=lambda b: -b.score(beam.length_penalty))[: beam.beams]
            if candidates and _settled(found[number], group, candidates[0], beam):
                del origins[len(origins) - len(branches[number]) :]
                branches[number] = []
        session.keep(origins, [branch.row for group in branches for branch in group])
    return [[_hypothesis(branch, beam) for branch in group] for group in found]


def _scores(
    writer: Writer, rows: Sequence[Row], listening: list[int], logits: Tensor, branches: Sequence[_Branch], beam: Beam
) -> Tensor:
    """log p [R, V] of what each row may write next; a row that only feeds goes on as it is, by the one id 0."""
    logprobs = logits.log_softmax(-1)
    check_finite(logits.logsumexp(-1), writer.model)
    allowed = writer.allowed(logits, [rows[i] for i in listening])
    logprobs = logprobs.masked_fill(allowed == float("-inf"), float("-inf"))
    for i, row in enumerate(listening):
        logprobs[i, _repeating(branches[row].here(), beam.no_repeat_ngram)] = float("-inf")
    scores = torch.full((len(rows), logits.shape[1]), float("-inf"), device=logits.device)
    scores[:, 0] = 0.0
    scores[listening] = logprobs
    return scores


def _best(scores: Tensor, group: Sequence[_Branch], count: int) -> list[tuple[int, int, float]]:
    """The `count` best continuations of a group: number of the branch, id, log p; best first."""
    totals = torch.tensor([branch.total for branch in group], device=scores.device)
    flat = (scores + totals[:, None]).flatten()
    best, index = flat.topk(min(count, len(flat)))
    places = [divmod(place, scores.shape[1]) for place in index[best > float("-inf")].tolist()]
    return [(parent, id, float(scores[parent, id])) for parent, id in places]


def _extend(writer: Writer, branch: _Branch, id: int, logprob: float) -> _Branch:
    row = branch.row.fork()
    if row.feeds:  # it was not asked to write
        return _Branch(row, branch.total, branch.tokens)
    token = writer.take(row, id, logprob)
    return _Branch(row, branch.total + logprob, (*branch.tokens, token))


def _settled(found: Sequence[_Branch], group: Sequence[_Branch], best: tuple[int, int, float], beam: Beam) -> bool:
    """Whether the worst that was found is as good as the best continuation of this step, as the original judges it:
    by the length before the step, although a longer text might still make up for it."""
    if len(found) < beam.beams:
        return False
    parent, _, logprob = best
    total, length = group[parent].total + logprob, max(branch.length for branch in group)
    return found[-1].score(beam.length_penalty) >= total / length**beam.length_penalty


def _repeating(ids: Sequence[int], size: int) -> list[int]:
    """The ids that would complete an n-gram of `size` tokens already in `ids`."""
    if size == 0 or len(ids) < size:
        return []
    ending = tuple(ids[len(ids) - size + 1 :])
    return [ids[i + size - 1] for i in range(len(ids) - size + 1) if tuple(ids[i : i + size - 1]) == ending]


def _hypothesis(branch: _Branch, beam: Beam) -> Hypothesis:
    number = branch.row.number
    steps = iter([list(branch.tokens)])
    return Hypothesis(collect(steps, number + 1)[number], branch.score(beam.length_penalty))
