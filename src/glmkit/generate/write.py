"""The closed loop: a batch of prompts is written to its end, and nothing joins it on the way.

It is the plain way, which the engine (glmkit.generate.scheduler) must equal.
"""

import math
from collections import abc
from dataclasses import replace

import torch

from glmkit.generate.next_token import next_tokens
from glmkit.generate.sampling import Strategy
from glmkit.generate.sequence import Completion, Token
from glmkit.generate.session import DecodeConfig
from glmkit.nn.finite import not_finite


@torch.inference_mode()
def write(
    config: DecodeConfig,
    prompts: abc.Sequence[abc.Sequence[int]],
    strategy: Strategy | abc.Sequence[Strategy],
    num_return_sequences: int = 1,
    *,
    top: int = 0,
    watch: abc.Callable[[Token], bool] | None = None,
) -> abc.Iterator[list[Token]]:
    """Writes behind every prompt, or into each of its blanks, `num_return_sequences` times each; yields the tokens of
    each step as they come, with the `top` most probable ids beside each.

    `strategy` is one for all prompts or one for each. Row r * num_return_sequences + n is sequence n of prompt r. Where
    `watch` says True to a token its row ends. Raises NotFinite, before the token is yielded, where the model's scores
    are NaN or infinite.
    """
    strategies = strategy if isinstance(strategy, abc.Sequence) else [strategy] * len(prompts)
    samplers = [
        one.sampler(prompt, n)
        for one, prompt in zip(strategies, prompts, strict=True)
        for n in range(num_return_sequences)
    ]
    state = config.prefill(prompts)
    forks = [(row, prompt.fork()) for row, prompt in enumerate(state.sequences) for _ in range(num_return_sequences)]
    state.select([row for row, _ in forks], [fork for _, fork in forks])
    for row, sequence in enumerate(state.sequences):
        sequence.row = row
    while state.sequences:
        rows_to_sample, logits = state.step()
        if rows_to_sample:
            sequences = [state.sequences[row] for row in rows_to_sample]
            masked = config.mask_logits(logits, sequences)
            chosen = next_tokens(logits, masked, [samplers[one.row] for one in sequences], top)
            if not all(math.isfinite(one.logprob) for one in chosen):
                raise not_finite(config.model)
            tokens = []
            for sequence, (id, logprob, most_probable) in zip(sequences, chosen, strict=True):
                samplers[sequence.row].observe(id)
                token = config.append_token(sequence, id, logprob, most_probable)
                if watch is not None and watch(token):
                    token = replace(token, finish_reason=token.finish_reason or "stop")
                    sequence.finish()
                tokens.append(token)
            yield tokens
        running = [row for row, sequence in enumerate(state.sequences) if not sequence.finished]
        if len(running) * 2 <= len(state.sequences):  # finished rows leave when they are half: it copies the cache
            state.select(running, [state.sequences[row] for row in running])


def collect(steps: abc.Iterable[abc.Iterable[Token]], rows: int) -> list[list[Completion]]:
    """What each of `rows` rows wrote into each of its blanks."""
    written: list[list[list[Token]]] = [[] for _ in range(rows)]
    for token in (token for step in steps for token in step):
        blanks = written[token.row]
        if token.blank == len(blanks):
            blanks.append([])
        blanks[token.blank].append(token)
    return [[_completion(tokens) for tokens in blanks] for blanks in written]


def _completion(tokens: list[Token]) -> Completion:
    reason = tokens[-1].finish_reason
    assert reason is not None
    return Completion([token.id for token in tokens if token.is_text], [token.logprob for token in tokens], reason)
