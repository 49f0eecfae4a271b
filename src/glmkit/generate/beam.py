"""Beam search over the blanks of a prompt: the most probable fillings, several at once, always the same.

A hypothesis is a whole filling: it runs through all blanks of its prompt, so that what is written into the first is
judged by what it makes of the others. Its score is the sum of log p over its tokens and ends, divided by
length ** length_penalty (length: tokens without ends, 1 at least), as in the original's seq2seq evaluator.
"""

from collections import abc
from dataclasses import dataclass

import torch
from torch import Tensor

from glmkit.core import kinds
from glmkit.core.errors import argument
from glmkit.core.kinds import check, whole
from glmkit.generate.sequence import Completion, Sequence, Token
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import collect
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

    blanks: list[Completion]
    score: float


@dataclass(frozen=True)
class _Branch:
    """A hypothesis as it is written: its sequence, its sum of log p, and its tokens."""

    sequence: Sequence
    total: float
    tokens: tuple[Token, ...]

    @property
    def length(self) -> int:
        """Tokens written, ends not counted, 1 at least."""
        return max(1, sum(token.finish_reason in (None, "length") for token in self.tokens))

    def score(self, length_penalty: float) -> float:
        return self.total / self.length**length_penalty

    def ids_of_blank(self) -> list[int]:
        """Ids written into the blank at hand."""
        return [token.id for token in self.tokens if token.blank == self.sequence.blank]


class BeamSearch:
    """The search of one prompt: the hypotheses that are being written, and those that are finished."""

    def __init__(self, config: DecodeConfig, beam: Beam, sequence: Sequence) -> None:
        """`sequence` is at the end of its prompt."""
        self.config, self.beam = config, beam
        self.branches = [_Branch(sequence, 0.0, ())]
        self._finished: list[_Branch] = []

    @property
    def sequences(self) -> list[Sequence]:
        """Of the hypotheses that are being written."""
        return [branch.sequence for branch in self.branches]

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """Those that are finished, best first."""
        return [_hypothesis(branch, self.beam) for branch in self._finished]

    def advance(self, logits: Tensor, rows: abc.Sequence[int]) -> list[int]:
        """Goes on by one token: `logits` [R, V] are those of the branches `rows`; the others have tokens to be read
        first. Returns which branch each of those that are left goes on from."""
        beams, group, parents = self.beam.beams, self.branches, list[int]()
        self.branches = []
        candidates = _best(self._scores(group, logits, rows), group, 2 * beams)
        for rank, (parent, id, logprob) in enumerate(candidates):
            branch = _extend(self.config, group[parent], id, logprob)
            if not branch.sequence.finished:
                self.branches.append(branch)
                parents.append(parent)
            elif rank < beams:  # an ending that is not among the best would not have been kept open either
                self._finished.append(branch)
            if len(parents) == beams:
                break
        self._finished = sorted(self._finished, key=lambda branch: -branch.score(self.beam.length_penalty))[:beams]
        if candidates and _is_settled(self._finished, group, candidates[0], self.beam):
            self.branches, parents = [], []
        return parents

    def _scores(self, group: list[_Branch], logits: Tensor, rows: abc.Sequence[int]) -> Tensor:
        """log p [B, V] of the next token of each branch; one with tokens pending goes on as it is, by the one id 0."""
        scores = torch.full((len(group), logits.shape[1]), float("-inf"), device=logits.device)
        scores[:, 0] = 0.0
        check_finite(logits.logsumexp(-1), self.config.model)
        masked = self.config.mask_logits(logits, [group[row].sequence for row in rows])
        logprobs = logits.log_softmax(-1).masked_fill(masked == float("-inf"), float("-inf"))
        for i, row in enumerate(rows):
            logprobs[i, _repeating(group[row].ids_of_blank(), self.beam.no_repeat_ngram)] = float("-inf")
        scores[rows] = logprobs
        return scores


@torch.inference_mode()
def search(config: DecodeConfig, prompt: abc.Sequence[int], beam: Beam) -> list[Hypothesis]:
    """The finished hypotheses of a prompt, at most `beam.beams`, best first: the plain way, alone."""
    state = config.prefill([prompt])
    result = BeamSearch(config, beam, state.sequences[0])
    while state.sequences:
        rows, logits = state.step()
        state.select(result.advance(logits, rows), result.sequences)
    return result.hypotheses


def _best(scores: Tensor, group: abc.Sequence[_Branch], count: int) -> list[tuple[int, int, float]]:
    """The `count` best continuations of a group: number of the branch, id, log p; best first."""
    totals = torch.tensor([branch.total for branch in group], device=scores.device)
    flat = (scores + totals[:, None]).flatten()
    best, index = flat.topk(min(count, len(flat)))
    places = [divmod(place, scores.shape[1]) for place in index[best > float("-inf")].tolist()]
    return [(parent, id, float(scores[parent, id])) for parent, id in places]


def _extend(config: DecodeConfig, branch: _Branch, id: int, logprob: float) -> _Branch:
    sequence = branch.sequence.fork()
    if sequence.pending_tokens:  # nothing was sampled behind it
        return _Branch(sequence, branch.total, branch.tokens)
    token = config.append_token(sequence, id, logprob)
    return _Branch(sequence, branch.total + logprob, (*branch.tokens, token))


def _is_settled(
    finished: abc.Sequence[_Branch], group: abc.Sequence[_Branch], best: tuple[int, int, float], beam: Beam
) -> bool:
    """Whether the worst that is finished is as good as the best continuation of this step, as the original judges it:
    by the length before the step, although a longer text might still make up for it."""
    if len(finished) < beam.beams:
        return False
    parent, _, logprob = best
    total, length = group[parent].total + logprob, max(branch.length for branch in group)
    return finished[-1].score(beam.length_penalty) >= total / length**beam.length_penalty


def _repeating(ids: abc.Sequence[int], size: int) -> list[int]:
    """The ids that would complete an n-gram of `size` tokens already in `ids`."""
    if size == 0 or len(ids) < size:
        return []
    ending = tuple(ids[len(ids) - size + 1 :])
    return [ids[i + size - 1] for i in range(len(ids) - size + 1) if tuple(ids[i : i + size - 1]) == ending]


def _hypothesis(branch: _Branch, beam: Beam) -> Hypothesis:
    row, steps = branch.sequence.row, iter([list(branch.tokens)])
    return Hypothesis(collect(steps, row + 1)[row], branch.score(beam.length_penalty))
