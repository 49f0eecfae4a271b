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


@torch.inference_mode()
def search(config: DecodeConfig, prompts: abc.Sequence[abc.Sequence[int]], beam: Beam) -> list[list[Hypothesis]]:
    """For each prompt its finished hypotheses, at most `beam.beams`, best first."""
    state = config.prefill(prompts)
    branches = [[_Branch(sequence, 0.0, ())] for sequence in state.sequences]
    finished: list[list[_Branch]] = [[] for _ in prompts]
    while state.sequences:
        rows_to_sample, logits = state.step()
        scores = _scores(config, rows_to_sample, logits, [branch for group in branches for branch in group], beam)
        origins: list[int] = []
        first = 0
        for number, group in enumerate(branches):
            parents, branches[number] = range(first, first + len(group)), []
            first += len(group)
            candidates = _best(scores[parents.start : parents.stop], group, 2 * beam.beams) if group else []
            for rank, (parent, id, logprob) in enumerate(candidates):
                branch = _extend(config, group[parent], id, logprob)
                if not branch.sequence.finished:
                    branches[number].append(branch)
                    origins.append(parents[parent])
                elif rank < beam.beams:  # an ending that is not among the best would not have been kept open either
                    finished[number].append(branch)
                if len(branches[number]) == beam.beams:
                    break
            finished[number] = sorted(finished[number], key=lambda b: -b.score(beam.length_penalty))[: beam.beams]
            if candidates and _is_settled(finished[number], group, candidates[0], beam):
                del origins[len(origins) - len(branches[number]) :]
                branches[number] = []
        state.select(origins, [branch.sequence for group in branches for branch in group])
    return [[_hypothesis(branch, beam) for branch in group] for group in finished]


def _scores(
    config: DecodeConfig, rows_to_sample: list[int], logits: Tensor, branches: abc.Sequence[_Branch], beam: Beam
) -> Tensor:
    """log p [B, V] of the next token of each branch; one with tokens pending goes on as it is, by the one id 0."""
    logprobs = logits.log_softmax(-1)
    check_finite(logits.logsumexp(-1), config.model)
    masked = config.mask_logits(logits, [branches[row].sequence for row in rows_to_sample])
    logprobs = logprobs.masked_fill(masked == float("-inf"), float("-inf"))
    for i, row in enumerate(rows_to_sample):
        logprobs[i, _repeating(branches[row].ids_of_blank(), beam.no_repeat_ngram)] = float("-inf")
    scores = torch.full((len(branches), logits.shape[1]), float("-inf"), device=logits.device)
    scores[:, 0] = 0.0
    scores[rows_to_sample] = logprobs
    return scores


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
