"""What a model of random weights writes under a grammar: no model is needed, its scores are random numbers."""

from typing import NamedTuple

import torch

from glmkit.serve.grammar import Grammar


class Sampled(NamedTuple):
    text: str
    finish_reason: str  # "stop" or "length"
    num_tokens: int


def sample(grammar: Grammar, max_tokens: int, seed: int = 0, temperature: float = 1.0) -> Sampled:
    """One sequence, drawn as an engine draws it: masked scores, an id, and on with it."""
    generator = torch.Generator().manual_seed(seed)
    vocabulary, constraint = grammar.vocabulary, grammar()
    written: list[int] = []
    for left in range(max_tokens, 0, -1):
        scores = torch.randn(vocabulary.rows, generator=generator) / temperature
        constraint.mask(scores, left)
        id = int(torch.multinomial(scores.softmax(0), 1, generator=generator))
        complete = constraint.observe(id)
        if id in vocabulary.ends:
            return Sampled(text_of(grammar, written), "stop", len(written))
        assert vocabulary.table[id], "an id without text inside a document"
        written.append(id)
        if complete:
            return Sampled(text_of(grammar, written), "stop", len(written))
    return Sampled(text_of(grammar, written), "length", len(written))


def text_of(grammar: Grammar, ids: list[int]) -> str:
    return b"".join(grammar.vocabulary.table[id] for id in ids).decode()


def write(grammar: Grammar, text: str) -> bool:
    """Whether a constraint lets `text` be written, and be complete behind it."""
    constraint, vocabulary, rest = grammar(), grammar.vocabulary, text.encode()
    while True:
        scores = torch.zeros(vocabulary.rows)
        constraint.mask(scores, 10_000)
        allowed = [id for id in (scores == 0).nonzero()[:, 0].tolist() if vocabulary.table[id]]
        fitting = [id for id in allowed if rest.startswith(vocabulary.table[id])]
        if not rest:
            return bool((scores[vocabulary.ends] == 0).all())
        if not fitting:
            return False
        # Bytes where there is a choice: where there is none, a token may have to be written whole.
        id = min(fitting, key=lambda id: len(vocabulary.table[id]))
        rest = rest[len(vocabulary.table[id]) :]
        if constraint.observe(id):
            return not rest
